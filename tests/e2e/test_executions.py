"""Changes whose end their client does not wait for: answered at once, followed, and done whoever goes away."""
import json
import os
import signal
import socket

import jsonschema
import pytest
import requests

from unix_api import Api

UNKNOWN = '5b0c1e8e-43f5-4c5e-9d53-0c4f6a1e2b37'
DEAF = ['/bin/sh', '--name', 'deaf', '--no-autorestart', '--kill-timeout', '600000', '--', '-c', "trap '' INT TERM; while :; do sleep 0.1; done"]


@pytest.fixture
def running(open_zona):
    """A zona with `nap`, which stops at once, and `deaf`, which only SIGKILL ends."""
    zona = open_zona()
    zona.run('start', *DEAF)
    yield zona
    if zona.process('deaf')['pid']:
        kill(zona, 'deaf')


def begin(api, action, *select, **more):
    status, answer, headers = api('POST', '/api/v1/operations', {'action': action, 'select': list(select), 'wait': False, **more})
    assert status == 202, answer
    assert headers['Location'] == '/api/v1/executions/' + answer['data']['id']
    return answer['data']


def events(lines):
    """Of an open event stream: (id, type, data) until its end."""
    event = {}
    for line in lines:
        name, _, value = line.partition(': ')
        if line == '' and 'data' in event:
            yield int(event['id']), event['event'], json.loads(event['data'])
            event = {}
        elif name:
            event[name] = value


def follow(zona, execution, key=None, seen=None):
    headers = {'X-API-Key': key or zona.key, **({'Last-Event-ID': str(seen)} if seen is not None else {})}
    answer = requests.get(f'{zona.url}/api/v1/executions/{execution}/events', headers=headers, stream=True, timeout=60)
    assert answer.status_code in (200, 204), answer.text
    return answer


def kill(zona, name):
    os.kill(zona.process(name)['pid'], signal.SIGKILL)


# PM-46, PM-55
def test_a_change_is_answered_at_once_and_followed_to_its_end(running, root):
    zona = running
    viewer = zona.run('key', 'create', 'wall').stdout.strip()
    schemas = json.loads((root / 'docs/openapi.json').read_text())['components']['schemas']
    fits = {'result': 'ExecutionResult', 'ended': 'Execution'}

    begun = begin(Api(zona), 'stop', 'all')

    assert (begun['operation'], begun['action'], begun['status'], begun['processes']) == ('operateProcesses', 'stop', 'running', 2)
    with follow(zona, begun['id'], viewer) as stream:
        told = events(stream.iter_lines(chunk_size=1, decode_unicode=True))
        first = next(told)
        assert (first[0], first[1], first[2]['name'], first[2]['ok']) == (1, 'result', 'nap', True)
        assert zona.process('nap')['status'] == 'stopped' and zona.process('deaf')['status'] == 'stopping'
        kill(zona, 'deaf')
        rest = list(told)
    assert [(id, kind, data.get('name')) for id, kind, data in rest] == [(2, 'result', 'deaf'), (3, 'ended', None)]
    for _, kind, data in [first, *rest]:
        jsonschema.Draft202012Validator({**schemas[fits[kind]], 'components': {'schemas': schemas}}).validate(data)
    shown = Api(zona)('GET', f'/api/v1/executions/{begun["id"]}')[1]['data']
    assert shown == {**rest[-1][2], 'results': [first[2], rest[0][2]]}
    assert (shown['status'], shown['finished'], shown['failed']) == ('success', 2, 0)
    assert shown['correlation_id'] == begun['correlation_id']

    # Who comes back goes on where it was, and who has seen the end is sent away.
    assert [id for id, _, _ in events(follow(zona, begun['id'], seen=1).iter_lines(decode_unicode=True))] == [2, 3]
    assert [id for id, _, _ in events(follow(zona, begun['id'], seen=99).iter_lines(decode_unicode=True))] == [1, 2, 3]
    assert follow(zona, begun['id'], seen=3).status_code == 204


def test_a_change_that_is_refused_is_no_execution(running):
    api = Api(running)

    assert api('POST', '/api/v1/operations', {'action': 'stop', 'select': ['nobody'], 'wait': False})[0] == 404
    twice = {'apps': [{'name': 'nap', 'script': '/bin/sleep'}], 'cwd': '/tmp', 'wait': False}
    assert api('POST', '/api/v1/processes', twice)[1]['error']['code'] == 'CONFLICT'
    assert api('POST', '/api/v1/snapshots/restore', {'wait': False})[0] == 404

    assert api('GET', '/api/v1/executions')[1]['data'] == []
    assert api('GET', f'/api/v1/executions/{UNKNOWN}')[0] == 404
    assert api('GET', f'/api/v1/executions/{UNKNOWN}/events')[0] == 404
    assert api('GET', '/api/v1/executions/7')[0] == 400


def test_every_change_that_takes_time_can_be_an_execution(zona):
    zona.run('save', '--force')
    api = Api(zona)
    app = {'name': 'app', 'script': '/bin/sleep', 'args': ['1000']}

    def ended(answer):
        status, answer, _ = answer
        assert status == 202, answer
        path = f'/api/v1/executions/{answer["data"]["id"]}'
        api('GET', path + '/events')   # ends with it
        return api('GET', path)[1]['data']

    def operate(action, **more):
        return ended(api('POST', '/api/v1/operations', {'action': action, 'select': ['app'], 'wait': False, **more}))

    started = ended(api('POST', '/api/v1/processes', {'apps': [app], 'cwd': '/tmp', 'wait': False}))
    assert [(r['name'], r['outcome']['outcome']) for r in started['results']] == [('app', 'ready')]
    more = operate('scale', instances='+2')
    assert [(r['instance'], r['outcome']['outcome']) for r in more['results']] == [(1, 'ready'), (2, 'ready')]
    assert (more['processes'], more['finished']) == (2, 2)
    fewer = operate('scale', instances=1)
    assert sorted(r['instance'] for r in fewer['results']) == [1, 2] and fewer['action'] == 'scale'
    assert operate('restart')['results'][0]['outcome']['outcome'] == 'ready'
    again = operate('start')
    assert (again['status'], again['failed'], again['results'][0]['error']['code']) == ('failure', 1, 'CONFLICT')
    assert operate('stop')['status'] == operate('delete')['status'] == 'success'
    zona.run('start', '/bin/sleep', '--name', 'saved', '--', '1000')
    zona.run('save')
    zona.run('delete', 'saved')
    restored = ended(api('POST', '/api/v1/snapshots/restore', {'wait': False}))
    assert (restored['action'], [r['name'] for r in restored['results']]) == ('restore', ['saved'])
    assert [e['action'] for e in api('GET', '/api/v1/executions')[1]['data']] == [
        'restore', 'delete', 'stop', 'start', 'restart', 'scale', 'scale', 'start']


# REL-20
def test_a_change_goes_on_without_its_client_and_without_its_daemon(running):
    body = json.dumps({'action': 'stop', 'select': ['all'], 'wait': False}).encode()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(running.home / 'api.sock'))
        client.sendall(b'POST /api/v1/operations HTTP/1.1\r\nHost: zona\r\nContent-Type: application/json\r\n'
                       b'Content-Length: %d\r\n\r\n%s' % (len(body), body))
    running.wait_until(lambda: running.process('nap')['status'] == 'stopped' and running.process('deaf')['status'] == 'stopping')
    api = Api(running)
    begun = api('GET', '/api/v1/executions')[1]['data'][0]
    waiting = running.popen('execution', 'wait', begun['id'])

    os.kill(running.daemon_pid(), signal.SIGKILL)

    _, told = waiting.communicate(timeout=30)
    assert waiting.returncode == 3 and 'an earlier life of the daemon' in told
    kill(running, 'deaf')
    running.wait_until(lambda: [p['status'] for p in running.list()] == ['stopped', 'stopped'])


def test_the_command_waits_for_what_it_has_begun(running):
    begun = running.run('stop', 'all', '--no-wait')
    execution = begun.stdout.split()[-1]
    assert begun.stdout.endswith(f'stop goes on for 2 processes\n  try: zona execution wait {execution}\n')
    running.wait_until(lambda: 'stop goes on: 1 of 2 done\n' in running.run('execution', 'show', execution).stdout)
    assert execution in running.run('execution').stdout
    waiting = running.popen('execution', 'wait', execution)

    kill(running, 'deaf')

    out, _ = waiting.communicate(timeout=30)
    assert waiting.returncode == 0 and 'nap (id 0)  stop: done\ndeaf (id 1)  stop: done\n' in out

    bad = running.run('start', '/bin/false', '--name', 'bad', '--no-autorestart', '--no-wait', '--json').data
    failed = running.run('execution', 'wait', bad['id'], check=False)
    assert failed.returncode == 1 and 'bad  exited 1' in failed.stdout
    assert running.run('execution', 'wait', bad['id'], '--json', check=False).data['status'] == 'failure'
    assert running.run('execution', 'wait', UNKNOWN, check=False).returncode == 3
    wrong = running.run('execution', 'wiat', check=False)
    assert wrong.returncode == 2 and "did you mean 'wait'?" in wrong.stderr
