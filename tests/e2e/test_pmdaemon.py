"""What PMDaemon's documents promise its clients, kept by the real daemon: paths, shapes, refusals, WebSocket, port."""
import asyncio
import json
import os
import signal
import socket

import jsonschema
import pytest
import requests
import websockets
from unix_api import Api

STATES = ['starting', 'online', 'stopping', 'stopped', 'errored', 'restarting']
NULL_OR = {kind: {'type': [kind, 'null']} for kind in ('integer', 'number', 'string')}
TEXT, INTEGER, NUMBER = {'type': 'string'}, {'type': 'integer'}, {'type': 'number'}


def shape(**fields):
    return {'type': 'object', 'properties': fields, 'required': list(fields)}


def listing(item):
    return {'type': 'array', 'items': item}


# process_status_to_pm2_format() of its source.
PM2_PROCESS = shape(
    pm_id={'type': 'string', 'format': 'uuid'}, name=TEXT, namespace=TEXT, version=TEXT, exec_mode=TEXT, pid=NULL_OR['integer'],
    uptime=INTEGER, created_at=INTEGER, status={'enum': STATES}, restart_time=INTEGER, cpu=NULL_OR['number'],
    memory=NULL_OR['integer'], user=NULL_OR['string'], watching={'type': 'boolean'}, instance_id=INTEGER, exec_interpreter=TEXT,
    pm_exec_path=TEXT, pm_cwd=TEXT, node_args=listing(TEXT), pm_out_log_path=TEXT, pm_err_log_path=TEXT,
    pm_pid_path=NULL_OR['string'], exit_code=NULL_OR['integer'], port=NULL_OR['integer'],
    monit=shape(memory=NULL_OR['integer'], cpu=NULL_OR['number']),
    pm2_env=shape(name=TEXT, namespace=TEXT, exec_mode=TEXT, env={'type': 'object'}, pm_id=TEXT, restart_time=INTEGER,
                  status={'enum': STATES}, port=NULL_OR['integer']))
# The pages features/web-api and api/rest-api of its documents.
DOCUMENTED = dict(id=INTEGER, name=TEXT, status={'enum': STATES}, pid=NULL_OR['integer'], port=NULL_OR['integer'],
                  cpu=NULL_OR['number'], memory=NULL_OR['integer'], uptime=INTEGER, restarts=INTEGER, health=TEXT)
SUCCESS = {'const': True}
MESSAGE = shape(success=SUCCESS, message=TEXT)
SYSTEM = shape(cpu=NULL_OR['number'], memory=shape(used=INTEGER, total=INTEGER, percentage=NUMBER),
               load_average={**listing(NUMBER), 'minItems': 3, 'maxItems': 3}, uptime=INTEGER, timestamp=TEXT)
LIST = shape(success=SUCCESS, data=listing(PM2_PROCESS), meta=shape(total=INTEGER, namespace=NULL_OR['string']),
             processes=listing(shape(**DOCUMENTED)), total=INTEGER)
ONE = shape(success=SUCCESS, data=PM2_PROCESS, config=shape(script=TEXT, args=listing(TEXT), cwd=TEXT, instances=INTEGER),
            logs=shape(out_file=TEXT, error_file=TEXT), **DOCUMENTED)
LOGS = shape(success=SUCCESS, data=shape(logs=TEXT, lines=INTEGER, process_id=TEXT),
             logs=listing(shape(timestamp=NULL_OR['string'], type={'enum': ['out', 'error']}, message=TEXT)), total_lines=INTEGER)
HOST = shape(success=SUCCESS, data=shape(system=SYSTEM), hostname=TEXT, platform=TEXT, uptime=INTEGER, timestamp=TEXT,
             cpu=shape(usage=NULL_OR['number'], cores=INTEGER, load_average=listing(NUMBER)),
             memory=shape(total=INTEGER, used=INTEGER, free=INTEGER, available=INTEGER, usage_percent=NUMBER),
             load=shape(one=NUMBER, five=NUMBER, fifteen=NUMBER),
             processes=shape(total=INTEGER, online=INTEGER, stopped=INTEGER, errored=INTEGER))
STATUS = shape(success=SUCCESS, status={'const': 'ok'}, timestamp=TEXT, version=TEXT,
               data=shape(processes=listing(PM2_PROCESS), system=SYSTEM,
                          ports=shape(allocated=listing(INTEGER), total=INTEGER),
                          meta=shape(pm2_version=TEXT, node_version=TEXT, timestamp=TEXT)))
FRONT = shape(name=TEXT, version=TEXT, description=TEXT, status={'const': 'running'},
              endpoints=shape(processes={'const': '/api/processes'}, system={'const': '/api/system'},
                              status={'const': '/api/status'}, websocket={'const': '/ws'}))
FAILURE = shape(success={'const': False}, message=TEXT, error=shape(code=TEXT, message=TEXT, details={'type': 'object'}))


def fits(value, schema):
    jsonschema.Draft202012Validator(schema).validate(value)
    return value


class Pmdaemon:
    """A client as its documents show it: the key in X-API-Key, the address that `web` has printed."""

    def __init__(self, zona, key=None):
        self.zona, self.url = zona, zona.url
        self.headers = {'X-API-Key': key or zona.key}

    def __call__(self, method, path, **options):
        headers = {**self.headers, **options.pop('headers', {})}
        return requests.request(method, self.url + path, headers=headers, timeout=20, **options)

    def get(self, path, schema, **options):
        answer = self('GET', path, **options)
        assert answer.status_code == 200, answer.text
        return fits(answer.json(), schema)

    def post(self, path, **options):
        answer = self('POST', path, **options)
        assert answer.status_code == 200, answer.text
        return fits(answer.json(), MESSAGE)['message']

    def refused(self, method, path, status, code, **options):
        answer = self(method, path, **options)
        assert answer.status_code == status, answer.text
        failure = fits(answer.json(), FAILURE)
        assert failure['error']['code'] == code
        assert failure['error']['message'] == failure['message']
        return failure['error']

    def one(self, name):
        return self.get(f'/api/processes/{name}', ONE)


@pytest.fixture
def client(open_zona):
    return Pmdaemon(open_zona())


def start(client, name, script, *args, env=None):
    app = {'name': name, 'script': '/bin/sh', 'args': ['-c', script, *args], 'env': env or {}}
    status, answer, _ = Api(client.zona)('POST', '/api/v1/processes', {'apps': [app], 'cwd': '/tmp'})
    assert status == 201, answer
    return answer['data']['processes'][0]


# PM-48
def test_the_lists_of_source_and_documents_stand_in_one_answer(client):
    start(client, 'other', 'exec sleep 1000')
    whole = client.get('/api/processes', LIST)

    assert [p['name'] for p in whole['data']] == [p['name'] for p in whole['processes']] == ['nap', 'other']
    assert whole['total'] == whole['meta']['total'] == 2
    assert {p['status'] for p in whole['data']} == {'online'}
    ours = client.zona.process('nap')
    theirs = whole['data'][0]
    assert (theirs['pm_id'], theirs['id'], theirs['pid']) == (ours['id'], ours['pm_id'], ours['pid'])


# PM-48
def test_the_filters_of_source_and_documents_filter(client):
    start(client, 'other', 'exec sleep 1000')
    client.post('/api/processes/other/stop')

    def names(query):
        return [p['name'] for p in client.get('/api/processes?' + query, LIST)['data']]
    assert names('status=online') == ['nap']
    assert names('status=stopped') == ['other']
    assert names('name=other') == ['other']
    assert names('namespace=default') == ['nap', 'other']
    assert names('namespace=elsewhere') == []
    assert names('monitoring=true&_=1727') == ['nap', 'other']


# PM-48
def test_a_process_is_found_by_uuid_pm_id_and_name(client):
    ours = client.zona.process('nap')
    for name in (ours['id'], ours['pm_id'], 'nap'):
        one = client.one(name)
        assert (one['id'], one['pid'], one['data']['pm_id']) == (ours['pm_id'], ours['pid'], ours['id'])


# PM-48, PM-01
def test_what_it_says_it_has_done_is_done(client):
    first = client.zona.process('nap')['pid']
    assert client.post('/api/processes/nap/stop') == "Process 'nap' stopped successfully"
    assert client.zona.process('nap')['pid'] is None
    assert client.post('/api/processes/nap/start') == "Process 'nap' started successfully"
    second = client.zona.process('nap')['pid']
    assert second not in (None, first)
    assert client.post('/api/processes/nap/restart') == "Process 'nap' restarted successfully"
    third = client.zona.process('nap')['pid']
    assert client.post('/api/processes/nap/reload') == "Process 'nap' reloaded successfully"
    assert len({first, second, third, client.zona.process('nap')['pid']}) == 4
    answer = client('DELETE', '/api/processes/nap')
    assert fits(answer.json(), MESSAGE)['message'] == "Process 'nap' deleted successfully"
    assert client.zona.list() == []


# PM-48
@pytest.mark.parametrize(('body', 'port'), [({'port': 3001}, '3001'), ({'port': '3001'}, '3001'), ({'port': '4000-4003'}, '4000'),
                                            ({'port': ' 4000 - 4003 '}, '4000'), ({'port_range': [4000, 4003]}, '4000'),
                                            (None, ''), ({}, ''), ({'port': None}, '')])
@pytest.mark.parametrize('verb', ['restart', 'reload'])
def test_every_form_of_a_port_reaches_the_process(client, body, port, verb):
    start(client, 'web', 'echo "at ${PORT-}"; exec sleep 1000')
    client.post(f'/api/processes/web/{verb}', json=body)

    client.zona.wait_until(lambda: [line['message'] for line in client.get('/api/processes/web/logs', LOGS)['logs']][1:] == [f'at {port}'])
    assert client.one('web')['port'] == (int(port) if port else None)
    assert client.get('/api/status', STATUS)['data']['ports'] == ({'allocated': [int(port)], 'total': 1} if port else
                                                                  {'allocated': [], 'total': 0})


# PM-48
def test_a_port_that_cannot_be_is_refused_and_nothing_is_restarted(client):
    start(client, 'fixed', 'exec sleep 1000', env={'PORT': '5000'})
    before = client.zona.process('fixed')['pid'], client.zona.process('nap')['pid']
    for port in (0, 65536, 'x', '4003-4000', '1-2-3', [1], True, ''):
        client.refused('POST', '/api/processes/nap/restart', 400, 'INVALID_CONFIGURATION', json={'port': port})
    client.refused('POST', '/api/processes/nap/restart', 400, 'INVALID_CONFIGURATION', json=[3000])
    assert 'PORT' in client.refused('POST', '/api/processes/fixed/restart', 409, 'OPERATION_FAILED', json={'port': 1})['message']
    for body, word in (({'port': 'auto:3000-3100'}, 'free ports'), ({'instances': 2}, 'instances')):
        answer = client('POST', '/api/processes/nap/restart', json=body)
        assert answer.status_code == 501 and word in answer.json()['error']['message']
    assert before == (client.zona.process('fixed')['pid'], client.zona.process('nap')['pid'])


# PM-48
def test_logs_are_a_text_and_a_list_at_both_paths(client):
    start(client, 'talk', 'echo one; echo two >&2; echo three; exec sleep 1000')

    def messages(query='', path='/api/processes/talk/logs'):
        logs = client.get(path + query, LOGS)
        assert logs['data']['logs'] == ''.join(line['message'] + '\n' for line in logs['logs'])
        assert logs['total_lines'] == len(logs['logs'])
        return [(line['type'], line['message']) for line in logs['logs']]
    out, error = [('out', 'one'), ('out', 'three')], [('error', 'two')]
    client.zona.wait_until(lambda: sorted(messages()) == sorted(out + error))
    assert messages(path='/api/logs/talk') == messages()
    for kind, wanted in (('out', out), ('stdout', out), ('error', error), ('stderr', error)):
        assert messages(f'?type={kind}') == wanted
    assert messages('?lines=1&type=out&follow=true') == out[1:]
    assert client.get('/api/processes/talk/logs?lines=7', LOGS)['data']['lines'] == 7


# PM-48
def test_the_host_is_measured_in_both_forms(client):
    host = client.get('/api/system', HOST)
    assert host['data']['system']['memory']['total'] == host['memory']['total'] > host['memory']['used'] > 0
    assert (host['processes']['total'], host['processes']['online']) == (1, 1)
    status = client.get('/api/status', STATUS)
    assert [p['name'] for p in status['data']['processes']] == ['nap']


# PM-48
def test_the_front_is_json_for_programs_and_a_page_for_browsers(client):
    for accept in ('application/json', '*/*'):
        answer = requests.get(client.url + '/', headers={'Accept': accept}, timeout=20)
        assert answer.status_code == 200
        fits(answer.json(), FRONT)
    browser = requests.get(client.url + '/', headers={'Accept': 'text/html,application/xhtml+xml,*/*;q=0.8'}, timeout=20,
                           allow_redirects=False)
    assert (browser.status_code, browser.headers['Location'], browser.headers['Vary']) == (307, '/docs', 'Accept')


# PM-48
def test_a_new_process_is_started_as_the_documents_show(client):
    body = {'name': 'test-app', 'script': '/bin/sleep', 'args': ['1000'], 'port': '3000'}
    answer = client('POST', '/api/processes', json=body)
    assert answer.status_code == 201, answer.text
    made = fits(answer.json(), shape(success=SUCCESS, message=TEXT, process=shape(**DOCUMENTED)))
    assert made['message'] == "Process 'test-app' started successfully"
    assert made['process']['port'] == 3000
    client.refused('POST', '/api/processes', 409, 'PROCESS_ALREADY_EXISTS', json=body)
    client.refused('POST', '/api/processes', 400, 'INVALID_CONFIGURATION', json={'name': 'x', 'no_such_key': 1})
    client.post('/api/processes/test-app/restart', json={'port': '3001'})
    assert client.one('test-app')['port'] == 3001


# PM-48
def test_every_documented_refusal_has_its_code_and_status(client):
    zona = client.zona
    for method, path in (('GET', ''), ('DELETE', ''), ('POST', '/start'), ('POST', '/stop'), ('POST', '/restart'), ('POST', '/reload'),
                         ('GET', '/logs')):
        error = client.refused(method, '/api/processes/no-such' + path, 404, 'PROCESS_NOT_FOUND')
        assert error['details']['requested_id'] == 'no-such'
    client.refused('GET', '/api/logs/no-such', 404, 'PROCESS_NOT_FOUND')
    client.refused('POST', '/api/processes/nap/start', 409, 'PROCESS_ALREADY_RUNNING')
    client.refused('GET', '/api/processes/nap/logs?lines=many', 400, 'INVALID_CONFIGURATION')
    start(client, 'short', 'test -e go || exec sleep 1000; exit 3')
    client.post('/api/processes/short/stop')
    script = zona.write('once.sh', '#!/bin/sh\ntest -e "$0.fail" && exit 3\nexec sleep 1000\n', 0o755)
    zona.run('start', script, '--name', 'once', '--no-autorestart')
    zona.write('once.sh.fail', '')
    client.refused('POST', '/api/processes/once/restart', 400, 'OPERATION_FAILED')
    client.refused('POST', '/api/processes/once/start', 400, 'PROCESS_START_FAILED')
    nobody = Pmdaemon(zona, 'x')
    nobody.refused('GET', '/api/processes', 401, 'UNAUTHENTICATED')
    nobody.refused('POST', '/api/processes/nap/stop', 401, 'UNAUTHENTICATED')
    assert zona.process('nap')['status'] == 'online'


# PM-48, PM-51
def test_selectors_are_names_here_and_reach_nothing_else(client):
    for selector in ('all', 'ns:default', '%2Fnap%2F', 'default'):
        client.refused('DELETE', '/api/processes/' + selector, 404, 'PROCESS_NOT_FOUND')
    assert client.zona.process('nap')['status'] == 'online'


# PM-48
def test_the_lines_of_its_readme_work(client):
    """The curl lines and the Python program of its documents, but for address and key."""
    key = client.zona.key
    for headers in ({'Authorization': f'Bearer {key}'}, {'Authorization': f'ApiKey {key}'}, {'X-API-Key': key}):
        response = requests.get(client.url + '/api/processes', headers=headers, timeout=20)
        assert response.json()['data'][0]['name'] == 'nap'
    headers = {'X-API-Key': key}
    result = requests.post(client.url + '/api/processes/nap/restart', headers=headers, timeout=20).json()
    assert result['success']
    result = requests.post(client.url + '/api/processes/nap/stop', headers=headers, timeout=20).json()
    assert result['success']
    result = requests.post(client.url + '/api/processes/nap/start', headers={'Authorization': f'Bearer {key}'}, timeout=20).json()
    assert result['success']


class Socket:
    """A client of /ws that reads until it has what it waits for."""

    def __init__(self, zona, key):
        self.uri = zona.url.replace('http', 'ws') + '/ws'
        self.key = key

    async def __aenter__(self):
        self.socket = await websockets.connect(self.uri, extra_headers={'Authorization': f'Bearer {self.key}'})
        return self

    async def __aexit__(self, *_):
        await self.socket.close()

    async def say(self, kind, **data):
        await self.socket.send(json.dumps({'type': kind, 'data': data}))

    async def until(self, kind, **fields):
        """The next message of that type whose fields are these."""
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), 20))
            inner = message.get('data', message)
            if message['type'] == kind and all(inner.get(name) == value for name, value in fields.items()):
                return message


def talk(client, conversation, key=None):
    async def run():
        async with Socket(client.zona, key or client.zona.key) as socket:
            await conversation(socket)
    asyncio.run(asyncio.wait_for(run(), 60))


STATUS_OF_SOURCE = shape(id={'type': 'string', 'format': 'uuid'}, name=TEXT, state={'enum': STATES}, pid=NULL_OR['integer'],
                         uptime=NULL_OR['string'], restarts=INTEGER, cpu_usage=NULL_OR['number'], memory_usage=NULL_OR['integer'],
                         exit_code=NULL_OR['integer'], error=NULL_OR['string'], namespace=TEXT, instance=INTEGER,
                         assigned_port=NULL_OR['integer'])
METRICS = shape(cpu_usage=NULL_OR['number'], memory_usage=INTEGER, memory_total=INTEGER, memory_percent=NUMBER, memory_used=INTEGER,
                load_average=listing(NUMBER), uptime=INTEGER, timestamp=TEXT)


def enveloped(kind, data):
    return shape(type={'const': kind}, data=data, timestamp=TEXT, id=TEXT)


# PM-55, PM-69
def test_the_socket_speaks_as_the_source_until_somebody_subscribes(client):
    async def conversation(socket):
        first = json.loads(await socket.socket.recv())
        fits(first, shape(type={'const': 'ProcessList'}, processes=listing(STATUS_OF_SOURCE)))
        assert [p['name'] for p in first['processes']] == ['nap']
        await asyncio.to_thread(client.post, '/api/processes/nap/stop')
        while (await socket.until('ProcessUpdate'))['process']['state'] != 'stopped':
            pass
        fits((await socket.until('SystemUpdate'))['metrics'], METRICS)
        later = await socket.until('ProcessList')
        assert [(p['name'], p['state'], p['pid']) for p in later['processes']] == [('nap', 'stopped', None)]
    talk(client, conversation)


# PM-55, PM-69
def test_the_socket_speaks_as_the_documents_once_subscribed(client):
    start(client, 'other', 'exec sleep 1000')

    async def conversation(socket):
        await socket.say('subscribe', events=['process_status', 'process_event', 'process_metrics', 'system_metrics'],
                         processes=['nap'], interval=100)
        metrics = await socket.until('process_metrics')
        item = shape(id=INTEGER, name={'const': 'nap'}, cpu=NULL_OR['number'], memory=NULL_OR['integer'], uptime=INTEGER, restarts=INTEGER)
        fits(metrics, enveloped('process_metrics', shape(processes={**listing(item), 'minItems': 1, 'maxItems': 1})))
        system = await socket.until('system_metrics')
        fits(system, enveloped('system_metrics', shape(cpu=shape(usage=NULL_OR['number'], cores=INTEGER),
                                                       memory=shape(total=INTEGER, used=INTEGER, available=INTEGER, usage_percent=NUMBER),
                                                       load=shape(one=NUMBER, five=NUMBER, fifteen=NUMBER))))
        await asyncio.to_thread(client.post, '/api/processes/other/stop')
        await asyncio.to_thread(client.post, '/api/processes/nap/stop')
        stopped = await socket.until('process_status', status='stopped')
        fits(stopped, enveloped('process_status', shape(id=INTEGER, name={'const': 'nap'}, status=TEXT, pid={'type': 'null'},
                                                        port=NULL_OR['integer'], previous_status={'enum': STATES})))
        assert (await socket.until('process_event'))['data']['event'] == 'stopped'
        await asyncio.to_thread(client.post, '/api/processes/nap/start')
        online = await socket.until('process_status', status='online')
        assert online['data']['previous_status'] == 'starting'
        assert online['data']['pid'] == client.zona.process('nap')['pid']
        await socket.say('unsubscribe', events=['process_status', 'process_metrics', 'process_event'])
        await socket.say('unsubscribe')
        await socket.say('get_system')
        await socket.until('system_info')
    talk(client, conversation)


# PM-55
def test_the_socket_takes_commands_and_questions(client):
    async def conversation(socket):
        before = client.zona.process('nap')['pid']
        await socket.say('command', action='restart', process='nap')
        assert (await socket.until('command_result'))['data']['message'] == "Process 'nap' restarted successfully"
        assert client.zona.process('nap')['pid'] != before
        await socket.say('command', action='start', process='new-service', config={'script': '/bin/sleep', 'args': ['1000'], 'port': '3002'})
        assert (await socket.until('command_result'))['data']['process'] == 'new-service'
        await socket.say('get_info', process='new-service')
        info = await socket.until('process_info')
        assert (info['data']['port'], info['data']['status'], info['data']['config']['args']) == (3002, 'online', ['1000'])
        await socket.say('command', action='delete', process='new-service')
        await socket.until('command_result')
        assert [p['name'] for p in client.zona.list()] == ['nap']
    talk(client, conversation)


# PM-55, PM-62
@pytest.mark.parametrize(('message', 'code', 'word'), [
    ('{', 'INVALID_CONFIGURATION', ''), ('[]', 'INVALID_CONFIGURATION', 'subscribe'),
    ('{"type":"dance"}', 'INVALID_CONFIGURATION', 'dance'),
    ('{"type":"subscribe","data":{"events":["no_such"]}}', 'INVALID_CONFIGURATION', 'no_such'),
    ('{"type":"subscribe","data":{"events":["log_message"]}}', 'INVALID_CONFIGURATION', '/api/v1/logs'),
    ('{"type":"subscribe","data":{"events":1}}', 'INVALID_CONFIGURATION', 'events'),
    ('{"type":"subscribe","data":{"interval":1}}', 'INVALID_CONFIGURATION', 'interval'),
    ('{"type":"command","data":{"action":"stop","process":"all"}}', 'PROCESS_NOT_FOUND', 'all'),
    ('{"type":"command","data":{"action":"burn","process":"nap"}}', 'INVALID_CONFIGURATION', 'action'),
    ('{"type":"get_info","data":{"process":"no-such"}}', 'PROCESS_NOT_FOUND', 'no-such'),
    ('{"type":"get_info"}', 'INVALID_CONFIGURATION', 'process')])
def test_a_wrong_message_is_answered_and_changes_nothing(client, message, code, word):
    async def conversation(socket):
        await socket.socket.send(message)
        error = await socket.until('Error')
        assert error['data']['code'] == code
        assert word in error['message'] == error['data']['message']
        assert client.zona.process('nap')['status'] == 'online'
        await socket.say('get_info', process='nap')
        await socket.until('process_info')
    talk(client, conversation)


# PM-58
def test_a_viewers_key_watches_and_commands_nothing(client):
    made = client('POST', '/api/v1/keys', json={'name': 'watcher', 'scope': 'viewer'}).json()['data']
    before = client.zona.list()
    refusal = enveloped('Error', shape(code={'const': 'PERMISSION_DENIED'}, message=TEXT))

    async def watch(socket):
        assert [p['name'] for p in (await socket.until('ProcessList'))['processes']] == ['nap']
        for action in ('start', 'stop', 'restart', 'reload', 'delete', 'no-such'):
            for more in ({}, {'process': 'nap'}, {'process': 'new', 'config': {'script': '/bin/sleep', 'args': ['1000']}}):
                await socket.say('command', action=action, **more)
                error = fits(await socket.until('Error'), refusal)
                assert error['message'] == error['data']['message'] == "the key is a viewer's, which may only read"
        await socket.say('get_info', process='nap')
        assert (await socket.until('process_info'))['data']['status'] == 'online'
    talk(client, watch, made['key'])
    assert [(p['name'], p['pid'], p['restarts']) for p in client.zona.list()] == [(p['name'], p['pid'], p['restarts']) for p in before]


# PM-55, PM-58
def test_an_admins_key_commands_what_a_viewers_watches(client):
    keys = {scope: client('POST', '/api/v1/keys', json={'name': scope, 'scope': scope}).json()['data']['key'] for scope in ('viewer', 'admin')}

    async def both():
        async with Socket(client.zona, keys['viewer']) as viewer, Socket(client.zona, keys['admin']) as admin:
            await viewer.until('ProcessList')
            for action, state in (('stop', 'stopped'), ('start', 'online')):
                await admin.say('command', action=action, process='nap')
                assert (await admin.until('command_result'))['data']['action'] == action
                while (await viewer.until('ProcessUpdate'))['process']['state'] != state:
                    pass
    asyncio.run(asyncio.wait_for(both(), 60))


# PM-51, PM-56, PM-58
def test_the_socket_needs_a_key(client):
    for key in ('', 'wrong'):
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            talk(client, None, key or 'x')
        assert refused.value.status_code == 401


# HTTP-01
def test_a_second_address_serves_pmdaemons_clients(new_zona):
    zona = new_zona(env={'ZONA_API_LISTEN': '127.0.0.1:0', 'ZONA_API_PMDAEMON_LISTEN': '127.0.0.1:0'})
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    network = zona.ping()['network']
    assert network['problem'] is None and network['address'] != network['pmdaemon']
    zona.key = (zona.home / 'api-key').read_text().strip()
    zona.url = f"http://{network['pmdaemon']}"
    client = Pmdaemon(zona)
    assert [p['name'] for p in client.get('/api/processes', LIST)['data']] == ['nap']
    before = zona.daemon_pid()
    os.kill(before, signal.SIGKILL)
    # The keeper holds both sockets: nobody is refused meanwhile.
    assert client.one('nap')['status'] == 'online'
    zona.wait_until(lambda: zona.daemon_pid() != before)
    assert zona.ping()['network'] == network


# HTTP-01
def test_one_more_address_is_listened_on_while_zona_runs(client):
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        address = '127.0.0.1:%d' % probe.getsockname()[1]
    api = Api(client.zona)
    for _ in range(2):
        status, answer, _ = api('POST', '/api/v1/listeners', {'address': address})
        assert (status, answer['data']) == (201, {'address': address})
    assert client.zona.ping()['network']['pmdaemon'] == address
    client.url = 'http://' + address
    assert client.one('nap')['status'] == 'online'
    with socket.create_server(('127.0.0.1', 0)) as taken:
        status, answer, _ = api('POST', '/api/v1/listeners', {'address': '127.0.0.1:%d' % taken.getsockname()[1]})
        assert (status, answer['error']['code']) == (409, 'CONFLICT')
    for wrong in ('localhost:1', '0.0.0.0:0', 'x'):
        status, answer, _ = api('POST', '/api/v1/listeners', {'address': wrong})
        assert (status, answer['error']['code']) == (400, 'INVALID_ARGUMENT')


# HTTP-01, PM-51
def test_zona_web_opens_the_address_and_says_where_the_key_is(client):
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    answer = client.zona.run('web', '--port', port, '--host', 'localhost')
    client.url = f'http://127.0.0.1:{port}'
    assert answer.stdout.splitlines()[0] == client.url
    assert f'{client.zona.home}/api-key' in answer.stdout + answer.stderr and client.zona.key not in answer.stdout + answer.stderr
    assert client.one('nap')['status'] == 'online'
    for flag in ('--api-key=secret', '--api-key'):
        refused = client.zona.run('web', flag, 'secret', check=False)
        assert refused.returncode == 2 and '--key-file' in refused.stderr and 'secret' not in refused.stderr
