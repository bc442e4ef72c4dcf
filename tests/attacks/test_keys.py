"""Keys where they do not belong."""
import urllib.parse

import pytest

from wire import Wire, over_tcp
from zona_home import Zona


@pytest.fixture(scope='module')
def locked():
    """A zona that listens and asks for its key."""
    zona = Zona(env={'ZONA_API_LISTEN': '127.0.0.1:0'})
    try:
        zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
        host, port = zona.ping()['network']['address'].rsplit(':', 1)
        zona.connect = over_tcp(host, int(port))
        zona.key = (zona.home / 'api-key').read_text().strip()
        yield zona
    finally:
        zona.close()


# Where KEY stands for the key, and %KEY for one in which each byte is escaped.
@pytest.mark.parametrize('target, status', [
    ('/api/v1/processes?api_key=KEY', 400), ('/api/v1/processes?key=KEY', 400), ('/api/v1/processes?X-API-Key=KEY', 400),
    ('/api/v1/processes?access_token=KEY', 400), ('/api/v1/processes?select=KEY', 400), ('/api/v1/processes?KEY', 400),
    ('/api/v1/processes?select=%KEY', 400), ('http://localhost/api/v1/processes?token=KEY', 400), ('/api/v1/processes/KEY', 400),
    ('/livez?api_key=KEY', 400), ('/docs?api_key=KEY', 400), ('http://KEY@localhost/api/v1/ping', 400), ('/api/v1/processes#KEY', 400)])
@pytest.mark.parametrize('shown', [True, False], ids=['with the header', 'without'])
def test_a_key_in_a_url_is_refused_in_every_place_and_never_logged(locked, target, status, shown):
    escaped = ''.join(f'%{ord(c):02x}' for c in locked.key)
    path = target.replace('%KEY', escaped).replace('KEY', locked.key)
    head = f'X-API-Key: {locked.key}\r\n' if shown else ''
    with Wire(locked.connect) as wire:
        reply = wire.ask(f'GET {path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n'.encode())

    assert (reply.status, reply.code) == (status, 'INVALID_ARGUMENT'), reply.body
    assert locked.key not in reply.body.decode()
    log = (locked.home / 'logs/zonad.log').read_text()
    assert locked.key not in log and locked.key not in urllib.parse.unquote(log)
