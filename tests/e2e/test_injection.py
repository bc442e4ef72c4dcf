"""What callers send is data: no shell, no query and no object takes it for more."""
import pathlib

import pytest
from unix_api import Api

SHELL = ['; touch pwned', '$(touch pwned)', '`touch pwned`', '| touch pwned', '&& touch pwned', '$HOME', '*', '\n touch pwned', "' ; touch pwned '"]
OPERATORS = {'$where': 'sleep(1000) || true', '$ne': None, 'a.b': {'$gt': ''}, '__proto__': {'admin': True}, 'constructor': {'prototype': {'x': 1}},
             '': {'$function': {'body': 'function() {}', 'args': [], 'lang': 'js'}}}


# SEC-12
def test_arguments_and_environments_of_processes_reach_no_shell(zona):
    zona.run('ping', check=False)
    zona.run('start', '/usr/bin/python3', '--name', 'waiting', '--', '-c', 'import time; time.sleep(1000)', *SHELL,
             cwd=zona.folder, env={'EVIL': '() { :;}; touch pwned'})
    [process] = zona.list()
    words = pathlib.Path(f"/proc/{process['pid']}/cmdline").read_bytes().split(b'\0')[:-1]
    assert words[3:] == [word.encode() for word in SHELL]
    refused = zona.run('start', '/bin/sleep', '--name', 'x; touch pwned', '--', '1000', check=False, cwd=zona.folder)
    assert refused.returncode == 2 and 'not allowed' in refused.stderr
    zona.run('restart', 'waiting')
    zona.run('stop', 'waiting')
    assert list(zona.folder.rglob('pwned')) == []


# SEC-12
@pytest.mark.parametrize('mode', ['MSSP', 'SINGLE_TENANT'])
def test_operators_in_values_and_names_are_data(new_zona, mode):
    zona = new_zona(env={'ZONA_TENANCY_BUILD_TYPE': mode})
    zona.run('tenant', 'list')
    api = Api(zona)
    made = api('POST', '/api/v1/tenants', {'code': 'acme', 'name': '{"$ne": null}', 'configuration': OPERATORS})
    assert made[0] == 201 and made[1]['data']['configuration'] == OPERATORS
    assert api('PUT', '/api/v1/tenants/acme/settings/theme', {'value': OPERATORS})[0] == 200
    zona.run('kill')
    zona.run('tenant', 'list')
    assert api('GET', '/api/v1/tenants/acme')[1]['data']['configuration'] == OPERATORS
    assert api('GET', '/api/v1/tenants/acme/settings/theme')[1]['data']['value'] == OPERATORS
    for body in ({'code': {'$ne': ''}}, {'code': ['acme']}, {'code': '$where'}, {'code': '../acme'}, {'code': "acme' OR '1'='1"}):
        assert api('POST', '/api/v1/tenants', body)[0] == 400, body
    for code in ('%24ne', "acme'%20OR%20'1'='1", '%7B%22%24ne%22%3Anull%7D', 'acme%00'):
        assert api('GET', f'/api/v1/tenants/{code}')[0] in (400, 404), code
        assert api('GET', f'/api/v1/tenants/{code}/settings/theme')[0] in (400, 403, 404), code
    assert len(api('GET', '/api/v1/tenants')[1]['data']) == 2
