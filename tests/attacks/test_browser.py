"""What a page in the user's browser could do to a zona on the same machine, and too much of anything from one address."""
import gzip

import pytest

PING = b'GET /api/v1/ping HTTP/1.1\r\n'
HOST = b'Host: localhost:8063\r\n'
STOP = b'{"action":"stop","select":["all"]}'


@pytest.fixture(scope='module')
def transport():
    """No browser reaches the unix socket."""
    return 'tcp'


def stop(head):
    return (b'POST /api/v1/operations HTTP/1.1\r\nContent-Type: application/json\r\n' + head +
            b'Content-Length: %d\r\n\r\n' % len(STOP) + STOP)


def is_untouched(target):
    return [p['status'] for p in target.zona.list()] == ['online']


@pytest.mark.parametrize('host', [
    b'rebound.evil', b'rebound.evil:8063', b'localhost.evil', b'127.0.0.1.evil', b'2130706433', b'0x7f000001', b'', b'[::1', b'localhost:99999'],
    ids=repr)
def test_a_name_that_was_pointed_at_the_daemon_is_not_served(target, host):
    head = b'Host: ' + host + b'\r\n'
    own = b'Origin: http://' + host + b'\r\nSec-Fetch-Site: same-origin\r\n'
    for data in (PING + head + b'\r\n', stop(head + own),
                 b'OPTIONS /api/v1/operations HTTP/1.1\r\n' + head + own + b'Access-Control-Request-Method: POST\r\n\r\n'):
        reply = target.ask(data)

        assert (reply.status, reply.code) == (421, 'INVALID_ARGUMENT')
        assert 'api.hosts' in reply.message
    assert is_untouched(target)


def test_the_host_of_an_absolute_target_counts_as_well(target):
    for url, host, status in ((b'http://rebound.evil', b'localhost', 421), (b'http://localhost', b'rebound.evil', 421),
                              (b'http://localhost', b'localhost', 200)):
        reply = target.ask(b'GET ' + url + b'/api/v1/ping HTTP/1.1\r\nHost: ' + host + b'\r\n\r\n')

        assert reply.status == status


@pytest.mark.parametrize('host', [b'localhost', b'127.0.0.1:8063', b'[::1]:8063', b'zona.localhost', b'LOCALHOST.'], ids=repr)
def test_what_always_is_this_machine_is_served(target, host):
    assert target.ask(PING + b'Host: ' + host + b'\r\n\r\n').status == 200


def test_a_name_of_the_settings_is_served(new_target):
    target = new_target(ZONA_API_HOSTS='zona.example, other.example')

    for host, status in ((b'zona.example', 200), (b'Other.Example:443', 200), (b'third.example', 421)):
        assert target.ask(PING + b'Host: ' + host + b'\r\n\r\n').status == status


# PM-47
@pytest.mark.parametrize('head', [
    b'Origin: https://evil.example\r\n', b'Origin: null\r\n', b'Origin: http://localhost\r\n', b'Origin: http://localhost:3000\r\n',
    b'Origin: http://127.0.0.1:8063\r\n', b'Origin: \r\n', b'Sec-Fetch-Site: cross-site\r\n',
    b'Origin: http://localhost:8063\r\nSec-Fetch-Site: cross-site\r\n', b'Origin: file://\r\n'], ids=repr)
def test_a_page_of_another_origin_changes_nothing(target, head):
    reply = target.ask(stop(HOST + head))

    assert (reply.status, reply.code, reply.closed) == (403, 'FORBIDDEN', False)
    assert not [name for name in reply.headers if name.startswith('access-control')]
    assert is_untouched(target)


def open_websocket(path, head):
    return (b'GET ' + path + b' HTTP/1.1\r\n' + head + b'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
            b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')


# PM-56
@pytest.mark.parametrize('path', [b'/api/v1/stream', b'/ws'], ids=bytes.decode)
@pytest.mark.parametrize('head', [
    b'Origin: https://evil.example\r\n', b'Origin: null\r\n', b'Origin: http://localhost\r\n', b'Origin: ws://localhost:8063\r\n',
    b'Origin: http://localhost:8063.evil.example\r\n', b'Sec-Fetch-Site: cross-site\r\n'], ids=repr)
def test_a_page_of_another_origin_opens_no_websocket(target, path, head):
    reply = target.ask(open_websocket(path, HOST + head))

    assert (reply.status, reply.code, reply.closed) == (403, 'FORBIDDEN', False)
    assert 'sec-websocket-accept' not in reply.headers


@pytest.mark.parametrize('path', [b'/api/v1/stream', b'/ws'], ids=bytes.decode)
def test_a_name_that_was_pointed_at_the_daemon_opens_no_websocket(target, path):
    reply = target.ask(open_websocket(path, b'Host: rebound.evil:8063\r\nOrigin: http://rebound.evil:8063\r\nSec-Fetch-Site: same-origin\r\n'))

    assert (reply.status, reply.code, reply.closed) == (421, 'INVALID_ARGUMENT', False)


# PM-47
def test_a_page_of_an_allowed_origin_may_do_what_its_key_may(new_target):
    target = new_target(ZONA_API_CORS_ORIGINS='https://panel.example')

    reply = target.ask(stop(HOST + b'Origin: https://panel.example\r\nSec-Fetch-Site: cross-site\r\n'))

    assert reply.status == 200
    assert reply.headers['access-control-allow-origin'] == 'https://panel.example'


# HTTP-20
def test_an_address_that_asks_too_often_is_told_to_wait(new_target):
    target = new_target(ZONA_API_REQUESTS_PER_SECOND='1', ZONA_API_REQUESTS_BURST='3')

    with target.wire() as wire:
        wire.send((PING + HOST + b'\r\n') * 50)
        replies = [wire.reply() for _ in range(50)]

    assert [r.status for r in replies[:3]] == [200, 200, 200]
    refused = [r for r in replies if r.status == 429]
    assert refused and {r.code for r in refused} == {'TOO_MANY_REQUESTS'}
    assert {r.headers['retry-after'] for r in refused} == {'1'}
    assert 'more than 1 requests per second' in refused[0].message
    assert is_untouched(target), 'the unix socket has no limit'


# HTTP-18
def test_a_large_answer_is_compressed_for_who_takes_it(new_target):
    target = new_target(ZONA_API_COMPRESS_ABOVE='200')

    def config(head):
        return target.ask(b'GET /api/v1/config HTTP/1.1\r\n' + HOST + head + b'\r\n')
    plain, packed = config(b''), config(b'Accept-Encoding: br;q=1, gzip;q=0.8\r\n')

    assert 'content-encoding' not in plain.headers and packed.headers['content-encoding'] == 'gzip'
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 2
    assert packed.headers['etag'] == 'W/' + plain.headers['etag']
    again = config(b'Accept-Encoding: gzip\r\nIf-None-Match: ' + packed.headers['etag'].encode() + b'\r\n')
    assert (again.status, again.body) == (304, b'')
