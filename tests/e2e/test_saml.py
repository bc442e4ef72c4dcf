"""Users sign in by SAML."""
import base64
import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from openid_provider import Provider
from saml_provider import SamlProvider

BACK = 'http://127.0.0.1:4711/back'
PUBLIC = 'https://zona.example'


def ask(zona, method, path, token=None, **options):
    headers = {'Authorization': f'Bearer {token}'} if token else {}
    return requests.request(method, zona.url + path, headers=headers, timeout=60, allow_redirects=False, **options)


def code_of(answer):
    return answer.status_code, answer.json()['error']['code']


@pytest.fixture(scope='module')
def saml(tmp_path_factory):
    import socket
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    provider = SamlProvider(port, tmp_path_factory.mktemp('saml') / 'keys')
    yield provider
    provider.close()


@pytest.fixture
def zona(open_zona, saml):
    zona = open_zona(ZONA_FEDERATION_LOCAL_PROVIDERS='true', ZONA_FEDERATION_PUBLIC_URL=PUBLIC)
    for code in ('acme', 'globex'):
        zona.run('tenant', 'create', code)
    saml.person()
    return zona


def set_up(zona, saml, tenant='acme', **more):
    body = {'name': 'corp', 'kind': 'saml', 'metadata': saml.metadata, 'claims': {'name': 'uid', 'email': 'mail'},
            'roles': {'soc': 'admin'}, 'newcomers': 'create', **more}
    made = ask(zona, 'POST', f'/api/v1/tenants/{tenant}/identity-providers', zona.key, json=body)
    assert made.status_code == 201, made.text
    saml.trust(ask(zona, 'GET', f'/api/v1/service-providers/{tenant}/corp').text)
    return made.json()['data']


def begin(zona, tenant='acme'):
    begun = ask(zona, 'POST', '/api/v1/sign-ins', json={'tenant': tenant, 'provider': 'corp', 'redirect_uri': BACK})
    assert begun.status_code == 201, begun.text
    return begun.json()['data']


def bring(zona, action, fields, **headers):
    """What a browser does with the provider's page."""
    assert action.startswith(PUBLIC)
    return requests.post(zona.url + action.removeprefix(PUBLIC), data=fields, headers={'Origin': 'https://login.example', **headers},
                         allow_redirects=False, timeout=60)


def finish(zona, begun, brought):
    assert brought.status_code == 303, brought.text
    assert brought.headers['Location'].startswith(BACK)
    answer = {name: values[0] for name, values in parse_qs(urlsplit(brought.headers['Location']).query).items()}
    return ask(zona, 'POST', '/api/v1/sign-ins/completions', json={'attempt': begun['attempt'], **answer})


def sign_in(zona, saml, tenant='acme'):
    begun = begin(zona, tenant)
    return finish(zona, begun, bring(zona, *saml.sign_in(begun['url'])))


def changed(fields, change):
    """The fields with another answer: change(xml)."""
    xml = base64.b64decode(fields['SAMLResponse']).decode()
    return {**fields, 'SAMLResponse': base64.b64encode(change(xml).encode()).decode()}


# AUTH-26, AUTH-18
def test_a_user_signs_in_by_saml(zona, saml):
    shown = set_up(zona, saml)
    assert shown['issuer'] == saml.url + '/metadata' and 'encryption_key' not in shown
    assert shown['client_id'] == '' and None not in shown.values()
    tokens = sign_in(zona, saml)
    assert tokens.status_code == 201, tokens.text
    tokens = tokens.json()['data']
    assert tokens['session']['method'] == 'provider:corp' and tokens['session']['roles'] == ['admin']
    assert ask(zona, 'GET', '/api/v1/tenants/acme/users', tokens['access_token']).status_code == 200
    assert ask(zona, 'GET', '/api/v1/tenants/globex/users', tokens['access_token']).status_code == 403
    # Who it is is the NameID, whatever their name becomes; roles are those of today.
    saml.person(attributes={'uid': ['anna.smith'], 'groups': []})
    again = sign_in(zona, saml).json()['data']
    assert again['session']['user_id'] == tokens['session']['user_id'] and again['session']['roles'] == []
    assert code_of(ask(zona, 'GET', '/api/v1/whoami', tokens['access_token'])) == (401, 'UNKNOWN_TOKEN')


# AUTH-26
@pytest.mark.parametrize('more', [{'sign': ['response']}, {'sign': ['assertion', 'response']}, {'encrypt': True},
                                  {'encrypt': True, 'sign': ['response']}], ids=str)
def test_answers_may_be_signed_and_encrypted_as_providers_like(zona, saml, more):
    set_up(zona, saml)
    saml.person(**more)
    signed_in = sign_in(zona, saml)
    assert signed_in.status_code == 201, signed_in.text


# AUTH-27
def test_two_providers_of_two_kinds_at_once(zona, saml, free_port):
    openid = Provider(free_port, 'zona', 'orchid-tundra_41', [BACK])
    try:
        set_up(zona, saml)
        body = {'name': 'other', 'issuer': openid.issuer, 'client_id': 'zona', 'client_secret': 'orchid-tundra_41', 'newcomers': 'create'}
        assert ask(zona, 'POST', '/api/v1/tenants/acme/identity-providers', zona.key, json=body).status_code == 201
        by_saml = sign_in(zona, saml).json()['data']['session']
        # The same name there is another account, and no way into this one.
        begun = ask(zona, 'POST', '/api/v1/sign-ins', json={'tenant': 'acme', 'provider': 'other', 'redirect_uri': BACK}).json()['data']
        sent = requests.get(begun['url'], allow_redirects=False, timeout=30).headers['Location']
        answer = {name: values[0] for name, values in parse_qs(urlsplit(sent).query).items()}
        refused = ask(zona, 'POST', '/api/v1/sign-ins/completions', json={'attempt': begun['attempt'], **answer})
        assert code_of(refused) == (403, 'ACCESS_DENIED')
        openid.user.update(preferred_username='bert', sub='9')
        begun = ask(zona, 'POST', '/api/v1/sign-ins', json={'tenant': 'acme', 'provider': 'other', 'redirect_uri': BACK}).json()['data']
        sent = requests.get(begun['url'], allow_redirects=False, timeout=30).headers['Location']
        answer = {name: values[0] for name, values in parse_qs(urlsplit(sent).query).items()}
        by_openid = ask(zona, 'POST', '/api/v1/sign-ins/completions', json={'attempt': begun['attempt'], **answer}).json()['data']['session']
        assert {by_saml['method'], by_openid['method']} == {'provider:corp', 'provider:other'}
        assert by_saml['user_id'] != by_openid['user_id']
    finally:
        openid.close()


# AUTH-26
def test_an_answer_is_good_once_and_for_whoever_began(zona, saml):
    set_up(zona, saml)
    mine, theirs = begin(zona), begin(zona)
    form = saml.sign_in(mine['url'])
    brought = bring(zona, *form)
    assert code_of(finish(zona, theirs, brought)) == (401, 'UNAUTHENTICATED')
    assert finish(zona, mine, brought).status_code == 201
    assert code_of(finish(zona, mine, brought)) == (401, 'UNAUTHENTICATED'), 'the code was used'
    assert code_of(finish(zona, mine, bring(zona, *form))) == (401, 'UNAUTHENTICATED'), 'the answer was replayed'
    # With the state of somebody else it is no answer to what they asked.
    action, fields = saml.sign_in(begin(zona)['url'])
    theirs_form = saml.sign_in(theirs['url'])[1]
    assert code_of(bring(zona, action, {**fields, 'RelayState': theirs_form['RelayState']})) == (401, 'INVALID_TOKEN')


# AUTH-26
def test_nobody_is_let_in_who_did_not_ask(zona, saml):
    set_up(zona, saml)
    action, fields = saml.sign_in(begin(zona)['url'])
    assert code_of(bring(zona, action, {'SAMLResponse': fields['SAMLResponse']})) == (400, 'INVALID_ARGUMENT')
    saml.person(changes=[['InResponseTo="[^"]*"', '']])
    refused = bring(zona, *saml.sign_in(begin(zona)['url']))
    assert code_of(refused) == (401, 'INVALID_TOKEN') and 'InResponseTo' in refused.text
    elsewhere = {**fields, 'RelayState': fields['RelayState'].replace('127.0.0.1', 'evil.example')}
    assert code_of(bring(zona, action, elsewhere)) == (400, 'INVALID_ARGUMENT')


def edited(zona, saml, old, new):
    """What becomes of an answer that the provider has changed so before it signed."""
    saml.person(changes=[[re.escape(old), new]])
    return bring(zona, *saml.sign_in(begin(zona)['url']))


# AUTH-26
def test_answers_for_others_and_other_times_are_refused(zona, saml):
    set_up(zona, saml)
    entity = f'{PUBLIC}/api/v1/service-providers/acme/corp'
    for old, new, why in ((f'Audience>{entity}<', f'Audience>{PUBLIC}/other<', 'another audience'),
                          (f'Recipient="{entity}/answers"', 'Recipient="https://other.example"', 'another recipient'),
                          (f'Destination="{entity}/answers"', 'Destination="https://other.example"', 'Destination'),
                          (f'>{saml.url}/metadata<', '>https://other.example<', 'another issuer')):
        refused = edited(zona, saml, old, new)
        assert code_of(refused) == (401, 'INVALID_TOKEN') and why in refused.text, (old, refused.text)
    # Times: the provider's clock is a year off.
    year = re.search(r'NotOnOrAfter="(\d{4})-', answer_text(saml, begin(zona)))[1]
    refused = edited(zona, saml, f'="{year}-', f'="{int(year) - 1}-')
    assert code_of(refused) == (401, 'INVALID_TOKEN') and 'is over' in refused.text, refused.text
    refused = edited(zona, saml, f'="{year}-', f'="{int(year) + 1}-')
    assert code_of(refused) == (401, 'INVALID_TOKEN') and 'of the future' in refused.text, refused.text


def answer_text(saml, begun):
    saml.person()
    return base64.b64decode(saml.sign_in(begun['url'])[1]['SAMLResponse']).decode()


# AUTH-26
def test_unsigned_answers_and_those_of_other_keys_are_refused(zona, saml):
    set_up(zona, saml)
    saml.person(sign=[])
    refused = bring(zona, *saml.sign_in(begin(zona)['url']))
    assert code_of(refused) == (401, 'INVALID_TOKEN') and 'is not signed' in refused.text
    saml.person(key='foreign')
    refused = bring(zona, *saml.sign_in(begin(zona)['url']))
    assert code_of(refused) == (401, 'INVALID_TOKEN') and 'signed by nobody' in refused.text


def wrapping(xml):
    """The eight ways of wrapping a signed answer (Somorovsky et al., 2012), each with whom it would let in."""
    head, response = re.match(r'(<\?xml[^>]*\?>\s*)?(.*)$', xml, re.S).groups()
    head = head or ''
    assertion = re.search(r'<(\w+):Assertion .*</\1:Assertion>', response, re.S)[0]
    signature = re.search(r'<(\w+):Signature .*?</\1:Signature>', assertion, re.S)[0]
    bare = assertion.replace(signature, '')
    evil = re.sub(r' ID="[^"]*"', ' ID="_evil"', bare, count=1).replace('anna', 'root')
    closing = re.search(r'</\w+:Signature>$', signature)[0]
    prefix = closing[2:].split(':')[0]
    in_object = signature.replace(closing, f'<{prefix}:Object>{{}}</{prefix}:Object>{closing}')
    subject = re.search(r'<\w+:Subject>', evil)[0]

    def in_evil(what):
        return evil.replace(subject, what + subject, 1)

    other_response = re.sub(r' ID="[^"]*"', ' ID="_other"', response.replace(assertion, '{}'), count=1)
    yield head + other_response.replace('{}', evil + in_object.replace('{}', response))
    yield head + other_response.replace('{}', response + evil)
    for instead in (evil + assertion, in_evil(assertion), in_evil(signature) + bare, in_evil(in_object.replace('{}', bare)),
                    f'<x:Extensions xmlns:x="urn:oasis:names:tc:SAML:2.0:protocol">{evil}</x:Extensions>' + assertion,
                    in_evil(in_object.replace('{}', assertion))):
        yield head + response.replace(assertion, instead)


# AUTH-26
def test_signatures_are_not_wrapped(zona, saml):
    set_up(zona, saml)
    for sign in (['assertion'], ['assertion', 'response']):
        saml.person(sign=sign)
        action, fields = saml.sign_in(begin(zona)['url'])
        for number, xml in enumerate(wrapping(base64.b64decode(fields['SAMLResponse']).decode()), 1):
            refused = bring(zona, action, changed(fields, lambda _, xml=xml: xml))
            assert code_of(refused) == (401, 'INVALID_TOKEN'), (number, sign)
            assert 'no XML' not in refused.text, (number, sign, xml)
        assert bring(zona, action, fields).status_code == 303, 'as it was it lets in'
    users = ask(zona, 'GET', '/api/v1/tenants/acme/users', zona.key).json()['data']
    assert 'root' not in str(users)


# AUTH-26
def test_tricks_with_text_change_nobody(zona, saml):
    set_up(zona, saml, claims={'name': 'NameID'})
    saml.person(name_id='root.evil.example')
    begun = begin(zona)
    action, fields = saml.sign_in(begun['url'])
    split = changed(fields, lambda xml: xml.replace('>root.', '>root<!-- -->.'))
    who = finish(zona, begun, bring(zona, action, split))
    assert who.status_code == 201, who.text
    assert who.json()['data']['session']['name'] == 'root.evil.example'
    for doctype in ('<!DOCTYPE r [<!ENTITY who "root">]>', '<!DOCTYPE r SYSTEM "file:///etc/passwd">',
                    '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'):
        trick = changed(fields, lambda xml: doctype + re.sub(r'<\?xml[^>]*\?>', '', xml))
        refused = bring(zona, action, trick)
        assert code_of(refused) == (401, 'INVALID_TOKEN') and 'document type' in refused.text


# AUTH-26
def test_huge_and_broken_answers_are_refused(zona, saml):
    set_up(zona, saml)
    action, fields = saml.sign_in(begin(zona)['url'])
    huge = changed(fields, lambda xml: xml.replace('>anna<', '>' + 'a' * 150_000 + '<'))
    assert bring(zona, action, huge).status_code in (400, 401, 413)
    assert bring(zona, action, {**fields, 'SAMLResponse': 'A' * 5_000_000}).status_code == 413
    for text in ('', 'no base64', base64.b64encode(b'<a').decode(), base64.b64encode(b'<a/>').decode()):
        assert bring(zona, action, {**fields, 'SAMLResponse': text}).status_code in (400, 401), text
    assert bring(zona, action.replace('/acme/', '/globex/'), fields).status_code == 404
    assert requests.post(zona.url + action.removeprefix(PUBLIC), json=fields, timeout=30).status_code == 415
    assert requests.get(zona.url + '/livez', timeout=30).status_code == 200


# AUTH-26, PM-52
def test_pages_of_others_bring_answers_and_nothing_else(zona, saml):
    set_up(zona, saml)
    assert bring(zona, *saml.sign_in(begin(zona)['url']), **{'Sec-Fetch-Site': 'cross-site'}).status_code == 303
    foreign = requests.post(zona.url + '/api/v1/sign-ins', json={}, headers={'Origin': 'https://login.example'}, timeout=30)
    assert code_of(foreign) == (403, 'FORBIDDEN')


# AUTH-26, GAP-06
def test_nobody_speaks_for_anothers_entity(zona, saml):
    set_up(zona, saml)
    path = '/api/v1/tenants/acme/identity-providers'
    body = {'name': 'twin', 'kind': 'saml', 'metadata': saml.metadata}
    assert code_of(ask(zona, 'POST', path, zona.key, json=body)) == (409, 'CONFLICT')
    for wrong in ({'metadata': '<a/>'}, {'metadata': '<!DOCTYPE a><a/>'}, {'metadata': ''}, {'client_id': 'zona'}, {'metadata_url': 'ftp://x'}):
        assert code_of(ask(zona, 'POST', path, zona.key, json={**body, **wrong})) == (400, 'INVALID_ARGUMENT'), wrong
    assert ask(zona, 'POST', '/api/v1/tenants/globex/identity-providers', zona.key, json=body).status_code == 201


# AUTH-27
def test_the_command_sets_saml_up(zona, saml, tmp_path):
    metadata = tmp_path / 'metadata.xml'
    metadata.write_text(saml.metadata)
    zona.run('idp', 'add', 'corp', '--tenant', 'acme', '--saml', '--metadata', str(metadata), '--group', 'soc=creator', '--create-users',
             '--name-claim', 'uid')
    shown = zona.run('idp', 'show', 'corp', '--tenant', 'acme').stdout
    assert 'saml' in shown and saml.url in shown
    saml.trust(ask(zona, 'GET', '/api/v1/service-providers/acme/corp').text)
    assert sign_in(zona, saml).json()['data']['session']['roles'] == ['creator']
    # What it encrypts to stays the same.
    saml.person(encrypt=True)
    zona.run('idp', 'replace', 'corp', '--tenant', 'acme', '--saml', '--metadata', saml.url + '/metadata', '--name-claim', 'uid')
    assert sign_in(zona, saml).status_code == 201
    zona.run('idp', 'replace', 'corp', '--tenant', 'acme', '--saml', '--metadata', saml.url + '/metadata', '--off')
    assert ask(zona, 'POST', '/api/v1/sign-ins', json={'tenant': 'acme', 'provider': 'corp', 'redirect_uri': BACK}).status_code == 404
    assert zona.run('idp', 'add', 'x', '--tenant', 'acme', '--saml', check=False).returncode != 0


# AUTH-26
def test_without_its_address_zona_takes_no_saml(open_zona, saml):
    zona = open_zona()
    zona.run('tenant', 'create', 'acme')
    body = {'name': 'corp', 'kind': 'saml', 'metadata': saml.metadata}
    refused = ask(zona, 'POST', '/api/v1/tenants/acme/identity-providers', zona.key, json=body)
    assert code_of(refused) == (400, 'INVALID_ARGUMENT') and 'federation.public_url' in refused.text


# AUTH-26, SEC-13
def test_a_browser_is_signed_in_by_the_page(zona, saml):
    set_up(zona, saml)
    browser = requests.Session()
    browser.headers['Accept'] = 'text/html'
    link = re.search(r'href="(/login/providers[^"]*)"', browser.get(zona.url + '/login?tenant=acme', timeout=30).text)[1]
    there = browser.get(zona.url + html.unescape(link), allow_redirects=False, timeout=30)
    assert there.status_code == 303, there.text
    action, fields = saml.sign_in(there.headers['Location'])
    # The provider's page is of another site: the browser's cookies do not come along.
    back = bring(zona, action, fields)
    assert back.status_code == 303 and back.headers['Location'].startswith(f'{zona.url}/login/callback?'), back.text
    assert 'Set-Cookie' not in back.headers
    strangers = requests.get(back.headers['Location'], allow_redirects=False, timeout=30)
    assert strangers.status_code == 401
    done = browser.get(back.headers['Location'], allow_redirects=False, timeout=30)
    assert done.status_code == 303, done.text
    assert browser.get(zona.url + '/api/v1/sessions', timeout=30).json()['data'][0]['method'] == 'provider:corp'
    refused = bring(zona, action, {**fields, 'SAMLResponse': 'PGEvPg=='}, Accept='text/html')
    assert refused.status_code == 401 and refused.headers['Content-Type'].startswith('text/html') and '/login' in refused.text
