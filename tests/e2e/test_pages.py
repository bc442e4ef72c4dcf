"""People sign in with a browser: forms, cookies, and what keeps other sites' pages out. tests/clients/test_sign_in_page.py has a real one."""
import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from openid_provider import Provider

PASSWORD = 'tulip orbit kettle 41'
SECRET = 'orchid-tundra_41'
MARKUP = '"><script>alert(1)</script>'


class Browser:
    """Keeps cookies, follows nothing by itself, and sends what a browser sends with a form."""

    def __init__(self, url):
        self.url, self.session = url, requests.Session()
        self.session.headers['Accept'] = 'text/html'

    def get(self, path, **options):
        return self.session.get(self.url + path, timeout=30, allow_redirects=False, **options)

    def post(self, path, fields, **options):
        return self.session.post(self.url + path, data=fields, timeout=30, allow_redirects=False, **options)

    def token(self, path='/login'):
        return html.unescape(re.search(r'name="csrf_token" value="([^"]+)"', self.get(path).text)[1])

    def sign_in(self, name='anna', password=PASSWORD, tenant='acme', **more):
        return self.post('/login', {'csrf_token': self.token(), 'tenant': tenant, 'name': name, 'password': password, **more})

    def cookies(self):
        return {cookie.name: cookie for cookie in self.session.cookies}


def make_user(zona, name, tenant='acme', **more):
    made = requests.post(f'{zona.url}/api/v1/tenants/{tenant}/users', headers={'X-API-Key': zona.key}, timeout=30,
                         json={'name': name, 'password': PASSWORD, 'roles': ['admin'], **more})
    assert made.status_code == 201, made.text


@pytest.fixture
def zona(open_zona):
    zona = open_zona(ZONA_FEDERATION_LOCAL_PROVIDERS='true')
    zona.run('tenant', 'create', 'acme')
    make_user(zona, 'anna')
    return zona


@pytest.fixture
def browser(zona):
    return Browser(zona.url)


def code_of(answer):
    return answer.status_code, answer.json()['error']['code']


# SEC-13, SEC-11, GAP-10
def test_a_session_begins_in_cookies_and_ends_with_the_page(zona, browser):
    begun = browser.sign_in(next='/logout')
    assert (begun.status_code, begun.headers['Location']) == (303, '/logout'), begun.text
    given = begun.raw.headers.getlist('Set-Cookie')
    assert [cookie.partition('=')[2].partition('; ')[2] for cookie in given] == [
        'Path=/; SameSite=Lax; HttpOnly', 'Path=/; SameSite=Strict', 'Path=/; SameSite=Lax; Max-Age=0; HttpOnly'], given
    page = browser.get('/account')
    assert page.status_code == 200 and 'You are anna of acme. Roles: admin.' in page.text
    who = browser.get('/api/v1/whoami').json()['data']
    assert who['principal'] == 'user anna of acme'
    mine = browser.get('/api/v1/sessions').json()['data']
    assert [session['id'] for session in mine] == [who['session']['id']] and mine[0]['method'] == 'password'
    cookie = browser.cookies()['zona_session'].value
    ended = browser.post('/logout', {'csrf_token': browser.token('/logout')})
    assert (ended.status_code, ended.headers['Location']) == (303, '/login')
    assert not {'zona_session', 'zona_csrf'} & set(browser.cookies())
    assert code_of(requests.get(zona.url + '/api/v1/whoami', cookies={'zona_session': cookie}, timeout=30)) == (401, 'UNKNOWN_TOKEN')
    assert cookie not in (zona.home / 'logs/zonad.log').read_text()
    assert browser.get('/account').headers['Location'] == '/login?next=%2Faccount'


# AUTH-12, SEC-13
def test_a_page_is_asked_for_its_token_when_its_tenant_is_served_and_before_what_it_may(zona, browser):
    make_user(zona, 'carl', roles=['user'])
    assert browser.sign_in('carl').status_code == 303

    def put(tenant):
        return code_of(browser.session.put(f'{zona.url}/api/v1/tenants/{tenant}/settings/motd', json={'value': 'x'}, timeout=30))
    zona.run('tenant', 'suspend', 'acme')
    assert put('globex') == (403, 'INVALID_TENANT')
    assert put('acme') == (403, 'TENANT_INACTIVE')
    zona.run('tenant', 'activate', 'acme')
    assert put('acme') == (403, 'CSRF_TOKEN_INVALID')
    browser.session.headers['X-CSRF-Token'] = browser.cookies()['zona_csrf'].value
    assert put('acme') == (403, 'ACCESS_DENIED')


# SEC-13, SEC-31
def test_what_a_cookie_changes_shows_the_sessions_token(zona, browser):
    browser.sign_in()
    path = '/api/v1/sessions/0197f2a4-6f1e-7cc3-98c4-dc0c0c07398f'
    cookies = {name: cookie.value for name, cookie in browser.cookies().items()}

    def end(**headers):
        return requests.delete(zona.url + path, headers=headers, cookies=cookies, timeout=30)
    assert code_of(end()) == (403, 'CSRF_TOKEN_INVALID')
    assert code_of(end(**{'X-CSRF-Token': 'x'})) == (403, 'CSRF_TOKEN_INVALID')
    assert code_of(end(**{'X-CSRF-Token': cookies['zona_csrf'], 'Referer': 'https://evil.example/'})) == (403, 'CSRF_TOKEN_INVALID')
    assert end(**{'X-CSRF-Token': cookies['zona_csrf']}).status_code == 200
    assert end(**{'X-CSRF-Token': cookies['zona_csrf'], 'Origin': zona.url}).status_code == 200
    # Another session's token.
    other = Browser(zona.url)
    other.sign_in()
    assert code_of(end(**{'X-CSRF-Token': other.cookies()['zona_csrf'].value})) == (403, 'CSRF_TOKEN_INVALID')
    assert browser.post('/logout', {}).status_code == 403
    assert browser.get('/account').status_code == 200
    # Programs are asked for nothing, whatever cookies they have.
    assert requests.post(f'{zona.url}/api/v1/tenants', json={'code': 'globex'}, headers={'X-API-Key': zona.key}, cookies=cookies, timeout=30).status_code == 201


# SEC-13
def test_nobody_is_signed_in_by_a_form_of_another_browser(zona, browser):
    mine = Browser(zona.url).token()
    fields = {'csrf_token': mine, 'tenant': 'acme', 'name': 'anna', 'password': PASSWORD}
    bare = browser.post('/login', fields)
    assert bare.status_code == 403 and 'Set-Cookie' not in bare.headers
    browser.get('/login')
    assert browser.post('/login', fields).status_code == 403
    assert browser.post('/login', {**fields, 'csrf_token': ''}).status_code == 403
    assert 'zona_session' not in browser.cookies()
    assert browser.post('/login', {**fields, 'csrf_token': browser.token()}, headers={'Origin': 'https://evil.example'}).status_code == 403


# SEC-13, SEC-21
def test_over_tls_cookies_are_of_this_host_alone(open_zona):
    zona = open_zona(ZONA_API_TRUSTED_PROXIES='127.0.0.0/8')
    zona.run('tenant', 'create', 'acme')
    make_user(zona, 'anna')
    headers = {'X-Forwarded-Proto': 'https', 'Accept': 'text/html'}
    page = requests.get(f'{zona.url}/login', headers=headers, timeout=30)
    assert 'Strict-Transport-Security' in page.headers
    visitor, _, attributes = page.headers['Set-Cookie'].partition('; ')
    assert visitor.startswith('__Host-zona_visitor=') and attributes == 'Path=/; SameSite=Lax; HttpOnly; Secure'
    fields = {'csrf_token': html.unescape(re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1]), 'tenant': 'acme', 'name': 'anna', 'password': PASSWORD}
    begun = requests.post(f'{zona.url}/login', data=fields, headers={**headers, 'Cookie': visitor}, timeout=30, allow_redirects=False)
    given = begun.raw.headers.getlist('Set-Cookie')
    assert len(given) == 3 and all(cookie.startswith('__Host-zona_') and cookie.endswith('; Secure') for cookie in given), given
    session = given[0].partition(';')[0]

    def who(cookie):
        return requests.get(f'{zona.url}/api/v1/whoami', headers={**headers, 'Cookie': cookie}, timeout=30, allow_redirects=False).status_code
    assert who(session) == 200
    assert who(session.removeprefix('__Host-')) == 401, 'any host beside it, and anybody on the way, can have set that one'
    assert who(f'{session}; __Host-zona_session=zona_session_x') == 401


# SEC-11, SEC-13
def test_what_is_wrong_is_said_with_the_form_and_markup_stays_text(zona, browser):
    wrong = browser.sign_in(name=MARKUP, password='nonsense', tenant=MARKUP, next='//evil.example/')
    assert wrong.status_code == 401 and '<form' in wrong.text
    assert '<script' not in wrong.text and 'nonsense' not in wrong.text and 'evil.example' not in wrong.text
    assert html.escape(MARKUP) in wrong.text
    unknown = browser.sign_in(name='nobody')
    known = browser.sign_in(password='nonsense')
    assert re.search('<p class="problem">.*?</p>', unknown.text)[0] == re.search('<p class="problem">.*?</p>', known.text)[0]
    for page in (wrong, browser.get('/login', params={'tenant': MARKUP, 'next': MARKUP})):
        policy = page.headers['Content-Security-Policy']
        assert policy.startswith("default-src 'none'; style-src 'sha256-") and 'unsafe' not in policy and "frame-ancestors 'none'" in policy
        assert '<script' not in page.text and page.headers['Cache-Control'] == 'no-store, no-transform'
    # What administrators have stored.
    body = {'name': 'corp', 'display_name': MARKUP, 'issuer': 'https://login.example', 'client_id': 'zona'}
    assert requests.post(f'{zona.url}/api/v1/tenants/acme/identity-providers', headers={'X-API-Key': zona.key}, json=body, timeout=30).status_code == 201
    shown = browser.get('/login?tenant=acme').text
    assert html.escape(MARKUP) in shown and '<script' not in shown
    browser.session.headers['User-Agent'] = MARKUP
    browser.sign_in()
    shown = browser.get('/account').text
    assert html.escape(MARKUP) in shown and '<script' not in shown


# SEC-13
@pytest.mark.parametrize('away', ['//evil.example', 'https://evil.example/', '/\\evil.example', 'javascript:alert(1)', '/\t/evil.example'])
def test_a_sign_in_leads_nowhere_else(browser, away):
    assert 'evil.example' not in browser.get('/login', params={'next': away}).text
    assert browser.sign_in(next=away).headers['Location'] == '/account'


# SEC-13
def test_one_ends_ones_own_sessions_and_no_others(zona, browser):
    make_user(zona, 'bert')
    other, bert = Browser(zona.url), Browser(zona.url)
    for each, name in ((browser, 'anna'), (other, 'anna'), (bert, 'bert')):
        assert each.sign_in(name).status_code == 303
    own, his = (each.get('/api/v1/whoami').json()['data']['session']['id'] for each in (other, bert))
    page = browser.get('/account').text
    assert own in page and his not in page

    def end(which):
        return browser.post('/account/sessions', {'csrf_token': browser.token('/account'), 'id': which})
    assert (end(his).status_code, bert.get('/account').status_code) == (303, 200)
    assert end('nonsense').status_code == 400
    assert (end(own).headers['Location'], other.get('/account').status_code) == ('/account', 303)
    assert end(browser.get('/api/v1/whoami').json()['data']['session']['id']).headers['Location'] == '/login'
    assert browser.get('/account').status_code == 303
    assert requests.get(zona.url + '/account', headers={'X-API-Key': zona.key}, timeout=30).status_code == 409


# SEC-13
def test_a_password_that_must_be_changed_is_changed_first(zona, browser):
    make_user(zona, 'bert', must_change_password=True)
    sent = browser.sign_in('bert', next='/logout')
    assert sent.status_code == 303 and 'zona_session' not in browser.cookies()
    where = sent.headers['Location']
    assert where == '/login/passwords?tenant=acme&name=bert&next=%2Flogout'
    fields = {'csrf_token': browser.token(where), 'tenant': 'acme', 'name': 'bert', 'password': PASSWORD,
              'new_password': 'meadow piston lantern', 'new_password_again': 'meadow piston lantern'}
    assert browser.post('/login/passwords', {**fields, 'new_password_again': 'another'}).status_code == 400
    weak = browser.post('/login/passwords', {**fields, 'new_password': 'password1234', 'new_password_again': 'password1234'})
    assert weak.status_code == 400 and 'new_password' in weak.text
    assert browser.post('/login/passwords', {**fields, 'csrf_token': 'x'}).status_code == 403
    assert browser.post('/login/passwords', fields).status_code == 200
    assert browser.sign_in('bert', 'meadow piston lantern').headers['Location'] == '/account'


@pytest.fixture
def provider(free_port, zona):
    provider = Provider(free_port, 'zona', SECRET, [f'{zona.url}/login/callback'])
    provider.user['preferred_username'] = 'carla'
    body = {'name': 'corp', 'issuer': provider.issuer, 'client_id': 'zona', 'client_secret': SECRET, 'newcomers': 'create'}
    made = requests.post(f'{zona.url}/api/v1/tenants/acme/identity-providers', headers={'X-API-Key': zona.key}, json=body, timeout=30)
    assert made.status_code == 201, made.text
    yield provider
    provider.close()


def at_provider(browser, next_='/logout'):
    """What the provider sends the browser back to."""
    link = re.search(r'href="(/login/providers[^"]*)"', browser.get('/login', params={'tenant': 'ACME', 'next': next_}).text)[1]
    there = browser.get(html.unescape(link))
    assert there.status_code == 303, there.text
    sent = requests.get(there.headers['Location'], allow_redirects=False, timeout=30)
    assert sent.status_code == 302, sent.text
    return urlsplit(sent.headers['Location'])


# AUTH-26, SEC-13
def test_a_provider_signs_in_who_began_and_nobody_else(zona, browser, provider):
    back = at_provider(browser)
    assert back.path == '/login/callback'
    provider.user = {'sub': '7', 'preferred_username': 'mallory'}
    theirs = at_provider(Browser(zona.url))
    stolen = browser.get(f'/login/callback?{theirs.query}')
    assert stolen.status_code == 401 and 'zona_session' not in browser.cookies()
    assert Browser(zona.url).get(f'/login/callback?{back.query}').status_code == 401
    done = browser.get(f'/login/callback?{back.query}&session_state=what+it+likes')
    assert done.status_code == 303 and done.headers['Location'] == '/logout', done.text
    assert browser.get('/api/v1/sessions').json()['data'][0]['method'] == 'provider:corp'
    assert 'zona_attempt' not in browser.cookies()
    assert browser.get(f'/login/callback?{back.query}').status_code == 401, 'it is good once'

    def on_record():
        entries = requests.get(f'{zona.url}/api/v1/audit?action=finishSignInByPage', headers={'X-API-Key': zona.key}, timeout=30).json()['data']
        return sorted(entry['outcome'] for entry in entries)
    zona.wait_until(lambda: on_record() == ['refused'] * 3 + ['success'], what=on_record)


# AUTH-26
def test_a_refusal_of_the_provider_is_said(browser, provider):
    provider.user = None
    back = at_provider(browser)
    refused = browser.get(f'/login/callback?{back.query}')
    assert refused.status_code == 401 and 'access_denied' in refused.text and '/login' in refused.text
    assert parse_qs(back.query)['state'][0] not in refused.text
    # A code may look like a token; elsewhere in an address a token is refused for that.
    assert browser.get('/login/callback?state=x&code=eyJhbGciOiJFZERTQSJ9.e30.c2ln').status_code == 401
    assert browser.get('/login/callback?state=eyJhbGciOiJFZERTQSJ9.e30.c2ln').status_code == 400
    assert browser.get('/login/providers?tenant=acme&name=nobody').status_code == 404
    assert browser.get('/login/providers?tenant=acme&name=corp', headers={'Host': 'localhost:80'}).status_code == 503
