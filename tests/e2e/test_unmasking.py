"""What is personal in the record: masked for who may only read the record, shown for a reason that is put on record."""
import csv
import io

import requests

PASSWORD = 'tulip orbit kettle 41'
RECORD = '/api/v1/tenants/acme/audit'


def sign_in(zona, name, roles):
    zona.run('user', 'create', name, '--tenant', 'acme', '--roles', roles, '--password-file', '-', input=PASSWORD)
    answer = requests.post(zona.url + '/api/v1/sessions', json={'tenant': 'acme', 'name': name, 'password': PASSWORD}, timeout=20)
    header = {'Authorization': f"Bearer {answer.json()['data']['access_token']}"}
    return lambda method, path, **options: requests.request(method, zona.url + path, headers=header, timeout=20, **options)


# SEC-08
def test_personal_data_of_the_record_is_masked_and_shown_for_a_reason(open_zona):
    zona = open_zona()
    zona.run('tenant', 'create', 'acme')
    zona.run('role', 'create', 'reader', '--tenant', 'acme', '--grant', 'audit:read=all')
    zona.run('role', 'create', 'analyst', '--tenant', 'acme', '--inherits', 'reader', '--grant', 'personal_data:execute=all')
    anna, rita, carl = sign_in(zona, 'anna', 'admin'), sign_in(zona, 'rita', 'reader'), sign_in(zona, 'carl', 'analyst')
    assert anna('POST', '/api/v1/tenants/acme/keys', json={'name': 'ci'}).status_code == 201

    def made(ask):
        return ask('GET', RECORD + '?action=createTenantKey').json()['data'][0]
    clear = made(anna)
    assert (clear['name'], clear['address']) == ('anna', '127.0.0.1')
    for ask in (rita, carl):
        masked = made(ask)
        assert (masked['name'], masked['address'], masked['session']) == ('***', '***', '***')
        assert (masked['actor'], masked['hash']) == (clear['actor'], clear['hash'])
        assert 'anna' not in ask('GET', RECORD + '/export').text
        rows = list(csv.DictReader(io.StringIO(ask('GET', RECORD + '/export?format=csv').text)))
        assert {row['name'] for row in rows} <= {'', '***'} and len(rows) > 3

    body = {'entries': [clear['seq']], 'reason': 'case 4711'}
    refused = rita('POST', RECORD + '/unmaskings', json=body)
    assert (refused.status_code, refused.json()['error']['code']) == (403, 'ACCESS_DENIED')
    assert carl('POST', RECORD + '/unmaskings', json={'entries': [1]}).status_code == 400
    assert carl('POST', RECORD + '/unmaskings', json=body).json()['data'] == [clear]
    noted = anna('GET', RECORD + '?action=unmaskTenantAudit&outcome=success').json()['data']
    assert [(entry['name'], entry['after']) for entry in noted] == [('carl', body)]

    shown = zona.run('audit', 'unmask', clear['seq'], '--tenant', 'acme', '--reason', 'case 4712').json
    assert shown['name'] == 'anna'
    without = zona.run('audit', 'unmask', '1', '--tenant', 'acme', check=False)
    assert without.returncode == 2 and '--reason' in without.stderr
