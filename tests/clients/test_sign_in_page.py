"""People sign in with a browser, with its scripts off, and other sites' pages get nothing of it."""
import base64
import hashlib
import hmac
import http.server
import struct
import threading
import time

import pytest
import requests
from chromium import Chromium
from openid_provider import Provider

PASSWORD = 'tulip orbit kettle 41'
SECRET = 'orchid-tundra_41'


@pytest.fixture
def chromium(tool):
    """chromium(): a headless browser that runs no script of pages; ended with the test."""
    browsers = []

    def start():
        browser = Chromium(tool('chromium'), 'MAP evil.example 127.0.0.1')
        browsers.append(browser)
        browser.command('Emulation.setScriptExecutionDisabled', value=True)
        return browser
    yield start
    for browser in browsers:
        browser.close()


@pytest.fixture
def zona(open_zona):
    zona = open_zona(ZONA_FEDERATION_LOCAL_PROVIDERS='true')
    zona.run('tenant', 'create', 'acme')
    made = requests.post(f'{zona.url}/api/v1/tenants/acme/users', headers={'X-API-Key': zona.key}, timeout=30,
                         json={'name': 'anna', 'password': PASSWORD, 'roles': ['admin']})
    assert made.status_code == 201, made.text
    return zona


def fill(page, **fields):
    for name, value in fields.items():
        page.run(f'document.querySelector("main form [name={name}]").value = "{value}"')


def press(page, form='main form'):
    page.follow(f'document.querySelector("{form} button").click()')


def shown(page):
    return page.run('document.querySelector("main").innerText')


def sign_in(page, zona, **more):
    page.open(f'{zona.url}/login?tenant=acme')
    fill(page, name='anna', password=PASSWORD, **more)
    press(page)


def cookies(page, zona):
    return {cookie['name']: cookie for cookie in page.command('Network.getCookies', urls=[zona.url])['cookies']}


# SEC-13, SEC-11
def test_somebody_signs_in_and_out_without_script(zona, chromium):
    page = chromium()
    page.open(f'{zona.url}/account')
    assert page.run('location.pathname + location.search') == '/login?next=%2Faccount'
    fill(page, tenant='acme', name='anna', password='wrong')
    press(page)
    assert 'wrong' in shown(page) and page.run('document.querySelector("[name=name]").value') == 'anna'
    fill(page, password=PASSWORD)
    press(page)
    assert page.run('location.pathname') == '/account' and 'You are anna of acme' in shown(page)
    kept = cookies(page, zona)
    assert (kept['zona_session']['httpOnly'], kept['zona_session']['sameSite']) == (True, 'Lax')
    assert (kept['zona_csrf']['httpOnly'], kept['zona_csrf']['sameSite']) == (False, 'Strict')
    assert page.run('document.cookie').startswith('zona_csrf=') and 'zona_session' not in page.run('document.cookie')
    press(page)
    assert page.run('location.pathname') == '/login' and 'zona_session' not in cookies(page, zona)
    page.open(f'{zona.url}/account')
    assert page.run('location.pathname') == '/login'
    assert not [word for word in page.complaints() if 'Content Security Policy' in word], page.complaints()


def code_at(secret, step):
    digest = hmac.digest(base64.b32decode(secret), struct.pack('>Q', step), hashlib.sha1)
    return f'{(struct.unpack(">I", digest[digest[-1] & 15:][:4])[0] & 0x7fffffff) % 1000000:06}'


# SEC-13, AUTH-31
def test_a_second_factor_is_asked_for(zona, chromium):
    token = requests.post(f'{zona.url}/api/v1/sessions', json={'tenant': 'acme', 'name': 'anna', 'password': PASSWORD}, timeout=30).json()['data']['access_token']
    headers = {'Authorization': f'Bearer {token}'}
    secret = requests.post(f'{zona.url}/api/v1/second-factor', json={'password': PASSWORD}, headers=headers, timeout=30).json()['data']['secret']
    step = int(time.time()) // 30
    confirmed = requests.post(f'{zona.url}/api/v1/second-factor/confirmations', json={'code': code_at(secret, step)}, headers=headers, timeout=30)
    assert confirmed.status_code == 201, confirmed.text
    page = chromium()
    sign_in(page, zona)
    assert page.run('location.pathname') == '/login' and 'zona_session' not in cookies(page, zona)
    fill(page, password=PASSWORD, code=confirmed.json()['data']['recovery_codes'][0])
    press(page)
    assert 'password+code' in shown(page)


# AUTH-26, SEC-13
def test_an_identity_provider_signs_in(zona, chromium, free_port):
    provider = Provider(free_port, 'zona', SECRET, [f'{zona.url}/login/callback'])
    try:
        body = {'name': 'corp', 'display_name': 'Corporate login', 'issuer': provider.issuer, 'client_id': 'zona', 'client_secret': SECRET, 'newcomers': 'existing'}
        zona_users = f'{zona.url}/api/v1/tenants/acme'
        requests.post(f'{zona_users}/identity-providers', headers={'X-API-Key': zona.key}, json=body, timeout=30).raise_for_status()
        provider.user = {'sub': '9', 'preferred_username': 'bert'}
        requests.post(f'{zona_users}/users', headers={'X-API-Key': zona.key}, json={'name': 'bert', 'roles': []}, timeout=30).raise_for_status()
        page = chromium()
        page.open(f'{zona.url}/login?tenant=acme')
        page.follow('[...document.querySelectorAll("a")].find(a => a.innerText == "Corporate login").click()')
        assert page.run('location.pathname') == '/account' and 'You are bert of acme' in shown(page)
        assert 'provider:corp' in shown(page) and 'zona_attempt' not in cookies(page, zona)
    finally:
        provider.close()


@pytest.fixture
def foreign():
    """foreign(html): the port of a web server whose one page holds this."""
    servers = []

    def serve(content):
        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header('Content-Type', 'text/html')
                self.end_headers()
                self.wfile.write(f'<!doctype html><title>elsewhere</title><link rel="icon" href="data:,"><main>{content}</main>'.encode())

            def log_message(self, *_):
                pass
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Page)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return server.server_port
    yield serve
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def form_of(zona, path, **fields):
    inputs = ''.join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    return f'<form method="post" action="{zona.url}{path}">{inputs}<button>win a prize</button></form>'


# SEC-13. On another port the page is of the same site, and the browser sends the cookie.
@pytest.mark.parametrize('host', ['evil.example', '127.0.0.1'])
def test_forms_of_other_pages_neither_sign_out_nor_in(zona, chromium, foreign, host):
    page = chromium()
    sign_in(page, zona)
    token = cookies(page, zona)['zona_csrf']['value']
    port = foreign(form_of(zona, '/logout', csrf_token=token))
    page.open(f'http://{host}:{port}/')
    press(page)
    assert '"success":false' in page.run('document.body.innerText') or 'did not work' in page.run('document.body.innerText')
    page.open(f'{zona.url}/account')
    assert 'You are anna of acme' in shown(page)

    another = chromium()
    another.open(f'{zona.url}/login')
    port = foreign(form_of(zona, '/login', tenant='acme', name='anna', password=PASSWORD))
    another.open(f'http://{host}:{port}/')
    press(another)
    assert 'zona_session' not in cookies(another, zona)


# SEC-13
def test_a_page_of_another_origin_opens_no_socket_by_the_cookie(zona, chromium, foreign):
    page = chromium()
    sign_in(page, zona)
    page.command('Emulation.setScriptExecutionDisabled', value=False)
    page.open(f'http://127.0.0.1:{foreign("")}/')
    socket = zona.url.replace('http', 'ws')
    assert page.run(f'new Promise(done => {{ const s = new WebSocket("{socket}/api/v1/stream"); s.onopen = () => done("open"); s.onerror = () => done("refused"); }})') == 'refused'
    assert page.run(f'fetch("{zona.url}/api/v1/whoami", {{credentials: "include"}}).then(() => "read", () => "refused")') == 'refused'
