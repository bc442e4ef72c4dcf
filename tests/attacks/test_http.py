"""Requests that no honest client sends: each gets its exact answer, and the daemon goes on."""
import json
import os
import select

import pytest

from waiting import wait_until

HOST = b'Host: localhost\r\n'
PING = b'/api/v1/ping'


def get(target=PING, head=HOST, version=b'HTTP/1.1'):
    return b'GET ' + target + b' ' + version + b'\r\n' + head + b'\r\n'


def post(head, body, path=b'/api/v1/config/reload'):
    return b'POST ' + path + b' HTTP/1.1\r\n' + HOST + b'Content-Type: application/json\r\n' + head + b'\r\n' + body


def operation(body, content_type=b'Content-Type: application/json\r\n', head=b''):
    length = b'Content-Length: %d\r\n' % len(body)
    return b'POST /api/v1/operations HTTP/1.1\r\n' + HOST + content_type + head + length + b'\r\n' + body


def chunked(body):
    return post(b'Transfer-Encoding: chunked\r\n', body)


def short(value):
    """A test's name from its bytes."""
    if isinstance(value, bytes):
        return repr(value[:40])[2:-1] or 'empty'
    return None


OPERATION = b'{"action":"reset","select":["nap"]}'
# What the whole of an answer says: status, code, and whether the connection ends behind it.
FINE = (200, None, False)
BAD = (400, 'INVALID_ARGUMENT', True)
WRONG = (400, 'INVALID_ARGUMENT', False)
NOWHERE = (404, 'NOT_FOUND', False)
UNSUPPORTED = (501, 'UNSUPPORTED', True)
OTHER_VERSION = (505, 'UNSUPPORTED', True)
TOO_LARGE = (413, 'TOO_LARGE', True)
HEAD_TOO_LARGE = (431, 'HEADER_TOO_LARGE', True)
MEDIA = (415, 'UNSUPPORTED_MEDIA', False)


def check(target, data, expected):
    """Sends `data`, compares the answer, and sees that the next client is served."""
    reply = target.ask(data)
    assert reply is not None, 'closed without an answer'
    assert (reply.status, reply.code, reply.closed) == expected, reply.body[:300]
    assert reply.headers['content-type'] == 'application/json'
    assert reply.headers['x-content-type-options'] == 'nosniff'
    assert target.ask(get()).status == 200
    return reply


# HTTP-04, PM-49
@pytest.mark.parametrize('head, expected', [
    (b'Content-Length:  2 \r\n', FINE),
    (b'Content-Length: 2\r\nContent-Length: 2\r\n', BAD),
    (b'Content-Length: 2\r\nContent-Length: 3\r\n', BAD),
    (b'Content-Length: 2, 2\r\n', BAD),
    (b'Content-Length: +2\r\n', BAD),
    (b'Content-Length: -2\r\n', BAD),
    (b'Content-Length: 0x2\r\n', BAD),
    (b'Content-Length: 2 2\r\n', BAD),
    (b'Content-Length: \r\n', BAD),
    (b'Content-Length: 99999999999999999999\r\n', BAD),
    (b'Content-Length: 99999999\r\n', TOO_LARGE),
    (b'Content-Length : 2\r\n', BAD),
    (b'Content-Length: 2\x0b\r\n', BAD),
], ids=short)
def test_a_length_that_is_no_single_number_is_refused(target, head, expected):
    check(target, post(head, b'{}'), expected)


# HTTP-04
@pytest.mark.parametrize('head, expected', [
    (b'Transfer-Encoding: chunked\r\n', FINE),
    (b'Transfer-Encoding:\tCHUNKED\r\n', FINE),
    (b'Transfer-Encoding: chunked\r\nContent-Length: 2\r\n', BAD),
    (b'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n', BAD),
    (b'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', BAD),
    (b'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', BAD),
    (b'Transfer-Encoding: identity\r\n', BAD),
    (b'Transfer-Encoding: chunked, identity\r\n', BAD),
    (b'Transfer-Encoding: chunked, chunked\r\n', BAD),
    (b'Transfer-Encoding: xchunked\r\n', BAD),
    (b'Transfer-Encoding: "chunked"\r\n', BAD),
    (b'Transfer-Encoding: gzip, chunked\r\n', UNSUPPORTED),
    (b'Transfer-Encoding: chunked;a=b\r\n', UNSUPPORTED),
    (b'Transfer-Encoding:\r\n', BAD),
    (b'Transfer-Encoding:\r\n chunked\r\n', BAD),
    (b'Transfer-Encoding : chunked\r\n', BAD),
    (b'Transfer-Encoding: chunked\x0b\r\n', BAD),
    (b'\x00Transfer-Encoding: chunked\r\n', BAD),
    (b' Transfer-Encoding: chunked\r\n', BAD),
    (b'X: y\r\n Transfer-Encoding: chunked\r\n', BAD),
], ids=short)
def test_a_body_has_one_framing_or_none(target, head, expected):
    check(target, post(head, b'2\r\n{}\r\n0\r\n\r\n'), expected)


def test_chunks_in_http_1_0_are_refused(target):
    data = chunked(b'2\r\n{}\r\n0\r\n\r\n').replace(b'HTTP/1.1', b'HTTP/1.0')
    check(target, data, BAD)


# HTTP-04
@pytest.mark.parametrize('body, expected', [
    (b'0002\r\n{}\r\n0\r\n\r\n', FINE),
    (b'1\r\n{\r\n1;a=b;c="d e"\r\n}\r\n0;x\r\n\r\n', FINE),
    (b'2\r\n{}\r\n0\r\nX: y\r\n\r\n', FINE),
    (b'g\r\n{}\r\n0\r\n\r\n', BAD),
    (b'\r\n{}\r\n0\r\n\r\n', BAD),
    (b'-2\r\n{}\r\n0\r\n\r\n', BAD),
    (b'+2\r\n{}\r\n0\r\n\r\n', BAD),
    (b'0x2\r\n{}\r\n0\r\n\r\n', BAD),
    (b' 2\r\n{}\r\n0\r\n\r\n', BAD),
    (b'2 \r\n{}\r\n0\r\n\r\n', BAD),
    (b'FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n', BAD),
    (b'7FFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n', TOO_LARGE),
    (b'2\n{}\n0\n\n', BAD),
    (b'2\r\n{}\r\n0\n\n', BAD),
    (b'2\r\n{}\r\n0\r\n\n', BAD),
    (b'2\r\n{}\r\n0\r\nX: y\n\r\n', BAD),
    (b'2\r\n{}0\r\n\r\n', BAD),
    (b'2\r\n{}\n0\r\n\r\n', BAD),
    (b'1\r\n{}\r\n0\r\n\r\n', BAD),
    (b'2;a=\n\r\n{}\r\n0\r\n\r\n', BAD),
    (b'2;\x00\r\n{}\r\n0\r\n\r\n', BAD),
    (b'2;' + b'a' * 5000 + b'\r\n{}\r\n0\r\n\r\n', BAD),
    (b''.join(b'0' * 40 + b'1;' + b'e' * 100 + b'\r\n \r\n' for _ in range(100)) + b'0\r\n\r\n', BAD),
    (b'2\r\n{}\r\n0\r\nContent-Length: 9\r\nX: y\r\n\r\n', BAD),
    (b'2\r\n{}\r\n0\r\nX y\r\n\r\n', BAD),
    (b'2\r\n{}\r\n0\r\n folded\r\n\r\n', BAD),
    (b'2\r\n{}\r\n0\r\nX: ' + b'y' * 9000 + b'\r\n\r\n', BAD),
], ids=short)
def test_chunks_are_read_strictly(target, body, expected):
    check(target, chunked(body), expected)


# HTTP-04
@pytest.mark.parametrize('head, expected', [
    (HOST + b'X:\r\n', FINE),
    (HOST + b'X: \xff\xfe\r\n', FINE),
    (HOST + b'X: a\r\n b\r\n', BAD),
    (HOST + b'X: a\r\n\tb\r\n', BAD),
    (b'Host: localhost\r\n evil\r\n', BAD),
    (HOST + b'X: a\x00b\r\n', BAD),
    (HOST + b'X\x00: a\r\n', BAD),
    (HOST + b'X: a\x01b\r\n', BAD),
    (HOST + b'X: a\x7fb\r\n', BAD),
    (HOST + b'X: a\rb\r\n', BAD),
    (HOST + b'X: a\nY: b\r\n', BAD),
    (HOST + b'\n', BAD),
    (b'Host: localhost\n', BAD),
    (HOST + b'X : a\r\n', BAD),
    (HOST + b': a\r\n', BAD),
    (HOST + b'X\r\n', BAD),
    (HOST + b'X(: a\r\n', BAD),
    (HOST + b'X\xe9: a\r\n', BAD),
    (HOST + b'Expect: 200-ok\r\n', (417, 'INVALID_ARGUMENT', True)),
    (HOST + b'X: ' + b'a' * 17000 + b'\r\n', HEAD_TOO_LARGE),
    (HOST + b'a: b\r\n' * 100, HEAD_TOO_LARGE),
], ids=short)
def test_headers_are_read_strictly(target, head, expected):
    check(target, get(head=head), expected)


# HTTP-04
@pytest.mark.parametrize('head, expected', [
    (b'', BAD),
    (HOST + HOST, BAD),
    (b'Host: localhost\r\nhost: evil.example\r\n', BAD),
    (b'Host: localhost, evil.example\r\n', BAD),
    (b'Host: localhost@evil.example\r\n', BAD),
    (b'Host: localhost/evil\r\n', BAD),
    (b'Host: local host\r\n', BAD),
    (b'Host : localhost\r\n', BAD),
    (b' ' + HOST, BAD),
], ids=short)
def test_there_is_one_host_and_it_is_one(target, head, expected):
    check(target, get(head=head), expected)


# HTTP-02, HTTP-04
@pytest.mark.parametrize('path, expected', [
    (b'/api/v1/p%69ng', FINE),
    (b'http://localhost/api/v1/ping', FINE),
    (b'HTTPS://localhost:80/api/v1/ping', FINE),
    (b'http://user:password@localhost/api/v1/ping', BAD),
    (b'/api/v1/../v1/ping', BAD),
    (b'/api/v1/%2e%2e/v1/ping', BAD),
    (b'/api/v1/.%2E/v1/ping', BAD),
    (b'/api/v1/%252e%252e/v1/ping', NOWHERE),
    (b'/api/v1/..%2fv1/ping', NOWHERE),
    (b'/api/v1/..%5cv1/ping', NOWHERE),
    (b'/api/v1/..\\v1\\ping', NOWHERE),
    (b'\\api\\v1\\ping', BAD),
    (b'/api/v1/%c0%ae%c0%ae/ping', BAD),
    (b'/api/v1/%e0%80%ae/ping', BAD),
    (b'/api/v1/%u002e/ping', BAD),
    (b'//api/v1/ping', NOWHERE),
    (b'/api//v1/ping', NOWHERE),
    (b'/api/v1/ping/', NOWHERE),
    (b'/api/v1/./ping', BAD),
    (b'/api/v1/ping%00', BAD),
    (b'/api/v1/ping%0d%0aX:y', BAD),
    (b'/api/v1/ping%', BAD),
    (b'/api/v1/ping%zz', BAD),
    (b'/api/v1/ping;x=y', NOWHERE),
    (b'/api/v1/ping#x', BAD),
    (b'/\xc3\xa9', BAD),
    (b'/../../etc/passwd', BAD),
    (b'/api/v1/processes/%2e%2e', BAD),
    (b'/api/v1/processes/..%2f..%2fetc%2fpasswd', NOWHERE),
    (b'/api/v1/processes/%2fetc%2fpasswd/exits', NOWHERE),
    (b'/api/v1/processes/....//', NOWHERE),
    (b'file:///etc/passwd', BAD),
    (b'ftp://localhost/', BAD),
    (b'http:///api/v1/ping', BAD),
    (b'localhost:8063', BAD),
    (b'*', BAD),
    (b'', BAD),
    (b'api/v1/ping', BAD),
    (b'?x', BAD),
    (b'/' + b'a' * 15000, NOWHERE),
    (b'/' + b'a/' * 7000, NOWHERE),
    (b'/?' + b'a&' * 1001, BAD),
    (b'/' + b'a' * 20000, HEAD_TOO_LARGE),
], ids=short)
def test_a_path_has_one_meaning_or_none(target, path, expected):
    check(target, get(path), expected)


# HTTP-19
@pytest.mark.parametrize('path', [b'/api/v2/ping', b'/api/v0/processes', b'/api/v11', b'/api/v1.1/ping'], ids=short)
def test_an_unknown_version_of_the_api_names_those_that_there_are(target, path):
    reply = check(target, get(path), NOWHERE)

    assert path.split(b'/')[2].decode() in reply.message
    assert reply.message.endswith('there is: v1 (/api/v1/...)')


# HTTP-04
@pytest.mark.parametrize('data, expected', [
    (b'GET /api/v1/ping\r\n', BAD),
    (b'GET /api/v1/ping\r\n\r\n', BAD),
    (b'GET\r\n\r\n', BAD),
    (b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', OTHER_VERSION),
    (get(version=b'HTTP/2.0'), OTHER_VERSION),
    (get(version=b'HTTP/1.2'), OTHER_VERSION),
    (get(version=b'HTTP/3'), BAD),
    (get(version=b'http/1.1'), BAD),
    (get(version=b'HTTP/1.1 '), BAD),
    (get(version=b'HTTP/1.10'), BAD),
    (get(version=b'HTTP/01.1'), BAD),
    (get(version=b'XTTP/1.1'), BAD),
    (get(version=b'HTTP/1.0'), (200, None, True)),
    (b'TRACE /api/v1/ping HTTP/1.1\r\n' + HOST + b'\r\n', UNSUPPORTED),
    (b'CONNECT localhost:80 HTTP/1.1\r\n' + HOST + b'\r\n', UNSUPPORTED),
    (b'get /api/v1/ping HTTP/1.1\r\n' + HOST + b'\r\n', UNSUPPORTED),
    (b'FOO /api/v1/ping HTTP/1.1\r\n' + HOST + b'\r\n', UNSUPPORTED),
    (b'DELETE /api/v1/ping HTTP/1.1\r\n' + HOST + b'\r\n', (405, 'METHOD_NOT_ALLOWED', False)),
    (b'GET  /api/v1/ping HTTP/1.1\r\n' + HOST + b'\r\n', BAD),
    (b'GET\t/api/v1/ping HTTP/1.1\r\n' + HOST + b'\r\n', BAD),
    (b' GET /api/v1/ping HTTP/1.1\r\n' + HOST + b'\r\n', BAD),
    (b'G\x00T /api/v1/ping HTTP/1.1\r\n' + HOST + b'\r\n', BAD),
    (b'GET /api/v1/ping HTTP/1.1\n' + HOST + b'\r\n', BAD),
    (b'\r\n' + get(), FINE),
    (b'\r\n\r\n' + get(), BAD),
    (b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'a' * 300 + b'\r\n\r\n', BAD),
    (b'A' * 40000, HEAD_TOO_LARGE),
    (get(head=HOST + b'Content-Length: 2\r\n') + b'{}', WRONG),
], ids=short)
def test_what_is_not_http_1_1_is_refused(target, data, expected):
    check(target, data, expected)


# HTTP-04
@pytest.mark.parametrize('body, problem', [
    pytest.param(b'[' * 10000 + b']' * 10000, 'more than 64 nested levels', id='depth of lists'),
    pytest.param(b'{"a":' * 10000 + b'1' + b'}' * 10000, 'more than 64 nested levels', id='depth of objects'),
    pytest.param(b'[' * 1000000, 'more than 64 nested levels', id='depth without an end'),
    pytest.param(b'{"action":"reset","action":"delete","select":["nap"]}', "'action' stands twice", id='a key twice'),
    pytest.param(b'{"action":"reset","\\u0061ction":"delete","select":["nap"]}', "'action' stands twice", id='the same key escaped'),
    pytest.param(b'{"instances":' + b'9' * 1000 + b'}', 'the number is too large', id='1000 digits'),
    pytest.param(b'{"instances":1e' + b'9' * 1000 + b'}', 'exponent overflow', id='an exponent of 1000 digits'),
    pytest.param(b'{"action":"reset","select":["nap"],"wait":0.' + b'1' * 1000 + b'}', 'must be true or false', id='1000 decimals'),
    pytest.param(b'{"select":["\\ud800"]}', 'not valid JSON', id='a high surrogate alone'),
    pytest.param(b'{"select":["\\udc00"]}', 'not valid JSON', id='a low surrogate alone'),
    pytest.param(b'{"select":["\\ud800\\u0041"]}', 'not valid JSON', id='half a pair'),
    pytest.param(b'{"select":["\xed\xa0\x80"]}', 'not valid JSON', id='a surrogate in UTF-8'),
    pytest.param(b'{"select":["\xff"]}', 'not valid JSON', id='not UTF-8'),
    pytest.param(b'{"select":["\xc0\xaf"]}', 'not valid JSON', id='overlong UTF-8'),
    pytest.param(b'{"select":["a\x00b"]}', 'not valid JSON', id='a raw NUL'),
    pytest.param(b'{"action":"reset","select":["a\\u0000b"]}', 'control character', id='an escaped NUL'),
    pytest.param(b'{"action":"reset","select":["' + b'a' * 4000000 + b'"]}', 'has 4000000 bytes; the limit is 256', id='4 MB of text'),
    pytest.param(b'{"action":"reset","select":[' + b'1,' * 4000000 + b'1]}', '100 mistakes or more', id='4 million mistakes'),
    pytest.param(b'{' + b','.join(b'"k%d":1' % i for i in range(100000)) + b'}', '100 mistakes or more', id='100,000 unknown keys'),
    pytest.param(b'{"' + b'k' * 1000000 + b'":1}', 'is required', id='a key of 1 MB'),
    pytest.param(b'\xef\xbb\xbf' + OPERATION, 'not valid JSON', id='a byte order mark'),
    pytest.param(OPERATION.decode().encode('utf-16'), 'not valid JSON', id='UTF-16'),
    pytest.param(OPERATION + OPERATION, 'stands behind the value', id='two documents'),
    pytest.param(b'/**/' + OPERATION, 'not valid JSON', id='a comment'),
    pytest.param(b'{"select":["nap",]}', 'not valid JSON', id='a comma too many'),
    pytest.param(b'{"wait":NaN}', 'not valid JSON', id='NaN'),
    pytest.param(b'null', 'must be an object, not null', id='null'),
])
def test_json_is_read_strictly(target, body, problem):
    reply = check(target, operation(body), WRONG)

    assert problem in reply.message
    assert len(reply.body) < 40000, 'an answer is not as long as the attack'


# HTTP-04
@pytest.mark.parametrize('content_type, expected', [
    (b'Content-Type: APPLICATION/JSON; charset=utf-8\r\n', FINE),
    (b'', MEDIA),
    (b'Content-Type: text/plain\r\n', MEDIA),
    (b'Content-Type: application/jsonx\r\n', MEDIA),
    (b'Content-Type: application/x-www-form-urlencoded\r\n', MEDIA),
    (b'Content-Type: multipart/form-data; boundary=x\r\n', MEDIA),
    (b'Content-Type: application/json\r\nContent-Type: text/plain\r\n', MEDIA),
    (b'Content-Type: application/json\r\nContent-Encoding: gzip\r\n', MEDIA),
], ids=short)
def test_a_body_is_json_and_says_so(target, content_type, expected):
    check(target, operation(OPERATION, content_type), expected)


def test_pipelined_requests_are_answered_in_order(target):
    ids = [f'n{i}' for i in range(500)]
    paths = [PING, b'/api/v1/nothing', b'/api/v1/processes']
    with target.wire() as wire:
        wire.send(b''.join(get(paths[i % 3], HOST + b'X-Correlation-Id: ' + name.encode() + b'\r\n')
                           for i, name in enumerate(ids)))
        replies = [wire.reply() for _ in ids]

        assert [r.headers['x-correlation-id'] for r in replies] == ids
        assert [r.status for r in replies] == [(200, 404, 200)[i % 3] for i in range(500)]


def test_nothing_behind_a_refused_request_is_answered(target):
    with target.wire() as wire:
        wire.send(post(b'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n', b'0\r\n\r\n') +
                  operation(b'{"action":"delete","select":["all"]}'))

        assert wire.reply().status == 400
        assert wire.is_closed()
    assert [p['status'] for p in target.zona.list()] == ['online']


def test_a_body_that_looks_like_a_request_is_none(target):
    hidden = operation(b'{"action":"delete","select":["all"]}')
    with target.wire() as wire:
        wire.send(operation(hidden) + get())

        assert [wire.reply().status, wire.reply().status] == [400, 200]
    assert [p['status'] for p in target.zona.list()] == ['online']


def test_a_hundred_thousand_headers_are_cut_off_early(target):
    before = target.resident()
    with target.wire() as wire:
        wire.send(get(head=HOST + b''.join(b'X%d: y\r\n' % i for i in range(100000))))
        reply = wire.reply()

        assert (reply.status, reply.code) == (431, 'HEADER_TOO_LARGE')
        assert wire.is_closed()
    assert target.resident() - before < 16 << 20


def test_what_a_client_announces_is_not_allocated(target):
    before = target.resident()
    wires = [target.wire() for _ in range(200)]
    for wire in wires:
        wire.send(post(b'Content-Length: 8388608\r\n', b'{'))

    assert target.ask(get()).status == 200
    assert target.resident() - before < 64 << 20
    for wire in wires:
        wire.socket.close()


# HTTP-04, SEC-17
def test_a_slow_head_is_cut_off_and_others_are_served_meanwhile(new_target):
    target = new_target(ZONA_API_HEADER_TIMEOUT='1500ms')
    slow = [target.wire() for _ in range(100)]
    for wire in slow:
        wire.send(b'GET /api/v1/ping HTTP/1.1\r\nHost: localhost\r\nX: ')

    # One byte now and then does not keep it open: the time is that of the whole head.
    def drip():
        slow[0].send(b'a')
        return select.select([slow[0].socket], [], [], 0)[0]
    assert target.ask(get()).status == 200
    wait_until(drip)
    for wire in slow:
        reply = wire.reply()
        assert (reply.status, reply.code) == (408, 'TIMEOUT')
        wire.socket.close()
    assert target.ask(get()).status == 200


# HTTP-04, SEC-17
def test_a_slow_body_is_cut_off(new_target):
    target = new_target(ZONA_API_REQUEST_TIMEOUT='500ms')

    with target.wire() as wire:
        wire.send(post(b'Content-Length: 10\r\n', b'{'))
        reply = wire.reply()

        assert (reply.status, reply.code) == (408, 'TIMEOUT')
        assert wire.is_closed()


# SEC-17
def test_connections_that_never_ask_are_closed_without_a_word(new_target):
    target = new_target(ZONA_API_IDLE_TIMEOUT='500ms')
    idle = [target.wire() for _ in range(200)]

    assert target.ask(get()).status == 200
    assert all(wire.is_closed() for wire in idle)
    for wire in idle:
        wire.socket.close()


@pytest.mark.parametrize('data, status', [
    (b'', None), (b'\r\n', 400), (b'GET', 400), (get()[:-2], 400), (post(b'Content-Length: 10\r\n', b'{'), 400),
    (chunked(b'2\r\n{}\r\n'), 400)], ids=short)
def test_a_client_that_stops_sending_midway_is_told_and_let_go(target, data, status):
    with target.wire() as wire:
        wire.send(data)
        wire.end()
        reply = wire.reply()

        assert (reply and reply.status) == status
        assert wire.is_closed()


def test_a_client_that_only_half_closed_gets_its_answers(target):
    with target.wire() as wire:
        wire.send(get() + get())
        wire.end()

        assert [wire.reply().status, wire.reply().status] == [200, 200]
        assert wire.is_closed()


def test_a_client_that_goes_away_in_an_answer_leaves_nothing(target):
    pid = target.zona.daemon_pid()

    def descriptors():
        return len(os.listdir(f'/proc/{pid}/fd'))
    before = descriptors()
    for _ in range(200):
        with target.wire() as wire:
            wire.send(get(b'/api/v1/processes') * 20)

    wait_until(lambda: descriptors() <= before + 5)


# SEC-17
def test_more_connections_than_allowed_are_told_so(new_target):
    target = new_target(ZONA_API_MAX_CONNECTIONS='20')
    wires = [target.wire() for _ in range(20)]
    for wire in wires:
        assert wire.ask(get()).status == 200
    with target.wire() as over:
        reply = over.reply()
        assert (reply.status, reply.code) == (503, 'UNAVAILABLE')
        assert over.is_closed()
    wires.pop().socket.close()

    wait_until(lambda: target.ask(get()).status == 200)
    for wire in wires:
        wire.socket.close()


# PM-64, SEC-30
def test_no_refusal_tells_anything_about_the_inside(target):
    attacks = [get(b'/../../etc/passwd'), get(b'/api/v2/x'), operation(b'{"file":1}'), b'\x00\r\n\r\n',
               get(b'/api/v1/processes/nobody'), operation(b'[' * 100)]
    for data in attacks:
        text = target.ask(data).body.decode()

        assert str(target.zona.home) not in text
        for inside in ('.cpp', '0x', 'boost', 'std::', 'exception'):
            assert inside not in text, text


# PM-47
def test_a_preflight_of_an_origin_that_is_not_allowed_is_refused(target):
    data = (b'OPTIONS /api/v1/operations HTTP/1.1\r\n' + HOST + b'Origin: https://evil.example\r\n'
            b'Access-Control-Request-Method: POST\r\n\r\n')

    reply = check(target, data, (403, 'FORBIDDEN', False))

    assert not [name for name in reply.headers if name.startswith('access-control')]


# PM-47
def test_a_preflight_of_an_allowed_origin_passes(new_target):
    target = new_target(ZONA_API_CORS_ORIGINS='https://panel.example, http://localhost:5173')

    reply = target.ask(b'OPTIONS /api/v1/operations HTTP/1.1\r\n' + HOST + b'Origin: http://localhost:5173\r\n'
                       b'Access-Control-Request-Method: POST\r\n\r\n', 'OPTIONS')

    assert reply.status == 204
    assert reply.headers['access-control-allow-origin'] == 'http://localhost:5173'
    assert 'X-API-Key' in reply.headers['access-control-allow-headers']


def test_a_wrong_list_of_origins_or_hosts_ends_the_start(new_target):
    for name, value in (('ZONA_API_CORS_ORIGINS', 'panel.example'), ('ZONA_API_HOSTS', 'http://panel.example')):
        with pytest.raises(AssertionError) as refused:
            new_target(**{name: value})

        assert value in str(refused.value) and name[5:].lower().replace('_', '.', 1) in str(refused.value)


def test_a_list_is_not_sent_again_to_who_has_it(target):
    """The body has fields that change with time; a document that has none shows it."""
    first = target.ask(get(b'/api/v1/log-levels'))

    again = target.ask(get(b'/api/v1/log-levels', HOST + b'If-None-Match: ' + first.headers['etag'].encode() + b'\r\n'))

    assert (again.status, again.body, again.headers['etag']) == (304, b'', first.headers['etag'])
    assert json.loads(first.body)['success'] is True
