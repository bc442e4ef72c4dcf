"""What retention does with a tenant's record, that it tells so, and that what has left is still there and right."""
import json
import shutil
import subprocess

import pytest

from unix_api import Api
from zona_home import BIN

DAY = 86400


def restart(zona, days):
    """A daemon that looks at its clock so many days from now. The command would keep that from it."""
    zona.run('kill')
    later = {'LD_PRELOAD': str(BIN / 'clock_ahead.so'), 'TEST_CLOCK_AHEAD': str(days * DAY)}
    subprocess.Popen([str(BIN / 'zona-keeper'), '--home', str(zona.home)], env=zona.environment(later))
    zona.wait_until(lambda: Api(zona)('GET', '/readyz')[0] == 200)


def run_job(zona, name):
    """Begins it, unless it was due anyway, and waits for its end."""
    zona.wait_until(lambda: zona.run('job', 'run', name, check=False).returncode == 0)
    zona.wait_until(lambda: not zona.run('job', 'show', name, '--json').data['running'])


def exported(zona, *flags):
    return [json.loads(line) for line in zona.run('audit', 'export', '--tenant', 'acme', *flags).stdout.splitlines()]


def verified(zona, *flags):
    return zona.run('audit', 'verify', '--tenant', 'acme', '--archives', *flags, '--json', check=False).data


@pytest.fixture
def archived(new_zona):
    """Six entries of acme are in an archive, since three days have passed and two were enough; what was done later is not. No backup, which keeps keys, is
    made meanwhile."""
    zona = new_zona(env={'ZONA_BACKUP_SCHEDULE': '0 0 29 2 *'})
    zona.run('tenant', 'create', 'acme')
    zona.run('tenant', 'create', 'blue')
    api = Api(zona)
    assert api('PATCH', '/api/v1/tenants/acme', {'compliance_settings': {'retention_days': {'audit_log': 2}}})[0] == 200
    for value in range(6):
        assert api('PUT', '/api/v1/tenants/acme/settings/theme', {'value': value})[0] == 200
    zona.head = zona.run('audit', 'verify', '--tenant', 'acme', '--json').data
    restart(zona, 3)
    assert Api(zona)('PUT', '/api/v1/tenants/acme/settings/theme', {'value': 'later'})[0] == 200
    run_job(zona, 'audit-retention')
    return zona


# AUDIT-10, AUDIT-11, AUDIT-12
def test_the_report_of_a_tenant_tells_what_retention_archived(archived):
    zona = archived
    report = zona.run('audit', 'report', '--tenant', 'acme', '--json').data
    retention = report['retention']
    assert (retention['archives'], retention['archived']) == (1, 7), 'six changes, and that it was verified'
    assert (retention['purged'], retention['failed'], retention['failures'], retention['overdue']) == ({}, 0, [], [])
    assert report['actions']['archiveAudit'] == 1
    assert '7 entries in 1 archives' in zona.run('audit', 'report', '--tenant', 'acme').stdout
    other = zona.run('audit', 'report', '--tenant', 'blue', '--json').data['retention']
    assert (other['archives'], other['archived']) == (0, 0)
    before = zona.run('audit', 'report', '--tenant', 'acme', '--to', '24h', '--json').data['retention']
    assert before['archives'] == 0, 'it was made later'


# AUDIT-12
def test_the_report_of_a_tenant_tells_what_retention_could_not_do_and_is_late_with(archived):
    zona = archived
    zona.run('kill')
    folder = zona.home / 'state/audit'
    shutil.rmtree(folder)
    folder.write_text('no directory')
    restart(zona, 9)
    run_job(zona, 'audit-retention')
    retention = zona.run('audit', 'report', '--tenant', 'acme', '--json').data['retention']
    assert retention['archives'] == 1 and retention['failed'] >= 1
    assert {failure['action'] for failure in retention['failures']} == {'archiveAudit'}
    assert all('the archive 0' in failure['problem'] and str(zona.home) not in failure['problem'] for failure in retention['failures'])
    late, = retention['overdue']
    assert late['collection'] == 'audit_log' and late['oldest'] < late['due']
    text = zona.run('audit', 'report', '--tenant', 'acme').stdout
    assert 'overdue: audit_log' in text and 'archiveAudit: the archive 0' in text


# AUDIT-05, AUDIT-11
def test_archives_are_listed_and_verified_with_the_record_that_goes_on_from_them(archived):
    zona = archived
    archive, = zona.run('audit', 'archives', '--tenant', 'acme', '--json').data
    assert (archive['first'], archive['last'], archive['previous']) == (1, 7, '0')
    assert archive['file'] in zona.run('audit', 'archives', '--tenant', 'acme').stdout
    assert zona.run('audit', 'archives', '--tenant', 'blue', '--json').data == []
    done = verified(zona)
    assert (done['intact'], done['first'], done['archives']) == (True, 1, {'archives': 1, 'entries': 7})
    assert 'archives: 1, 7 entries' in zona.run('audit', 'verify', '--tenant', 'acme', '--archives').stdout
    head = f"{zona.head['last']}:{zona.head['hash']}"
    assert verified(zona, '--head', head)['intact'], 'a head that was kept before it left is held against the archive'
    wrong = verified(zona, '--head', f"{zona.head['last'] - 1}:{zona.head['hash']}")
    assert not wrong['intact'] and wrong['flaw']['seq'] == zona.head['last'] - 1


# AUDIT-08, AUDIT-11
def test_what_was_archived_is_found_and_exported_with_the_rest(archived):
    zona = archived
    assert {entry['action'] for entry in exported(zona)} == {'putTenantSetting', 'archiveAudit'}
    everything = exported(zona, '--archives')
    assert [entry['seq'] for entry in everything] == list(range(1, 10))
    put = exported(zona, '--archives', '--action', 'putTenantSetting')
    assert [entry['after']['value'] for entry in put] == [0, 1, 2, 3, 4, 5, 'later']
    for before, after in zip(everything, everything[1:]):
        assert after['previous'] == before['hash']
    csv = zona.run('audit', 'export', '--tenant', 'acme', '--archives', '--format', 'csv').stdout
    assert len(csv.splitlines()) == 10
    refused = zona.run('audit', 'list', '--tenant', 'acme', '--archives', check=False)
    assert refused.returncode == 2 and 'verify and export' in refused.stderr


# AUDIT-05, AUDIT-11
def test_an_archive_that_is_gone_cut_or_anothers_is_named(archived):
    zona = archived
    name = zona.run('audit', 'archives', '--tenant', 'acme', '--json').data[0]['file']
    file = zona.home / 'state/audit/acme' / name
    good = file.read_bytes()
    bad = {'bring it back': None, 'cut': good[:-1], 'changed': good[:100] + bytes([good[100] ^ 1]) + good[101:],
           'no sealed file': b'not at all'}
    for problem, content in bad.items():
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_bytes(content)
        flaw = verified(zona)['flaw']
        assert name in flaw['problem'] and problem in flaw['problem'], flaw
        refused = zona.run('audit', 'export', '--tenant', 'acme', '--archives', check=False)
        assert refused.returncode != 0 and name in refused.stderr and refused.stdout == ''
        assert zona.run('audit', 'verify', '--tenant', 'acme').returncode == 0, 'the record itself is whole'
    file.write_bytes(good)
    assert verified(zona)['intact']


# AUDIT-11, SEC-06
def test_an_archive_is_read_after_its_tenant_has_new_keys(archived):
    zona = archived
    zona.run('vault', 'rotate', 'acme')
    done = verified(zona)
    assert done['intact'] and done['archives']['archives'] == 1
