"""Handshakes that are none, and certificates that no client should believe. What TLS does in peace is tried in tests/e2e/test_tls.py."""
import json
import os
import socket
import ssl
import struct

import pytest
import requests
from programs import run

from zona_home import Zona

PING = '/api/v1/ping'


class Certificates:
    """A root that clients trust, and what it signs: each one PEM file with its key."""

    def __init__(self, openssl, folder):
        self.openssl, self.folder = openssl, folder
        self.root = folder / 'root.pem'
        self.do('req', '-x509', *self.new_key('root'), '-out', self.root, '-days', '9000', '-subj', '/CN=root of the test')

    def do(self, *arguments):
        done = run(self.openssl, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def new_key(self, name):
        return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', self.folder / f'{name}.key']

    def write(self, name, days='30', host='IP:127.0.0.1'):
        """`days` from now may be before it. Returns the path."""
        extension = self.folder / f'{name}.ext'
        extension.write_text(f'subjectAltName={host}\n')
        self.do('req', *self.new_key(name), '-out', self.folder / f'{name}.csr', '-subj', f'/CN={name}')
        made = self.do('x509', '-req', '-in', self.folder / f'{name}.csr', '-CA', self.root, '-CAkey', self.folder / 'root.key',
                       '-days', days, '-extfile', extension)
        out = self.folder / f'{name}.pem'
        out.write_text(made + (self.folder / f'{name}.key').read_text())
        out.chmod(0o600)
        return out


@pytest.fixture(scope='module')
def transport():
    return 'tcp'


@pytest.fixture
def certificates(tool, tmp_path):
    return Certificates(tool('openssl'), tmp_path)


@pytest.fixture
def listening():
    """listening(certificate, **env): a zona that speaks TLS with it."""
    zonas = []

    def start(certificate, **env):
        zona = Zona(env={'ZONA_API_LISTEN': '127.0.0.1:0', 'ZONA_API_TLS_CERTIFICATE': str(certificate), **env})
        zonas.append(zona)
        zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
        zona.address = zona.ping()['network']['address']
        zona.port = int(zona.address.rpartition(':')[2])
        zona.key = (zona.home / 'api-key').read_text().strip()
        return zona
    yield start
    for zona in zonas:
        zona.close()


def is_served(zona, certificates):
    answer = requests.get(f'https://{zona.address}{PING}', headers={'X-API-Key': zona.key}, verify=str(certificates.root), timeout=20)
    return answer.json()['data']['daemon']['pid'] == zona.daemon_pid()


@pytest.mark.parametrize('made, problem', [
    ({'days': '-1'}, 'certificate has expired'), ({'host': 'DNS:other.example'}, '127.0.0.1')], ids=['expired', 'of another host'])
def test_a_wrong_certificate_gets_no_key_from_a_client(certificates, listening, made, problem):
    zona = listening(certificates.write('wrong', **made))
    where = f'https://{zona.address}'

    with pytest.raises(requests.exceptions.SSLError, match=problem):
        requests.get(where + PING, headers={'X-API-Key': zona.key}, verify=str(certificates.root), timeout=20)
    own = zona.run('--host', where, '--key-file', zona.home / 'api-key', '--ca-file', certificates.root, 'list', check=False)

    assert own.returncode != 0 and problem.split()[-1] in own.stderr and not own.stdout
    lines = [json.loads(line) for line in (zona.home / 'logs/zonad.log').read_text().split('\n')[:-1]]
    assert [line['peer'] for line in lines if line['category'] == 'http.access' and not line['peer'].startswith('unix:')] == []


NOT_TLS = 'this port speaks TLS; ask for https:// instead of http://'


@pytest.mark.parametrize('data, told', [
    (b'GET /api/v1/ping HTTP/1.1\r\nHost: localhost\r\n\r\n', NOT_TLS), (b'\x80\x2e\x01\x00\x02' + b'\0' * 50, NOT_TLS),
    (b'\x17\x03\x03\x00\x10' + b'x' * 16, NOT_TLS), (b'\x15\x03\x03\x00\x02\x02\x28', NOT_TLS), (b'\0' * 4096, NOT_TLS),
    (b'\x16\x03\x01\xff\xff' + b'a' * 70000, None), (b'\x16\x03\x01\x00\x05hello', None)],
    ids=['plain HTTP', 'SSL 2', 'data first', 'an alert', 'zeros', 'a record too long', 'no handshake'])
def test_what_is_no_handshake_is_told_so_or_closed(certificates, listening, data, told):
    zona = listening(certificates.write('zona'))
    pid = zona.daemon_pid()
    with socket.create_connection(('127.0.0.1', zona.port), timeout=20) as client:
        answer = b''
        try:
            client.sendall(data)
            while more := client.recv(4096):
                answer += more
        except ConnectionError:
            pass

    if told:
        assert answer.startswith(b'HTTP/1.1 400 ')
        assert json.loads(answer.partition(b'\r\n\r\n')[2])['error']['message'] == told
    else:
        assert answer[:1] in (b'', b'\x15'), 'nothing or an alert'
    assert zona.daemon_pid() == pid and is_served(zona, certificates)


def test_handshakes_that_stop_halfway_are_cut_off_and_others_are_served_meanwhile(certificates, listening):
    zona = listening(certificates.write('zona'), ZONA_API_HEADER_TIMEOUT='1s')
    hello = ssl.MemoryBIO()
    session = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname='127.0.0.1')
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    half = hello.read()[:100]
    waiting = [socket.create_connection(('127.0.0.1', zona.port), timeout=30) for _ in range(50)]
    for client in waiting:
        client.sendall(half)

    assert is_served(zona, certificates)
    for client in waiting:
        assert client.recv(4096) == b''
        client.close()
    assert is_served(zona, certificates)


def test_a_reset_in_the_handshake_leaves_nothing(certificates, listening, wait_until):
    zona = listening(certificates.write('zona'))
    pid = zona.daemon_pid()

    def descriptors():
        return len(os.listdir(f'/proc/{pid}/fd'))
    before = descriptors()
    for _ in range(100):
        with socket.create_connection(('127.0.0.1', zona.port), timeout=20) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            client.sendall(b'\x16\x03\x01\x02\x00\x01')

    wait_until(lambda: descriptors() <= before + 5)
    assert is_served(zona, certificates)
