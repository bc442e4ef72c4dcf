"""WebSockets that break the rules: each gets its exact close code, and who keeps them notices nothing."""
import json
import os
import socket
import struct

import pytest

from waiting import wait_until
from websocket_wire import (BINARY, CLOSE, CONTINUATION, KEY, MORE, PING, PONG, TEXT, VERSION, FrameWire, close_frame, frame, frame_head,
                            handshake)

PATHS = [b'/api/v1/stream', b'/ws']
LIMITS = dict(zip(PATHS, (64 << 10, 256 << 10)))   # of one message
LIMIT = LIMITS[PATHS[0]]
SUBSCRIBE = b'{"type":"subscribe","id":"a","topics":["processes","events","logs"]}'
FLOOD = 'more than 60 pings, pongs and closes within 10000 ms'
NORMAL, PROTOCOL, NO_JSON, BAD_TEXT, POLICY, TOO_BIG = 1000, 1002, 1003, 1007, 1008, 1009


class Bystander:
    """A client that does nothing wrong, on a socket and connections of its own."""

    def __init__(self, target):
        self.target, self.wire = target, FrameWire(target.connect)

    def is_served(self):
        self.wire.send(frame(TEXT, b'{"type":"ping","id":"here"}'))
        pong = self.wire.until(TEXT, CLOSE)
        assert pong and json.loads(pong.payload) == {'type': 'pong', 'id': 'here'}, pong
        return self.target.ask(b'GET /api/v1/ping HTTP/1.1\r\nHost: localhost\r\n\r\n').status == 200


@pytest.fixture
def bystander(target):
    it = Bystander(target)
    with it.wire:
        yield it
        assert it.is_served()


def closed_for(target, data, path=PATHS[0], answer=b''):
    """(code, reason) that the server closes with, and nothing behind it. What it says before is thrown away; `answer` is sent to its
    close frame."""
    with FrameWire(target.connect, path) as wire:
        wire.send(data)
        close = wire.until(CLOSE)
        assert close is not None, 'the connection ended without a close frame'
        wire.send(answer)
        assert wire.is_closed(), 'something comes behind the close frame'
        return close.code, close.reason


MALFORMED = {
    'not masked': b'\x81\x02hi',
    'a reserved bit of text': b'\xc1\x80\0\0\0\0',
    'the second reserved bit': b'\xa1\x80\0\0\0\0',
    'the third reserved bit of a ping': b'\x99\x80\0\0\0\0',
    'a reserved kind of data': b'\x83\x80\0\0\0\0',
    'a reserved kind of control': b'\x8b\x80\0\0\0\0',
    'the rest of no message': frame(CONTINUATION, b'x'),
    'a message within another': frame(TEXT, b'{', MORE) + frame(TEXT, b'}'),
    'a rest behind the last fragment': frame(TEXT, b'[', MORE) + frame(CONTINUATION, b']') + frame(CONTINUATION, b']'),
    'a ping in fragments': frame(PING, b'x', MORE),
    'a close in fragments': frame(CLOSE, b'', MORE),
    'a ping of 126 bytes': frame(PING, b'x' * 126),
    'a pong that announces 1 GB': frame_head(PONG, 1 << 30),
    'a close of 126 bytes': close_frame(1000, b'x' * 124),
    'a length longer than need be': b'\x81\xfe\0\x05\0\0\0\0hello',
    'a close of one byte': frame(CLOSE, b'x'),
    'a close with the code of no code': close_frame(1005),
    'a close with a code of nobody': close_frame(999),
    'a close with a reason that is no text': close_frame(1000, b'\xff'),
    'a request of HTTP': b'POST /api/v1/operations HTTP/1.1\r\nHost: localhost\r\n\r\n',
}


@pytest.mark.parametrize('path', PATHS, ids=bytes.decode)
@pytest.mark.parametrize('what', MALFORMED)
def test_malformed_frames_end_the_socket(target, bystander, what, path):
    assert closed_for(target, MALFORMED[what], path) == (PROTOCOL, '')


@pytest.mark.parametrize('path', PATHS, ids=bytes.decode)
@pytest.mark.parametrize('text', [b'\xc3\x28', b'\xed\xa0\x80', b'\xc0\xaf', b'\xf4\x90\x80\x80', b'cut \xc3'], ids=repr)
def test_a_text_that_is_not_utf_8_ends_the_socket(target, bystander, text, path):
    for data in (frame(TEXT, text), frame(TEXT, text[:1], MORE) + frame(CONTINUATION, text[1:])):
        assert closed_for(target, data, path) == (BAD_TEXT, '')


@pytest.mark.parametrize('path', PATHS, ids=bytes.decode)
def test_a_text_whose_cut_is_hidden_by_an_empty_fragment_ends_the_socket(target, bystander, path):
    data = frame(TEXT, b'cut \xc3', MORE) + frame(CONTINUATION, b'')
    assert closed_for(target, data, path) == (BAD_TEXT, 'the text is not UTF-8')


# PM-54
def test_bytes_where_json_is_spoken_end_the_socket(target, bystander):
    for path in PATHS:
        told = closed_for(target, frame(BINARY, b'{"type":"ping","id":"x"}'), path, close_frame(NO_JSON))
        assert told == (NO_JSON, 'messages are JSON texts')


@pytest.mark.parametrize('code', [NORMAL, 1001, 1011, 3000, 4999])
def test_a_close_is_answered_with_its_code(target, bystander, code):
    assert closed_for(target, close_frame(code, b'bye')) == (code, '')


@pytest.mark.parametrize('path', PATHS, ids=bytes.decode)
@pytest.mark.parametrize('data', [
    frame_head(TEXT, 1 << 30), frame_head(BINARY, 1 << 30), frame_head(TEXT, (1 << 63) - 1), frame(TEXT, b'x', MORE) + frame_head(CONTINUATION, 1 << 30)],
    ids=['1 GB of text', '1 GB of bytes', 'all that can be said', 'a fragment of 1 GB'])
def test_a_message_that_is_too_big_ends_the_socket_before_it_is_sent(target, bystander, data, path):
    assert closed_for(target, data, path) == (TOO_BIG, '')
    assert closed_for(target, frame_head(TEXT, LIMITS[path] + 1), path) == (TOO_BIG, '')
    assert closed_for(target, frame(TEXT, b'x' * LIMITS[path], MORE) + frame_head(CONTINUATION, 1), path) == (TOO_BIG, '')


def test_the_largest_message_is_no_attack(target, bystander):
    text = b'{"type":"ping","id":"x"}'
    with FrameWire(target.connect) as wire:
        for data in (frame(TEXT, text + b' ' * (LIMIT - len(text))),
                     b''.join(frame(TEXT if i == 0 else CONTINUATION, text[i:i + 1], MORE) for i in range(len(text))) +
                     frame(CONTINUATION)):
            wire.send(data)
            assert json.loads(wire.until(TEXT, CLOSE).payload) == {'type': 'pong', 'id': 'x'}


def test_fragments_without_end_end_the_socket(target, bystander):
    data = frame(TEXT, b'', MORE) + frame(CONTINUATION, b'', MORE) * 100_000

    assert closed_for(target, data) == (POLICY, 'a message has more than 1024 fragments')


@pytest.mark.parametrize('kind', [PING, PONG], ids=['pings', 'pongs'])
def test_a_flood_of_control_frames_ends_the_socket_whoever_reads(target, bystander, kind):
    for count in (61, 100_000):
        assert closed_for(target, frame(kind, b'x' * 125) * count) == (POLICY, FLOOD)


def test_as_many_pings_as_are_allowed_are_answered_in_order(target, bystander):
    with FrameWire(target.connect) as wire:
        for i in range(60):
            wire.send(frame(PING, b'%d' % i))
            pong = wire.until(PONG, CLOSE)
            assert (pong.opcode, pong.payload) == (PONG, b'%d' % i)
        wire.send(frame(PING, b'one too many'))
        close = wire.until(PONG, CLOSE)
        assert (close.code, close.reason) == (POLICY, FLOOD)


def test_what_is_announced_takes_no_memory(target, bystander):
    before = target.resident()
    wires = []
    try:
        for _ in range(150):
            wires.append(FrameWire(target.connect))
            wires[-1].send(frame_head(TEXT, LIMIT) + b'{')
        for _ in range(200):
            assert closed_for(target, frame_head(TEXT, 1 << 30)) == (TOO_BIG, '')
        assert bystander.is_served()
        assert target.grew_less_than(32 << 20, before)
    finally:
        for wire in wires:
            wire.socket.close()


# PM-55
def test_who_asks_and_never_reads_the_answers_is_not_read_from_any_more(target, bystander):
    before = target.resident()
    questions = frame(TEXT, b'{"type":"x","id":"' + b'i' * 200 + b'"}') * 1000
    with FrameWire(target.connect) as wire:
        wire.socket.settimeout(2)
        with pytest.raises(TimeoutError):
            for _ in range(1000):   # answers of 300 MB would wait
                wire.socket.sendall(questions)
        assert bystander.is_served()
        assert target.grew_less_than(16 << 20, before)


# HTTP-04
@pytest.mark.parametrize('path', PATHS, ids=bytes.decode)
@pytest.mark.parametrize('version', [b'', b'Sec-WebSocket-Version: 8\r\n', b'Sec-WebSocket-Version: 013\r\n', b'Sec-WebSocket-Version: 13, 8\r\n',
                                     VERSION + VERSION], ids=repr)
def test_another_version_gets_to_know_the_one_that_is_spoken(target, bystander, version, path):
    reply = target.ask(handshake(path, version + KEY))

    assert (reply.status, reply.code, reply.closed) == (426, 'INVALID_ARGUMENT', False)
    assert (reply.headers['sec-websocket-version'], reply.headers['upgrade']) == ('13', 'websocket')


# HTTP-04
@pytest.mark.parametrize('key', [
    b'', KEY + KEY, b'Sec-WebSocket-Key: \r\n', b'Sec-WebSocket-Key: c2hvcnQ=\r\n', b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n',
    b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j?Q==\r\n', b'Sec-WebSocket-Key: ' + b'A' * 8000 + b'\r\n'], ids=lambda key: repr(key[:50]))
def test_a_wrong_key_of_the_handshake_is_refused_and_the_connection_goes_on(target, bystander, key):
    for path in PATHS:
        reply = target.ask(handshake(path, VERSION + key))

        assert (reply.status, reply.code, reply.closed) == (400, 'INVALID_ARGUMENT', False)
        assert 'Sec-WebSocket-Key' in reply.message


# HTTP-04
@pytest.mark.parametrize('upgrade', [
    b'', b'Connection: Upgrade\r\n', b'Upgrade: websocket\r\n', b'Connection: Upgrade\r\nUpgrade: h2c\r\n',
    b'Connection: keep-alive\r\nUpgrade: websocket\r\n'], ids=repr)
def test_what_asks_for_no_websocket_is_told_what_is_spoken(target, bystander, upgrade):
    reply = target.ask(handshake(upgrade=upgrade))

    assert (reply.status, reply.code, reply.closed) == (426, 'INVALID_ARGUMENT', False)
    assert reply.headers['upgrade'] == 'websocket'


# HTTP-04
def test_a_handshake_with_a_body_opens_nothing_and_hides_no_request(target, bystander):
    hidden = b'GET /api/v1/processes HTTP/1.1\r\nHost: localhost\r\n\r\n'
    reply = target.ask(handshake(head=VERSION + KEY + b'Content-Length: %d\r\n' % len(hidden)) + hidden)

    assert (reply.status, reply.code, reply.closed) == (400, 'INVALID_ARGUMENT', False)
    assert 'takes no request body' in reply.message


def descriptors(target):
    return len(os.listdir(f'/proc/{target.zona.daemon_pid()}/fd'))


@pytest.mark.parametrize('data', [b'', frame_head(TEXT, 100) + b'half', frame(TEXT, b'[', MORE), frame(TEXT, SUBSCRIBE)],
                         ids=['nothing', 'half a frame', 'a fragment', 'a subscription'])
def test_a_socket_that_is_half_closed_ends(target, bystander, data):
    before = descriptors(target)
    for _ in range(50):
        with FrameWire(target.connect) as wire:
            wire.send(data)
            wire.end()
            assert wire.until(CLOSE) is None, 'there is nobody to say goodbye to'

    wait_until(lambda: descriptors(target) <= before + 5)


def test_clients_that_vanish_leave_nothing(target, bystander):
    before = descriptors(target)
    for data in (b'', frame_head(TEXT, LIMIT) + b'half', frame(TEXT, SUBSCRIBE)):
        for _ in range(50):
            with FrameWire(target.connect) as wire:
                wire.send(data)
                if wire.socket.family != socket.AF_UNIX:
                    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))

    wait_until(lambda: descriptors(target) <= before + 5)


@pytest.mark.nightly
def test_a_client_that_is_silent_and_answers_no_ping_is_let_go(target):
    """As one at the other end of a connection that broke without a word. It takes 50 s."""
    with FrameWire(target.connect) as wire:
        wire.socket.settimeout(150)
        assert wire.frame().opcode == PING
        close = wire.frame()
        assert (close.code, close.reason) == (POLICY, 'no answer to a ping')
        assert wire.is_closed()
