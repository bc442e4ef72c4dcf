"""TLS of the daemon itself: what it speaks, what it refuses, how a certificate is renewed."""
import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess

import pytest
import requests
import websockets

PING = '/api/v1/ping'


@pytest.fixture
def certificate(tool, tmp_path):
    """certificate(name='localhost', days=30): files of a certificate that signs itself."""
    def make(name='localhost', days=30, stem='one'):
        chain, key = tmp_path / f'{stem}.pem', tmp_path / f'{stem}.key'
        extra = [] if days > 0 else ['-not_before', '20200101000000Z', '-not_after', '20200201000000Z']
        config = tmp_path / 'openssl.cnf'
        config.write_text(f'[req]\ndistinguished_name=dn\nprompt=no\nx509_extensions=x\n[dn]\nCN={name}\n'
                          f'[x]\nsubjectAltName=DNS:{name},IP:127.0.0.1\nbasicConstraints=critical,CA:TRUE\n')
        if extra:   # `req -x509` of OpenSSL 3.0 cannot backdate; `ca` can
            (tmp_path / 'index').write_text('')
            (tmp_path / 'serial').write_text('01')
            config.write_text(config.read_text() + f'[ca]\ndefault_ca=c\n[c]\ndatabase={tmp_path}/index\nserial={tmp_path}/serial\n'
                              f'new_certs_dir={tmp_path}\ndefault_md=sha256\npolicy=p\nx509_extensions=x\n[p]\ncommonName=supplied\n')
            run(tool('openssl'), 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key,
                '-out', tmp_path / 'request', '-config', config)
            run(tool('openssl'), 'ca', '-batch', '-selfsign', '-in', tmp_path / 'request', '-keyfile', key, '-out', chain, '-notext',
                '-config', config, '-startdate', '20200101000000Z', '-enddate', '20200201000000Z')
        else:
            run(tool('openssl'), 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key,
                '-out', chain, '-days', days, '-config', config)
        key.chmod(0o600)
        return chain, key
    return make


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def tls_zona(new_zona):
    def make(chain, key, **env):
        zona = new_zona(env={'ZONA_API_LISTEN': '127.0.0.1:0', 'ZONA_API_TLS_CERTIFICATE': str(chain), 'ZONA_API_TLS_KEY': str(key), **env})
        zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
        network = zona.ping()['network']
        assert network['tls'] is True, network
        zona.port = int(network['address'].rsplit(':', 1)[1])
        zona.key = (zona.home / 'api-key').read_text().strip()
        return zona
    return make


def get(zona, chain, path=PING):
    return requests.get(f'https://localhost:{zona.port}{path}', headers={'X-API-Key': zona.key}, verify=str(chain), timeout=20)


def wait_for_the_end(connection):
    """Until the server has closed it, or reset it because it had sent more than was read."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        pass


def shown(zona):
    """The certificate that the server shows now."""
    return ssl.get_server_certificate(('127.0.0.1', zona.port), timeout=20)


# PM-65, SEC-21
def test_https_is_spoken_and_browsers_are_told_to_stay(certificate, tls_zona):
    chain, key = certificate()
    zona = tls_zona(chain, key)
    answer = get(zona, chain, '/api/v1/processes')
    assert answer.status_code == 200 and answer.json()['data'][0]['name'] == 'nap'
    assert answer.headers['Strict-Transport-Security'] == 'max-age=31536000'


# PM-54, PM-65
def test_a_websocket_over_tls_tells_what_happens_and_ends_in_peace(certificate, tls_zona):
    chain, key = certificate()
    zona = tls_zona(chain, key)

    async def follow():
        async with websockets.connect(f'wss://localhost:{zona.port}/api/v1/stream', ssl=ssl.create_default_context(cafile=chain),
                                      subprotocols=['zona.v1', f'zona.key.{zona.key}'], origin=f'https://localhost:{zona.port}') as socket:
            await socket.send('{"type":"subscribe","id":"a","topics":["processes"]}')
            await asyncio.to_thread(zona.run, 'stop', 'nap')
            while (frame := json.loads(await asyncio.wait_for(socket.recv(), 20)))['type'] != 'process' or frame['data']['status'] != 'stopped':
                pass
            await asyncio.wait_for(await socket.ping(b'over TLS'), 20)
        assert socket.close_rcvd.code == 1000
    asyncio.run(follow())


# PM-65
def test_tls_lets_zona_listen_beyond_this_host(certificate, tls_zona):
    chain, key = certificate()
    zona = tls_zona(chain, key, ZONA_API_LISTEN='0.0.0.0:0')
    assert get(zona, chain).status_code == 200


# PM-52
def test_without_its_certificate_a_successor_speaks_no_plain_http_instead(certificate, tls_zona, wait_until, free_port):
    """Neither where the settings say nor where it was asked to listen."""
    chain, key = certificate()
    zona = tls_zona(chain, key)
    zona.run('web', '--port', free_port)
    before = zona.daemon_pid()
    chain.write_text('damaged')
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: zona.daemon_pid() != before)
    network = zona.ping()['network']
    assert network['address'] is None and network['pmdaemon'] is None and 'api.tls' in network['problem']
    for port in (zona.port, free_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(('127.0.0.1', port), timeout=5)
    refused = zona.run('web', '--port', free_port, check=False)
    assert refused.returncode == 4 and 'api.tls' in refused.stderr
    assert zona.process('nap')['status'] == 'online'


def test_an_older_tls_is_refused(certificate, tls_zona):
    chain, key = certificate()
    zona = tls_zona(chain, key)
    context = ssl.create_default_context(cafile=chain)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(('127.0.0.1', zona.port), timeout=20) as plain:
        with pytest.raises(ssl.SSLError, match='(?i)protocol.version'):
            context.wrap_socket(plain, server_hostname='localhost')
    assert get(zona, chain).status_code == 200


def test_plain_http_is_told_to_use_https(certificate, tls_zona):
    chain, key = certificate()
    zona = tls_zona(chain, key)
    answer = requests.get(f'http://localhost:{zona.port}{PING}', timeout=20)
    assert answer.status_code == 400 and 'https://' in answer.json()['error']['message']


def test_garbage_and_half_a_handshake_harm_nobody(certificate, tls_zona):
    chain, key = certificate()
    zona = tls_zona(chain, key, ZONA_API_HEADER_TIMEOUT='500ms')
    half = socket.create_connection(('127.0.0.1', zona.port), timeout=20)
    half.sendall(b'\x16\x03\x01\x02\x00\x01')
    with socket.create_connection(('127.0.0.1', zona.port), timeout=20) as garbage:
        garbage.sendall(b'\x16' + os.urandom(600))
        wait_for_the_end(garbage)
    assert get(zona, chain).status_code == 200
    with half:
        wait_for_the_end(half)   # it is cut by its deadline


@pytest.mark.parametrize('ask_for', ['config reload', 'SIGHUP'])
def test_a_renewed_certificate_is_shown_without_a_restart(certificate, tls_zona, wait_until, ask_for):
    chain, key = certificate()
    zona = tls_zona(chain, key)
    before, pid = shown(zona), zona.daemon_pid()
    with requests.Session() as kept:
        kept.headers['X-API-Key'] = zona.key
        old_chain = chain.with_suffix('.old')
        old_chain.write_text(chain.read_text())
        url = f'https://localhost:{zona.port}{PING}'
        assert kept.get(url, verify=str(old_chain), timeout=20).status_code == 200
        certificate()
        if ask_for == 'SIGHUP':
            os.kill(pid, signal.SIGHUP)
        else:
            zona.run('config', 'reload')
        wait_until(lambda: shown(zona) != before)
        assert kept.get(url, verify=str(old_chain), timeout=20).status_code == 200, 'a connection in progress goes on'
    assert get(zona, chain).status_code == 200
    assert zona.daemon_pid() == pid


def test_a_bad_renewal_leaves_the_old_certificate(certificate, tls_zona, wait_until):
    chain, key = certificate()
    zona = tls_zona(chain, key)
    before, kept = shown(zona), chain.read_text()
    chain.write_text('no certificate')
    zona.run('config', 'reload')
    wait_until(lambda: 'the certificate in force stays' in (zona.home / 'logs/zonad.log').read_text())
    assert shown(zona) == before
    chain.write_text(kept)
    assert get(zona, chain).status_code == 200


def test_a_killed_daemons_successor_speaks_tls_on_the_same_port(certificate, tls_zona, wait_until):
    chain, key = certificate()
    zona = tls_zona(chain, key)
    pid = zona.daemon_pid()
    os.kill(pid, signal.SIGKILL)
    assert get(zona, chain).status_code == 200
    wait_until(lambda: zona.daemon_pid() != pid)


@pytest.mark.parametrize('what, named', [('missing', 'No such file'), ('not one', 'certificate'), ("another's key", 'key')])
def test_zona_does_not_start_with_a_certificate_that_cannot_be_used(certificate, new_zona, tmp_path, what, named):
    chain, key = certificate()
    if what == 'missing':
        chain = tmp_path / 'nowhere.pem'
    elif what == 'not one':
        chain.write_text('hello')
    else:
        _, key = certificate(stem='two')
    zona = new_zona(env={'ZONA_API_LISTEN': '127.0.0.1:0', 'ZONA_API_TLS_CERTIFICATE': str(chain), 'ZONA_API_TLS_KEY': str(key)})
    answer = zona.run('start', '/bin/sleep', '--', '1000', check=False)
    assert answer.returncode == 2 and named in answer.stderr and 'api.tls' in answer.stderr, answer


def test_an_expired_certificate_is_warned_about_and_refused_by_clients(certificate, tls_zona):
    chain, key = certificate(days=0)
    zona = tls_zona(chain, key)
    assert 'expired' in (zona.home / 'logs/zonad.log').read_text()
    with pytest.raises(requests.exceptions.SSLError, match='expired'):
        get(zona, chain)
