"""The record: what was done and refused, in chains that show when they were changed."""
import csv
import io
import json
import os
import signal

import pytest
import requests

from unix_api import Api


def entries(zona, *flags):
    """The newest first."""
    return zona.run('audit', 'list', '--limit', '500', *flags, '--json').data


def actions(zona, *flags):
    return [entry['action'] for entry in reversed(entries(zona, *flags))]


@pytest.fixture
def opened(zona):
    zona.wait_until(lambda: zona.run('tenant', 'list', check=False).returncode == 0)
    return zona


# AUDIT-02, AUDIT-07, AUDIT-15, OBS-18
def test_changes_and_process_actions_are_on_record_and_reads_are_not(opened):
    zona = opened
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    zona.run('restart', 'nap')
    zona.run('stop', 'nap')
    zona.run('list')
    zona.run('tenant', 'create', 'acme')
    assert actions(zona) == ['startProcesses', 'operateProcesses', 'operateProcesses', 'createTenant']
    process = entries(zona, '--category', 'process')
    assert len(process) == 3 and all(entry['outcome'] == 'success' for entry in process)
    first = process[-1]
    assert first['actor'] == f'local:{os.getuid()}' and first['correlation'] and first['resource'] == '/api/v1/processes'
    assert not [entry for entry in entries(zona) if entry['action'].startswith(('list', 'get'))]
    listed = zona.run('audit', 'list').stdout
    assert 'createTenant' in listed and 'success' in listed


# AUDIT-01, AUDIT-06, TEN-43
def test_a_change_is_on_record_with_before_and_after_in_the_record_of_its_tenant(opened):
    zona = opened
    api = Api(zona)
    zona.run('tenant', 'create', 'acme')
    zona.run('tenant', 'create', 'blue')
    assert api('PUT', '/api/v1/tenants/acme/settings/theme', {'value': 'dark'})[0] == 200
    assert api('PATCH', '/api/v1/tenants/acme', {'name': 'Acme Ltd.'})[0] == 200
    changed = entries(zona, '--action', 'updateTenant')[0]
    assert changed['before']['name'] == 'acme' and changed['after']['name'] == 'Acme Ltd.'
    assert 'code' not in changed['after'], 'what stays the same is left out'
    assert changed['tenantcode'] == 'acme'
    own = entries(zona, '--tenant', 'acme')
    assert [entry['action'] for entry in own] == ['putTenantSetting']
    assert own[0]['after']['value'] == 'dark' and own[0]['tenantcode'] == 'acme'
    assert api('PUT', '/api/v1/tenants/acme/settings/theme', {'value': 'light'})[0] == 200
    assert api('DELETE', '/api/v1/tenants/acme/settings/theme')[0] == 200
    removed, put = entries(zona, '--tenant', 'acme')[:2]
    assert (put['before']['value'], put['after']['value']) == ('dark', 'light')
    assert removed['before']['value'] == 'light' and 'after' not in removed
    assert entries(zona, '--tenant', 'blue') == []


# AUDIT-05, AUDIT-09
def test_the_record_is_verified_and_reported_on(opened):
    zona = opened
    zona.run('tenant', 'create', 'acme')
    for value in range(5):
        assert Api(zona)('PUT', '/api/v1/tenants/acme/settings/theme', {'value': value})[0] == 200
    whole = zona.run('audit', 'verify', '--tenant', 'acme', '--json').data
    assert (whole['intact'], whole['entries'], whole['signed'], whole['flaw']) == (True, 5, 5, None)
    assert 'is whole' in zona.run('audit', 'verify').stdout
    kept = f"{whole['last']}:{whole['hash']}"
    assert zona.run('audit', 'verify', '--tenant', 'acme', '--head', kept).returncode == 0
    wrong = zona.run('audit', 'verify', '--tenant', 'acme', '--head', '3:' + whole['hash'], check=False)
    assert wrong.returncode != 0 and 'NOT whole: entry 3' in wrong.stdout
    report = zona.run('audit', 'report', '--tenant', 'acme', '--json').data
    assert report['entries'] == 8 and report['actions'] == {'putTenantSetting': 5, 'verifyTenantAudit': 3}
    assert report['outcomes'] == {'success': 8} and report['verification']['intact']


# AUDIT-08
def test_the_record_is_exported(opened):
    zona = opened
    zona.run('tenant', 'create', 'acme')
    for key in ('a', 'b', 'c'):
        assert Api(zona)('PUT', f'/api/v1/tenants/acme/settings/{key}', {'value': '=1+1'})[0] == 200
    lines = [json.loads(line) for line in zona.run('audit', 'export', '--tenant', 'acme').stdout.splitlines()]
    assert [line['resource'][-1] for line in lines] == ['a', 'b', 'c'] and [line['seq'] for line in lines] == [1, 2, 3]
    rows = list(csv.DictReader(io.StringIO(zona.run('audit', 'export', '--tenant', 'acme', '--format', 'csv').stdout)))
    assert [row['seq'] for row in rows] == ['1', '2', '3'] and json.loads(rows[0]['after'])['value'] == '=1+1'
    assert rows[0]['hash'] == lines[0]['hash']


# AUDIT-16
def test_what_is_recorded_survives_the_daemon(opened):
    zona = opened
    zona.run('tenant', 'create', 'acme')
    api = Api(zona)
    for key in range(30):
        assert api('PUT', f'/api/v1/tenants/acme/settings/k{key}', {'value': key})[0] == 200
    os.kill(zona.run('ping', '--json').data['daemon']['pid'], signal.SIGKILL)
    zona.wait_until(lambda: zona.run('audit', 'verify', '--tenant', 'acme', check=False).returncode == 0)
    resources = [entry['resource'] for entry in entries(zona, '--tenant', 'acme', '--action', 'putTenantSetting')]
    assert sorted(resources) == sorted(f'/api/v1/tenants/acme/settings/k{key}' for key in range(30))


# AUDIT-13, AUDIT-17, GAP-66
def test_a_key_is_on_record_with_its_address_until_it_is_erased(open_zona):
    zona = open_zona()
    zona.wait_until(lambda: zona.run('tenant', 'list', check=False).returncode == 0)
    assert requests.post(zona.url + '/api/v1/tenants', json={'code': 'acme'}, headers={'X-API-Key': zona.key}, timeout=20).status_code == 201
    made = entries(zona, '--action', 'createTenant')[0]
    assert made['actor'].startswith('key:') and made['address'] == '127.0.0.1' and not made['erased']
    assert requests.post(zona.url + '/api/v1/tenants', json={'code': 'blue'}, timeout=20).status_code == 401
    refused = entries(zona, '--outcome', 'refused')[0]
    assert (refused['actor'], refused['category'], refused['resource']) == ('anonymous', 'security', '/api/v1/tenants')
    assert zona.key not in zona.run('audit', 'export').stdout

    zona.run('audit', 'erase', made['actor'])
    left = entries(zona, '--action', 'createTenant')[0]
    assert left['erased'] and 'address' not in left and left['actor'] == made['actor']
    assert zona.run('audit', 'verify').returncode == 0
    again = zona.run('audit', 'erase', 'user:17', check=False)
    assert again.returncode == 3 and 'nothing personal' in again.stderr


# TEN-35
def test_who_asks_for_another_tenant_is_on_record_with_it(open_zona):
    zona = open_zona()
    for code in ('acme', 'globex'):
        zona.run('tenant', 'create', code)
    key = zona.run('key', 'create', 'theirs', '--tenant', 'acme', '--scope', 'admin').stdout.strip()
    wanted = '/api/v1/tenants/globex/settings/s'
    for method in ('GET', 'PUT'):
        answer = requests.request(method, zona.url + wanted, json={'value': 1}, headers={'X-API-Key': key}, timeout=20)
        assert answer.status_code == 403, answer.text
    refused = entries(zona, '--outcome', 'refused')
    assert len(refused) == 2
    assert {(entry['actor'].split(':')[0], entry['tenantcode'], entry['resource'], entry['category']) for entry in refused} == \
        {('key', 'globex', wanted, 'security')}
    assert entries(zona, '--tenant', 'globex', '--outcome', 'refused') == [], 'nobody writes into another\'s record'


# AUDIT-17, AUDIT-13, GAP-66
def test_a_sign_in_that_fails_is_on_record_with_the_name_until_that_is_erased(open_zona):
    zona = open_zona()
    zona.run('tenant', 'create', 'acme')
    tried = requests.post(zona.url + '/api/v1/sessions', json={'tenant': 'acme', 'name': 'anna', 'password': 'a guess of mine'}, timeout=20)
    assert tried.status_code == 401
    failed = entries(zona, '--action', 'signIn')[0]
    assert (failed['actor'], failed['outcome'], failed['name'], failed['tenantcode']) == ('anonymous', 'refused', 'anna', 'acme')
    assert 'a guess' not in zona.run('audit', 'export').stdout
    zona.run('audit', 'erase', 'anonymous')
    assert 'anna' not in zona.run('audit', 'export').stdout
    assert zona.run('audit', 'verify').returncode == 0
