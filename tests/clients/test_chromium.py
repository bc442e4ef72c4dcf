"""What a browser makes of zona: its page works, and no other page gets at it."""
import http.server
import json
import threading

import pytest
import requests
from chromium import Chromium

STOP = '{"action":"stop","select":["all"]}'


@pytest.fixture
def chromium(tool):
    """chromium(hosts): a headless browser; ended with the test."""
    browsers = []

    def start(hosts=''):
        browsers.append(Chromium(tool('chromium'), hosts))
        return browsers[-1]
    yield start
    for browser in browsers:
        browser.close()


@pytest.fixture
def foreign_port():
    """The port of a web server that has nothing to do with zona: its one page is empty."""
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header('Content-Type', 'text/html')
            self.end_headers()
            self.wfile.write(b'<!doctype html><title>elsewhere</title><link rel="icon" href="data:,">')

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def unlocked_zona(open_zona):
    """A zona that asks for no key, as in development: what a page is refused here no key prevents."""
    return open_zona(ZONA_PROFILE='development', ZONA_API_AUTHENTICATION='none')


def refusals(zona):
    """(status, message) of the requests that zona's log calls failed."""
    lines = [json.loads(line) for line in (zona.home / 'logs/zonad.log').read_text().split('\n')[:-1]]
    return [(line['status'], line['error']) for line in lines if line['message'] == 'request failed']


# UX-06, UX-15
def test_the_page_works_without_a_word_in_the_console_and_asks_nobody_else(zona, chromium):
    document = requests.get(f'{zona.url}/openapi.json', timeout=20).json()
    operations = [operation['operationId'] for item in document['paths'].values() for operation in item.values()]
    page = chromium()

    page.open(f'{zona.url}/docs')

    shown = '[...document.querySelectorAll("article[data-text]")].filter(a => a.offsetParent).map(a => a.id)'
    assert sorted(page.run(shown)) == sorted(operations)
    links = page.run('[...document.querySelectorAll("nav a")].map(a => a.getAttribute("href"))')
    assert {f'#{name}' for name in operations} <= set(links)
    assert page.run('[...document.querySelectorAll("a[href^=\'#\']")].filter(a => !document.querySelector(a.hash)).length') == 0
    page.run('''{ const filter = document.getElementById("filter"); filter.focus(); filter.value = "Read LOGS";
                  filter.dispatchEvent(new Event("input")); }''')
    assert page.run(shown) == ['readLogs', 'getLogsAsPmdaemon', 'getLogsAsInReadmeOfPmdaemon']
    assert page.run('document.body.innerText.includes("http://127.0.0.1:8063")') is False, 'the samples name this very zona'
    assert page.run('getComputedStyle(document.querySelector("pre")).borderRadius') == '6px', 'the style is in force'
    assert page.complaints() == []
    assert {url for url in page.requested() if not url.startswith(f'{zona.url}/')} == set()


# SEC-21
def test_the_policy_of_the_page_lets_no_injected_code_run(zona, chromium):
    page = chromium()
    page.open(f'{zona.url}/docs')

    page.run('''{ const code = document.createElement("script"); code.textContent = "window.injected = 1"; document.body.append(code);
                  const image = document.createElement("img"); image.setAttribute("onerror", "window.injected = 2");
                  image.src = "/nowhere"; document.body.append(image); }''')
    sent = page.run('fetch("/api/v1/ping").then(() => "sent", () => "refused")')

    assert page.run('window.injected') is None
    assert sent == 'refused'
    assert len([word for word in page.complaints() if 'Content Security Policy' in word]) >= 3, page.complaints()


# SEC-21
def test_no_page_shows_zona_in_a_frame(zona, chromium, foreign_port):
    page = chromium('MAP evil.example 127.0.0.1')
    page.open(f'http://evil.example:{foreign_port}/')

    page.run(f'''new Promise(done => {{ const frame = document.createElement("iframe"); frame.onload = done;
                 frame.src = "{zona.url}/docs"; document.body.append(frame); }})''')

    assert any("frame" in word and zona.url in word for word in page.complaints()), page.complaints()


# PM-47
@pytest.mark.parametrize('where', ['evil.example', 'localhost'])
def test_a_page_of_another_origin_reads_and_changes_nothing(unlocked_zona, chromium, foreign_port, where, wait_until):
    zona = unlocked_zona
    page = chromium('MAP evil.example 127.0.0.1')
    page.open(f'http://{where}:{foreign_port}/')

    def ask(path, options='{}'):
        return page.run(f'fetch("{zona.url}{path}", {options}).then(a => a.text().then(t => a.type + " " + a.status + t), e => "refused")')
    body = f"method: 'POST', body: '{STOP}'"
    assert ask('/api/v1/processes') == 'refused'
    assert ask('/api/v1/processes', "{mode: 'no-cors'}") in ('opaque 0', 'refused')
    assert ask('/api/v1/processes', "{headers: {'X-API-Key': 'x'}}") == 'refused'
    assert ask('/api/v1/operations', f"{{{body}, headers: {{'Content-Type': 'application/json'}}}}") == 'refused'
    assert ask('/api/v1/operations', f"{{{body}, mode: 'no-cors'}}") in ('opaque 0', 'refused')
    assert page.run(f'navigator.sendBeacon("{zona.url}/api/v1/operations", new Blob([\'{STOP}\'], {{type: "text/plain"}}))') is True
    # A form needs no script and asks nobody first.
    page.run(f'''{{ const frame = document.createElement("iframe"); frame.name = "hidden"; document.body.append(frame);
                  const form = document.createElement("form"); form.target = "hidden"; form.method = "post"; form.enctype = "text/plain";
                  form.action = "{zona.url}/api/v1/operations"; document.body.append(form); form.submit(); }}''')
    assert page.run(f'new Promise(done => {{ const s = new WebSocket("{zona.url.replace("http", "ws")}/api/v1/stream");'
                    's.onopen = () => done("open"); s.onerror = () => done("refused"); })') == 'refused'

    # Two by preflights; three were sent as they are: the simple POST, the beacon, the form. And the WebSocket.
    wait_until(lambda: len([status for status, _ in refusals(zona) if status == 403]) >= 6)
    assert zona.process('nap')['status'] == 'online'


def listen(page, zona, protocols=''):
    """Opens a WebSocket in the page; "open" or "refused". What it gets stands in `window.told`."""
    return page.run(f'''new Promise(done => {{
        window.told = [];
        window.stream = new WebSocket("{zona.url.replace('http', 'ws')}/api/v1/stream", [{protocols}]);
        stream.onmessage = message => told.push(JSON.parse(message.data));
        stream.onopen = () => done("open");
        stream.onerror = () => done("refused"); }})''')


def with_key(zona):
    """What a page offers for zona's key: it can set no header."""
    return f'"zona.v1", "zona.key.{zona.key}"'


def panel(open_zona, port):
    """A zona that lets a page of panel.example in, whose web server listens on `port`."""
    return open_zona(ZONA_API_CORS_ORIGINS=f'http://panel.example:{port}')


NAMES = 'MAP *.example 127.0.0.1'
FOREIGN = ('the request comes from a page of another origin; the setting api.cors_origins names the pages that may change something here')


# PM-54, PM-56
def test_a_page_of_an_allowed_origin_sees_what_happens(open_zona, chromium, foreign_port, wait_until):
    zona = panel(open_zona, foreign_port)
    page = chromium(NAMES)
    page.open(f'http://panel.example:{foreign_port}/')

    assert listen(page, zona, with_key(zona)) == 'open'
    assert page.run('stream.protocol') == 'zona.v1'
    page.run('stream.send(JSON.stringify({type: "subscribe", id: "a", topics: ["processes", "logs"], select: ["nap", "late"]}))')
    # A list of names: one that nobody has is an error, which comes as a message.
    wait_until(lambda: page.run('told.filter(m => m.type == "error").map(m => m.error.code)') == ['NOT_FOUND'])
    page.run('stream.send(JSON.stringify({type: "subscribe", id: "b", topics: ["processes", "logs"], select: ["all"]}))')

    def seen(name):
        return page.run(f'told.filter(m => m.type == "process" && m.data.name == "{name}").map(m => m.data.status)')
    wait_until(lambda: seen('nap') == ['online'])
    zona.run('start', '/bin/sh', '--name', 'late', '--', '-c', 'echo "I am \u2603"; exec sleep 1000')
    wait_until(lambda: seen('late')[-1:] == ['online'])
    wait_until(lambda: page.run('told.filter(m => m.type == "log").map(m => m.data.line)') == ['I am \u2603'])
    zona.run('stop', 'late')
    wait_until(lambda: seen('late')[-1:] == ['stopped'])
    assert seen('nap') == ['online']

    closed = page.run('new Promise(done => { stream.onclose = e => done([e.wasClean, e.code]); stream.close(1000, "bye"); })')
    assert closed == [True, 1000]
    assert page.complaints() == []


# PM-56, PM-51
def test_a_page_needs_the_key_and_an_origin_that_is_let_in(open_zona, chromium, foreign_port):
    zona = panel(open_zona, foreign_port)
    page = chromium(NAMES)
    page.open(f'http://panel.example:{foreign_port}/')

    assert listen(page, zona) == 'refused'
    assert listen(page, zona, '"zona.v1", "zona.key.zona_key_wrong"') == 'refused'
    assert {status for status, _ in refusals(zona)} == {401}


# PM-47, PM-56
@pytest.mark.parametrize('where', ['evil.example', 'panel.example.evil.example', 'localhost', '127.0.0.1'])
def test_a_page_of_another_origin_hijacks_no_websocket_even_with_the_key(open_zona, chromium, foreign_port, where):
    """The page of another host, and of another program on this one; a stolen key does not help it."""
    zona = panel(open_zona, foreign_port)
    page = chromium(NAMES)
    page.open(f'http://{where}:{foreign_port}/')

    assert listen(page, zona, with_key(zona)) == 'refused'
    assert page.run('told') == []
    # Without an origin: the page in a frame that its sandbox takes it from.
    page.run(f'''new Promise(done => {{ const frame = document.createElement("iframe"); frame.sandbox = "allow-scripts";
        window.onmessage = message => {{ window.framed = message.data; done(); }};
        frame.srcdoc = `<script>const s = new WebSocket("{zona.url.replace('http', 'ws')}/api/v1/stream", [{with_key(zona)}]);
            s.onopen = () => parent.postMessage("open", "*"); s.onerror = () => parent.postMessage("refused", "*");<` + `/script>`;
        document.body.append(frame); }})''')
    assert page.run('framed') == 'refused'
    assert refusals(zona) == [(403, FOREIGN)] * 2


# PM-56
def test_a_page_of_zonas_own_origin_opens_a_websocket(zona, chromium, wait_until):
    page = chromium()
    page.command('Page.setBypassCSP', enabled=True)   # zona's own page asks nobody for anything
    page.open(f'{zona.url}/docs')

    assert listen(page, zona, with_key(zona)) == 'open'
    page.run('stream.send(JSON.stringify({type: "subscribe", id: "a", topics: ["processes"]}))')
    zona.run('stop', 'nap')
    wait_until(lambda: page.run('told.filter(m => m.type == "process").map(m => m.data.status)')[-1:] == ['stopped'])


# PM-52
def test_a_name_that_leads_to_the_loopback_is_not_zonas_own(unlocked_zona, chromium):
    zona = unlocked_zona
    page = chromium('MAP rebound.evil 127.0.0.1')
    page.command('Page.setBypassCSP', enabled=True)   # the policy of a refusal would hide what the refusal is worth
    port = zona.url.rpartition(':')[2]

    page.open(f'http://rebound.evil:{port}/docs')

    assert '"code":"INVALID_ARGUMENT"' in page.run('document.body.innerText')
    # Of the same origin now, as the browser sees it.
    status = page.run(f'''fetch("/api/v1/operations", {{method: "POST", headers: {{"Content-Type": "application/json"}}, body: '{STOP}'}})
                          .then(a => a.status, e => "refused")''')
    assert status == 421
    assert {status for status, _ in refusals(zona)} == {421}
    assert zona.process('nap')['status'] == 'online'
