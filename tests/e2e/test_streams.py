"""What happens to processes and what they write, told as it happens: WebSocket, server-sent events, raw bytes."""
import asyncio
import contextlib
import functools
import json
import os
import re
import signal
import socket

import jsonschema
import pytest
import requests
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatusCode

from waiting import FACTOR, wait_until
from websocket_wire import CLOSE, TEXT, FrameWire, frame

LONG = 30 * FACTOR
PROTOCOL = 'zona.v1'


@functools.cache
def document_of(url):
    return requests.get(url + '/openapi.json', timeout=20).json()


class Stream:
    """A client of /api/v1/stream. Every frame that it gets is held against its published schema."""

    def __init__(self, zona, key=None, protocols=(PROTOCOL,), headers=None):
        url = zona.url.replace('http', 'ws') + '/api/v1/stream'
        given = {'Authorization': f'Bearer {key or zona.key}'} if headers is None else headers
        self.loop = asyncio.new_event_loop()   # runs only while something is waited for: nothing is read otherwise
        try:
            self.socket = self.wait(self.connect(url, subprotocols=list(protocols), extra_headers=given, ping_interval=None))
        except BaseException:
            self.loop.close()
            raise
        document = document_of(zona.url)
        spec = document['paths']['/api/v1/stream']['get']['x-websocket']
        self.schemas = document['components']['schemas']
        self.shapes = {}
        for one in spec['server']['oneOf']:
            name = one['$ref'].rpartition('/')[2]
            schema = {**self.schemas[name], 'components': {'schemas': self.schemas}}
            self.shapes[self.schemas[name]['properties']['type']['enum'][0]] = jsonschema.Draft202012Validator(schema)

    @staticmethod
    async def connect(url, **options):
        return await websockets.connect(url, **options)

    def wait(self, task):
        return self.loop.run_until_complete(asyncio.wait_for(task, LONG))

    def send_text(self, text):
        self.wait(self.socket.send(text))

    def send(self, type, **fields):
        self.send_text(json.dumps({'type': type, **fields}))

    def receive(self):
        frame = json.loads(self.wait(self.socket.recv()))
        self.shapes[frame['type']].validate(frame)
        return frame

    def until(self, wanted):
        """The frames up to the first that `wanted` takes."""
        frames = []
        while not frames or not wanted(frames[-1]):
            frames.append(self.receive())
        return frames

    def subscribe(self, id='a', **fields):
        self.send('subscribe', id=id, **fields)
        first = self.receive()
        assert first['type'] == 'subscribed', first
        return first

    def flush(self):
        """What the server had sent before it answered a ping."""
        self.send('ping', id='flush')
        return self.until(lambda f: f['type'] == 'pong')[:-1]

    def close(self):
        if not self.loop.is_closed():
            self.wait(self.socket.close())
            self.loop.close()


@pytest.fixture
def zona(open_zona):
    return open_zona()


@pytest.fixture
def stream(zona):
    with contextlib.closing(Stream(zona)) as it:
        yield it


def is_log(line):
    return lambda frame: frame['type'] == 'log' and frame['data']['line'] == line


# PM-54, PM-55
def test_a_subscriber_gets_the_present_state_then_every_change(zona, stream):
    sequence = stream.subscribe(topics=['processes', 'events'])['sequence']
    present = stream.receive()
    assert (present['type'], present['data']['name'], present['data']['status']) == ('process', 'nap', 'online')

    zona.run('stop', 'nap')
    frames = stream.until(lambda f: f['type'] == 'process' and f['data']['status'] == 'stopped')
    events = [f['data'] for f in frames if f['type'] == 'event']
    assert [e['exit']['requested'] for e in events if e['event'] == 'exit'] == [True]
    assert [e['to'] for e in events if e['event'] == 'status'][-1] == 'stopped'
    zona.run('delete', 'nap')
    frames += stream.until(lambda f: f['type'] == 'deleted')
    assert frames[-1]['data'] == {'pm_id': present['data']['pm_id']}
    sequences = [f['sequence'] for f in frames]
    assert sequences == list(range(sequence + 1, sequence + 1 + len(frames)))


# PM-55
def test_selectors_hold_for_what_begins_later(zona, stream):
    stream.subscribe(topics=['processes'], select=['nap', '/^late/'])
    assert stream.receive()['data']['name'] == 'nap'

    zona.run('start', '/bin/sleep', '--name', 'other', '--', '1000')
    zona.run('start', '/bin/sleep', '--name', 'late', '--', '1000')
    frames = stream.until(lambda f: f['data']['name'] == 'late')
    assert {f['data']['name'] for f in frames} == {'late'}


# PM-55
def test_with_an_interval_only_the_newest_state_is_told(zona, stream):
    stream.subscribe('slow', topics=['processes'], interval_ms=3_600_000)
    stream.receive()
    zona.run('restart', 'nap')
    zona.run('stop', 'nap')
    assert stream.flush() == []
    stream.send('unsubscribe', id='slow')
    assert stream.receive() == {'type': 'unsubscribed', 'id': 'slow'}

    stream.subscribe('quick', topics=['processes'], interval_ms=1)
    stream.receive()
    zona.run('start', 'nap')
    stream.until(lambda f: f['data']['status'] == 'online')


# PM-54, PM-19
def test_logs_come_line_by_line_and_resume_at_a_cursor(zona, stream):
    zona.run('start', '/bin/sh', '--name', 'talk', '--stdin', '--', '-c', 'while read line; do echo "$line"; done')
    zona.run('send', 'talk', 'one')
    stream.subscribe(topics=['logs'], select=['talk'], lines=10, stream='out')
    frames = stream.until(lambda f: f['type'] == 'cursor')
    assert [f['data']['line'] for f in frames if f['type'] == 'log'] == ['one']
    zona.run('send', 'talk', 'two')
    assert stream.until(is_log('two'))[-1]['id'] == 'a'
    stream.close()
    zona.run('send', 'talk', 'three')

    with contextlib.closing(Stream(zona)) as again:
        again.subscribe(topics=['logs'], select=['talk'], cursor=frames[-1]['cursor'], stream='out')
        lines = [f['data']['line'] for f in again.until(is_log('three')) if f['type'] == 'log']
    assert lines == ['two', 'three']


# PM-19
def test_logs_of_a_process_that_begins_later_come_whole(zona, stream):
    stream.subscribe(topics=['logs'], select=['all'])
    zona.run('start', '/bin/sh', '--name', 'late', '--', '-c', 'seq 1 1000; exec sleep 1000')
    lines = [f['data']['line'] for f in stream.until(is_log('1000')) if f['type'] == 'log']
    assert lines == [str(i) for i in range(1, 1001)]


# PM-54
def test_what_is_wrong_with_a_message_is_said_and_changes_nothing(stream):
    wrong = [('{', None, 'message'), ('[]', None, 'object'), ('{"type":"subscrib"}', None, 'subscribe'),
             ('{"id":"x"}', 'x', 'type'),
             ('{"type":"subscribe","id":"x","topics":["process"]}', 'x', 'processes'),
             ('{"type":"subscribe","id":"x","topic":["events"]}', 'x', 'topics'),
             ('{"type":"subscribe","id":"x","topics":[]}', 'x', 'topics'),
             ('{"type":"subscribe","id":"x","topics":["logs"],"since":"never"}', 'x', 'since'),
             ('{"type":"subscribe","id":"x","topics":["logs"],"select":["nop"]}', 'x', 'nap'),
             ('{"type":"subscribe","id":"x","topics":["logs"],"cursor":"???"}', 'x', 'cursor'),
             ('{"type":"unsubscribe","id":"nobody"}', 'nobody', 'nobody')]
    for text, id, word in wrong:
        stream.send_text(text)
        frame = stream.until(lambda f: f['type'] != 'subscribed')[-1]
        assert (frame['type'], frame['id']) == ('error', id), (text, frame)
        if word != 'message':
            assert word in json.dumps(frame['error']), (text, frame)
        if id == 'x':
            stream.send_text('{"type":"unsubscribe","id":"x"}')
            assert stream.receive()['type'] in ('error', 'unsubscribed')
    assert stream.flush() == []


def test_the_limits_of_a_socket_are_told(stream):
    for number in range(16):
        stream.subscribe(f's{number}', topics=['events'])
    stream.send('subscribe', id='s0', topics=['events'])
    assert stream.receive()['error']['code'] == 'CONFLICT'
    stream.send('subscribe', id='one more', topics=['events'])
    assert stream.receive()['error']['code'] == 'TOO_MANY_REQUESTS'
    stream.send_text('x' * 70_000)
    with pytest.raises(ConnectionClosed) as closed:
        stream.receive()
    assert closed.value.rcvd.code == 1009


# PM-56, PM-51
def test_an_upgrade_needs_a_key_and_takes_it_where_a_browser_can_put_it(zona):
    with pytest.raises(InvalidStatusCode) as refused:
        Stream(zona, headers={})
    assert refused.value.status_code == 401
    with contextlib.closing(Stream(zona, headers={}, protocols=[PROTOCOL, f'zona.key.{zona.key}'])) as it:
        assert it.socket.subprotocol == PROTOCOL
        it.subscribe(topics=['processes'])
        assert it.receive()['data']['name'] == 'nap'


# HTTP-14
def test_a_viewers_key_may_follow(zona):
    made = requests.post(zona.url + '/api/v1/keys', headers={'X-API-Key': zona.key}, timeout=20,
                         json={'name': 'watcher', 'scope': 'viewer'}).json()['data']
    with contextlib.closing(Stream(zona, key=made['key'])) as it:
        it.subscribe(topics=['processes', 'events', 'logs'])
        assert it.receive()['data']['name'] == 'nap'


# PM-55
def test_a_client_resumes_without_loss(zona, stream):
    stream.subscribe(topics=['processes', 'events'])
    with contextlib.closing(Stream(zona)) as leaving:
        seen = leaving.subscribe(topics=['processes', 'events'])['sequence']
        leaving.receive()
    zona.run('restart', 'nap')
    expected = stream.until(lambda f: f['sequence'] > seen and f['type'] == 'process' and f['data']['status'] == 'online')

    with contextlib.closing(Stream(zona)) as again:
        again.subscribe(topics=['processes', 'events'], resume_after=seen)
        frames = again.until(lambda f: f['sequence'] == expected[-1]['sequence'])
    assert frames == [f for f in expected if f['sequence'] > seen]


# PM-55, REL-20
def test_after_the_death_of_the_daemon_a_client_learns_that_it_missed_something(zona, stream):
    seen = stream.subscribe(topics=['processes'])['sequence']
    pid = zona.daemon_pid()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ConnectionClosed):
        stream.until(lambda f: False)
    wait_until(lambda: zona.daemon_pid() != pid)

    with contextlib.closing(Stream(zona)) as again:
        assert again.subscribe(topics=['processes'], resume_after=seen)['sequence'] > seen
        assert again.receive() == {'type': 'lost', 'id': 'a', 'count': None}
        assert again.receive()['data']['name'] == 'nap'


def test_a_drain_ends_a_stream_with_1001(zona, stream):
    stream.subscribe(topics=['processes'])
    zona.run('kill')
    with pytest.raises(ConnectionClosed) as closed:
        stream.until(lambda f: False)
    assert closed.value.rcvd.code == 1001


# PM-55, PM-69
def test_one_of_many_clients_that_does_not_read_holds_up_nobody(open_zona):
    zona = open_zona(ZONA_API_MAX_CONNECTIONS_PER_ADDRESS='400')
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(contextlib.closing(Stream(zona))) for _ in range(200)]
        for one in streams:
            one.subscribe(topics=['processes', 'events'])
        for _ in range(10):
            zona.run('reset', 'nap')
        zona.run('stop', 'nap')
        for one in streams[1:]:   # the first one never reads
            frames = one.until(lambda f: f['type'] == 'process' and f['data']['status'] == 'stopped')
            sequences = [f['sequence'] for f in frames[1:]]
            assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))


def with_small_buffers(zona):
    """A `connect` for a client that takes little before it is read from."""
    def connect():
        host, port = zona.url.removeprefix('http://').split(':')
        it = socket.socket()
        it.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        it.connect((host, int(port)))
        return it
    return connect


# PM-55, PM-69
@pytest.mark.parametrize('path, question', [
    ('/api/v1/stream', {'type': 'ping', 'id': 'q' * 60}), ('/ws', {'type': 'get_info', 'data': {'process': 'nap'}})], ids=['stream', 'ws'])
def test_a_client_that_does_not_keep_up_is_told_to_come_back_and_no_other_misses_anything(zona, path, question):
    zona.run('start', '/bin/sleep', '--name', 'many', '-i', '16', '--', '1000')

    def dropped():
        text = requests.get(zona.url + '/api/v1/metrics', headers={'X-API-Key': zona.key}, timeout=LONG).text
        return int(re.search(r'^zona_broadcast_dropped_total{hub="processes"} (\d+)$', text, re.M)[1])
    key = f'X-API-Key: {zona.key}\r\n'.encode()
    with contextlib.closing(Stream(zona)) as reader, FrameWire(with_small_buffers(zona), path.encode(), key) as slow:
        begin = reader.subscribe(topics=['events', 'processes'], select=['many'])['sequence']
        if path == '/api/v1/stream':
            slow.send(frame(TEXT, b'{"type":"subscribe","id":"a","topics":["events"]}'))
        # Answers that it does not read stand before the news.
        slow.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            while True:
                slow.socket.sendall(frame(TEXT, json.dumps(question).encode()) * 100)
        slow.socket.settimeout(LONG)
        frames = reader.flush()
        while dropped() == 0:
            zona.run('restart', 'many')
            frames += reader.flush()
        while (close := slow.frame()).opcode != CLOSE:
            pass
        assert (close.code, close.reason) == (1013, 'too slow: more than 256 messages or 1048576 bytes were waiting')

        zona.run('stop', 'many')
        frames += reader.flush()
        news = [f['sequence'] for f in frames if f['sequence'] > begin]
        assert news == list(range(begin + 1, begin + 1 + len(news))) and len(news) > 256


def events_of(answer):
    """(id, event, data) of a stream of server-sent events."""
    id, event, data = None, None, []
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        if not line:
            if data:
                yield id, event, json.loads('\n'.join(data))
            event, data = None, []
        elif line.startswith('id: '):
            id = line[4:]
        elif line.startswith('event: '):
            event = line[7:]
        elif line.startswith('data: '):
            data.append(line[6:])


def open_events(zona, path, **headers):
    return requests.get(zona.url + path, stream=True, timeout=LONG,
                        headers={'X-API-Key': zona.key, 'Accept': 'text/event-stream', **headers})


# PM-55
def test_events_of_processes_come_as_server_sent_events_and_resume(zona):
    with open_events(zona, '/api/v1/events?select=nap') as answer:
        assert answer.headers['Content-Type'].startswith('text/event-stream')
        events = events_of(answer)
        assert next(events)[1:2] == ('process',)
        id, kind, _ = next(events)
        assert kind == 'current'
        with open_events(zona, '/api/v1/events', **{'Last-Event-ID': id}) as second:
            zona.run('stop', 'nap')
            told = []
            for one in events_of(second):
                told.append(one[1])
                if one[1] == 'process' and one[2]['status'] == 'stopped':
                    break
    assert 'event' in told and 'lost' not in told and 'current' not in told
    with open_events(zona, '/api/v1/events', **{'Last-Event-ID': '12'}) as answer:
        assert next(events_of(answer))[1:] == ('lost', {'count': None})


# PM-19
def test_logs_as_server_sent_events_resume_by_their_ids(zona):
    zona.run('start', '/bin/sh', '--name', 'talk', '--stdin', '--', '-c', 'while read line; do echo "$line"; done')
    zona.run('send', 'talk', 'one')
    with open_events(zona, '/api/v1/logs?select=talk&lines=10&stream=out') as answer:
        events = events_of(answer)
        assert next(events)[2]['line'] == 'one'
        id, kind, data = next(events)
        assert (kind, data) == ('cursor', {'cursor': id})
    zona.run('send', 'talk', 'two')
    with open_events(zona, '/api/v1/logs?select=talk&lines=10&stream=out', **{'Last-Event-ID': id}) as answer:
        assert next(events_of(answer))[2]['line'] == 'two'


# PM-19
def test_raw_logs_are_the_bytes_of_the_file(zona):
    zona.run('start', '/bin/sh', '--name', 'bytes', '--no-autorestart', '--',
             '-c', r'printf "a\000\377\r\n"; seq 1 100000; printf "no end"', check=False)
    wait_until(lambda: zona.process('bytes')['status'] == 'stopped')
    wanted = open(zona.process('bytes')['out_file'], 'rb').read()
    headers = {'X-API-Key': zona.key}
    answer = requests.get(f'{zona.url}/api/v1/logs?select=bytes&stream=out&lines=1000000&format=raw', headers=headers, timeout=LONG)
    assert answer.headers['Content-Type'].startswith('text/plain')
    assert answer.content == wanted
    refused = requests.get(f'{zona.url}/api/v1/logs?format=raw', headers=headers, timeout=20)
    assert (refused.status_code, 'stream=out' in refused.text) == (400, True)
