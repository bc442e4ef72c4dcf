"""Every access to documents is logged where that is asked for, while zona runs, and nothing of what they hold."""
import json

import requests


# SEC-19
def test_accesses_to_documents_are_logged_from_when_it_is_asked_for_until_it_is_not(open_zona, wait_until):
    zona = open_zona()
    zona.run('tenant', 'create', 'acme')

    def accesses(collection='tenant_settings'):
        lines = [json.loads(line) for line in (zona.home / 'logs/zonad.log').read_text().splitlines()]
        return [line for line in lines if line.get('category') == 'store.access' and line['collection'] == collection]

    def work():
        for method, body in (('PUT', {'value': 'a-value-of-acme'}), ('GET', None)):
            answer = requests.request(method, zona.url + '/api/v1/tenants/acme/settings/a-key-of-acme', json=body, headers={'X-API-Key': zona.key},
                                      timeout=20)
            assert answer.status_code == 200, answer.text

    work()
    assert accesses() == [], 'off by default'
    zona.run('config', 'log-level', 'store.access', 'trace')
    work()
    wait_until(lambda: {'read', 'change'} <= {line['kind'] for line in accesses()})
    seen = accesses()
    assert {line['tenant'] for line in seen} == {'acme'} and {line['outcome'] for line in seen} == {'OK'}
    assert all({'operation', 'shape', 'documents', 'us'} <= line.keys() for line in seen)
    assert not [line for line in seen if 'of-acme' in json.dumps(line)]

    zona.run('config', 'log-level', 'store.access', 'info')
    before = len(accesses())
    work()
    assert len(accesses()) == before
