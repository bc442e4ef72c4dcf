"""Backups of a tenant and of everything, restored, exported, moved, erased and checked, by the command, in both modes."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from zona_home import BIN

MODES = pytest.mark.parametrize('mode', ['MSSP', 'SINGLE_TENANT'])


def choose(zona, mode):
    zona.home.mkdir(exist_ok=True)
    (zona.home / 'zona.toml').write_text(f'[tenancy]\nbuild_type = "{mode}"\n')


# TEN-03, TEN-41, DATA-17, DATA-18
@MODES
def test_a_tenant_is_backed_up_verified_restored_and_erased(zona, mode):
    choose(zona, mode)
    zona.run('tenant', 'create', 'acme', '--email', 'ops@acme.example')
    backup = zona.outcome('tenant', 'backup', 'acme')
    assert (backup['tenantcode'], backup['documents'], backup['content']) == ('acme', 0, 'image' if mode == 'MSSP' else 'documents')
    file = zona.home / 'state/backups' / backup['file']
    assert file.stat().st_size == backup['size_bytes'] and file.stat().st_mode & 0o777 == 0o600
    listed = zona.run('tenant', 'backups', 'acme', '--json').data
    assert [b['uuid'] for b in listed] == [backup['uuid']]
    assert [d['tenantcode'] for d in zona.run('tenant', 'databases', 'acme', '--json').data] == ['acme']

    assert zona.outcome('tenant', 'verify', 'acme', backup['uuid'])['sha256'] == backup['sha256']
    assert zona.outcome('tenant', 'restore', 'acme', str(file), '--replace')['of'] == 'acme'
    assert zona.run('tenant', 'restore', 'default', str(file), check=False).returncode == 4
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    damaged = zona.run('tenant', 'verify', 'acme', backup['uuid'], check=False)
    assert damaged.returncode == 4 and damaged.stderr, damaged
    file.write_bytes(content)

    assert zona.run('tenant', 'erase', 'acme', check=False).returncode == 2
    assert zona.run('tenant', 'erase', 'acme', '--confirm', 'default', check=False).returncode == 2
    assert zona.run('tenant', 'erase', 'acme', '--confirm', 'acme').stdout == 'erase of acme: done\n'
    record = zona.run('tenant', 'show', 'acme', '--json').data
    assert record['erased_at'] and record['contact_email'] == '' and record['status'] == 'inactive'
    assert not file.exists()
    assert zona.run('tenant', 'activate', 'acme', check=False).returncode == 4


# REL-07, REL-08, SEC-07
@MODES
def test_everything_is_restored_into_a_fresh_home_with_a_key_from_shares(zona, mode, tmp_path):
    choose(zona, mode)
    zona.run('tenant', 'create', 'acme', '--name', 'Acme Ltd.')
    whole = zona.outcome('backup', 'create')
    assert whole['tenants'] == 2
    assert [b['uuid'] for b in zona.run('backup', 'list', '--json').data] == [whole['uuid']]
    assert zona.outcome('backup', 'verify', whole['uuid'])['uuid'] == whole['uuid']
    assert zona.run('store', 'check').returncode == 0
    shares = zona.run('key', 'export-shares', '--needed', '2', '--total', '3').stdout.splitlines()
    assert len(shares) == 3 and all(s.startswith('zona-share-') for s in shares)
    root_key = (zona.home / 'root-key').read_text()
    directory = zona.home / 'state/backups/_all' / whole['uuid']
    for private in (directory, directory.parent, directory.parent.parent):
        assert private.stat().st_mode & 0o077 == 0, private
    assert finding(zona, 'backup directory')['status'] == 'ok'
    for file in directory.iterdir():
        assert root_key.strip().encode() not in file.read_bytes()

    (tmp_path / 'shares').write_text(f'{shares[2]}\n{shares[0]}\n')
    zona.run('key', 'import-shares', str(tmp_path / 'shares'), '--to', str(tmp_path / 'key'))
    assert (tmp_path / 'key').read_text().strip() == root_key.strip()
    fresh = tmp_path / 'a fresh home'
    made = zona.run('backup', 'restore', str(directory), '--to', str(fresh), '--root-key', str(tmp_path / 'key'))
    assert 'the same as in the backup' in made.stdout
    lost = tmp_path / 'lost'
    shutil.copytree(directory, lost)
    (lost / 'acme.zbk').unlink()
    partial = zona.run('backup', 'restore', str(lost), '--to', str(tmp_path / 'partial'), '--root-key', str(tmp_path / 'key'), check=False)
    assert partial.returncode == 4 and '\n1 tenants' in partial.stdout and 'acme: not in the backup: its file' in partial.stdout, partial
    again = zona.run('backup', 'restore', str(directory), '--to', str(fresh), '--root-key', str(tmp_path / 'key'), check=False)
    assert again.returncode == 4, again
    (tmp_path / 'shares').write_text(f'{shares[2]}\n')
    one = zona.run('key', 'import-shares', str(tmp_path / 'shares'), '--to', str(tmp_path / 'key2'), check=False)
    assert one.returncode == 2 and shares[2][11:20] not in one.stderr, one

    (fresh / 'zona.toml').write_text(f'[tenancy]\nbuild_type = "{mode}"\n[api]\nlisten = "off"\n')
    zona.run('kill')
    # As it is told, by a shell.
    command = re.search('try: (zona .*) tenant list\n', made.stdout)[1]
    listed = subprocess.run(f'{command} tenant show acme --json', shell=True, env=os.environ | {'PATH': f'{BIN}:{os.environ["PATH"]}'},
                            capture_output=True, text=True)
    try:
        assert json.loads(listed.stdout)['data']['name'] == 'Acme Ltd.', listed
    finally:
        subprocess.run([BIN / 'zona', '--home', fresh, 'kill'], check=True, capture_output=True)


# REL-07, REL-08, BG-09
@MODES
def test_a_tenant_and_everything_is_restored_as_it_was_at_a_moment(zona, mode, tmp_path):
    choose(zona, mode)
    zona.run('tenant', 'create', 'acme')
    none = zona.run('tenant', 'restore', 'acme', '--at', '1s', '--replace', check=False)
    assert none.returncode == 3 and 'zona backup create' in none.stderr, none
    whole = zona.outcome('backup', 'create')
    moment = zona.run('backup', 'list', '--json').data[0]['restorable_until']
    zona.run('job', 'run', 'backup-log')
    zona.wait_until(lambda: zona.run('backup', 'list', '--json').data[0]['restorable_until'] > moment)
    until = zona.run('backup', 'list', '--json').data[0]['restorable_until']
    restored = zona.outcome('tenant', 'restore', 'acme', '--at', until, '--replace')
    assert restored['restored_to'] <= until
    early = zona.run('tenant', 'restore', 'acme', '--at', '2020-01-01T00:00:00Z', '--replace', check=False)
    assert early.returncode == 4 and 'reach from' in early.stderr, early
    assert zona.run('tenant', 'restore', 'acme', '--replace', check=False).returncode == 2
    zona.run('job', 'run', 'restore-check')
    zona.wait_until(lambda: (zona.run('job', 'show', 'restore-check', '--json').data['last_run'] or {}).get('outcome') == 'succeeded')

    shares = zona.run('key', 'export-shares', '--needed', '2', '--total', '3').stdout.splitlines()
    (tmp_path / 'shares').write_text(f'{shares[0]}\n{shares[1]}\n')
    directory = zona.home / 'state/backups/_all' / whole['uuid']
    checked = zona.run('backup', 'check', str(directory), '--shares', str(tmp_path / 'shares'), '--at', until)
    assert 'restored as of' in checked.stdout, checked
    made = zona.run('backup', 'restore', str(directory), '--to', str(tmp_path / 'fresh'), '--at', until)
    assert 'as they were at' in made.stdout, made
    (tmp_path / 'shares').write_text(f'{shares[0]}\n')
    assert zona.run('backup', 'check', str(directory), '--shares', str(tmp_path / 'shares'), check=False).returncode == 2
    (tmp_path / 'shares').write_text(f'{shares[0]}\n{shares[1]}\n')
    refused = zona.run('backup', 'check', str(directory), '--shares', str(tmp_path / 'shares'), '--at', 'rubbish', env={'TMPDIR': str(tmp_path)},
                       check=False)
    assert refused.returncode != 0 and 'no moment' in refused.stderr and not list(tmp_path.glob('zona-check-*')), refused


# SEC-09
def test_backups_are_copied_to_another_place(zona, tmp_path):
    away = tmp_path / 'away'
    away.mkdir()
    zona.home.mkdir(exist_ok=True)
    (zona.home / 'zona.toml').write_text(f'[backup]\ncopy_to = "{away}"\nschedule = "@daily"\n')
    whole = zona.outcome('backup', 'create')
    zona.run('job', 'run', 'backup-copy')
    zona.wait_until(lambda: (away / '_all' / whole['uuid'] / 'whole.zbk').exists())
    assert zona.outcome('backup', 'verify', whole['uuid'])['uuid'] == whole['uuid']
    assert 'the same as in the backup' in zona.run('backup', 'restore', str(away / '_all' / whole['uuid']), '--to', str(tmp_path / 'fresh')).stdout


def finding(zona, name):
    return next(c for c in zona.run('doctor', '--json').data['checks'] if c['name'] == name)


def run_job(zona, name):
    """Runs a job and gives what its run came to."""
    number = zona.run('job', 'run', name, '--json').data['number']
    def ended():
        last = zona.run('job', 'show', name, '--json').data['last_run']
        return last if last['number'] >= number and last['outcome'] != 'running' else None
    zona.wait_until(lambda: ended() is not None)
    return ended()


# SEC-09, REL-20, SEC-27
def test_backups_are_taken_by_a_command_beside_processes_that_end(zona, tmp_path):
    away = tmp_path / 'away'
    away.mkdir()
    script = tmp_path / 'take'
    script.write_text(f'#!/bin/sh\nif test -e {away}/FAIL; then echo token=hunter2; exit 7; fi\n'
                      f'mkdir -p "{away}/$(dirname "$2")" && cp "$1" "{away}/$2" && env >{away}/environment\n')
    script.chmod(0o755)
    zona.home.mkdir(exist_ok=True)
    (zona.home / 'zona.toml').write_text(f'[backup]\ncopy_command = "{script} {{file}} {{name}}"\nschedule = "@daily"\n')
    (away / 'FAIL').touch()
    zona.run('start', '/bin/sh', '--name', 'short', '--max-restarts', '1000000', '--min-uptime', '1ms', '--', '-c', 'sleep 0.02; exit 9', check=False)
    whole = zona.outcome('backup', 'create')
    assert whole['copied_at'] is None
    failed = run_job(zona, 'backup-copy')
    assert failed['outcome'] == 'failed' and 'take exited 7 for _all/' in failed['error'], failed
    check = finding(zona, 'backup copies')
    assert check['status'] == 'degraded' and 'exited 7' in check['detail'], check
    log = (zona.home / 'logs/zonad.log').read_text()
    assert 'token=***' in log and 'hunter2' not in log
    (away / 'FAIL').unlink()

    taken = run_job(zona, 'backup-copy')

    assert taken['outcome'] == 'succeeded' and taken['counters']['copied'] == taken['counters']['files'], taken
    assert finding(zona, 'backup copies')['status'] == 'ok'
    assert zona.run('backup', 'list', '--json').data[0]['copied_at']
    assert 'copied_at' in zona.run('backup', 'show', whole['uuid']).stdout
    environment = (away / 'environment').read_text()
    assert 'ZONA' not in environment and 'PATH=' in environment
    assert 'the same as in the backup' in zona.run('backup', 'restore', str(away / '_all' / whole['uuid']), '--to', str(tmp_path / 'fresh')).stdout
    assert {e['code'] for e in zona.run('why', 'short', '--json').data[0]['exits']} == {9}


# REL-07, TEN-41
def test_a_backup_without_a_tenant_that_cannot_be_read_is_a_partial_success(zona, tmp_path):
    zona.run('tenant', 'create', 'acme')
    zona.run('tenant', 'create', 'globex')
    zona.run('kill')
    for file in (zona.home / 'state/tenants/acme').rglob('data.db*'):
        file.write_bytes(b'x' * 40960)

    made = zona.run('backup', 'create', check=False)

    assert made.returncode == 4 and 'acme: not in the backup: ' in made.stdout, made
    whole = zona.run('backup', 'list', '--json').data[0]
    assert whole['tenants'] == 2 and [m['tenant'] for m in whole['missing']] == ['acme'], whole
    assert 'missing           acme: ' in zona.run('backup', 'show', whole['uuid']).stdout
    assert zona.run('backup', 'verify', whole['uuid'], check=False).returncode == 4
    restored = zona.run('backup', 'restore', whole['uuid'], '--to', str(tmp_path / 'fresh'), check=False)
    assert restored.returncode == 4 and 'acme: not in the backup: ' in restored.stdout, restored
    checked = zona.run('backup', 'check', whole['uuid'], check=False)
    assert checked.returncode == 4 and '2 tenants' in checked.stdout, checked
    failed = run_job(zona, 'backup')
    assert failed['outcome'] == 'failed' and 'all but 1 of 3 tenants: acme' in failed['error'], failed
    assert finding(zona, 'backups')['status'] == 'degraded'


# REL-08
def test_doctor_says_that_the_latest_backup_cannot_be_restored(zona):
    whole = zona.outcome('backup', 'create')
    assert run_job(zona, 'restore-check')['outcome'] == 'succeeded'
    assert finding(zona, 'restore check')['status'] == 'ok'
    (zona.home / 'state/backups/_all' / whole['uuid'] / 'default.zbk').write_bytes(b'x')
    assert run_job(zona, 'restore-check')['outcome'] == 'failed'
    check = finding(zona, 'restore check')
    assert check['status'] == 'degraded' and 'the last success was at' in check['detail'], check


# TEN-12
def test_a_tenant_is_moved_and_exported(zona, tmp_path):
    zona.run('tenant', 'create', 'acme')
    before = zona.run('tenant', 'databases', 'acme', '--json').data
    assert [c['name'] for c in zona.outcome('tenant', 'move', 'acme')['collections']][:2] == ['integrations', 'tasks']
    after = zona.run('tenant', 'databases', 'acme', '--json').data
    assert len(after) == 1 and after[0]['uuid'] != before[0]['uuid'] and re.fullmatch(r'd[0-9a-f]{8}', after[0]['db_name'])
    zona.outcome('tenant', 'export-data', 'acme', str(tmp_path / 'out'))
    manifest = json.loads((tmp_path / 'out/manifest.json').read_text())
    assert manifest['tenant'] == 'acme' and manifest['secret_fields'] == 'masked'
    assert {p.name for p in pathlib.Path(tmp_path / 'out').iterdir()} == {'manifest.json'} | {c['file'] for c in manifest['collections']}
    again = zona.run('tenant', 'export-data', 'acme', str(tmp_path / 'out'), check=False)
    assert again.returncode == 4, again
    assert zona.run('tenant', 'move', 'nobody', check=False).returncode == 3


def test_a_task_goes_on_without_its_client(zona):
    begun = zona.run('tenant', 'backup', 'default', '--no-wait', '--json').data
    assert begun['subject'] == 'default' and begun['action'] == 'backup'
    assert zona.run('execution', 'wait', begun['id']).returncode == 0
    shown = zona.run('execution', 'show', begun['id'], '--json').data
    assert shown['progress']['percent'] == 100 and shown['outcome']['tenantcode'] == 'default'


# SEC-07, REL-08
def test_without_the_root_key_nothing_is_restored(zona, tmp_path):
    whole = zona.outcome('backup', 'create')
    other = tmp_path / 'other'
    (tmp_path / 'wrong').write_text('zona_root_' + 'A' * 48 + '\n')
    (tmp_path / 'wrong').chmod(0o600)
    for key in ('missing', 'wrong'):
        refused = zona.run('backup', 'restore', whole['uuid'], '--to', str(other), '--root-key', str(tmp_path / key), check=False)
        assert refused.returncode != 0 and 'key' in refused.stderr or 'missing' in refused.stderr, refused
        assert not (other / 'state/core.db').exists()
