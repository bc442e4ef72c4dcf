"""Jobs: what the daemon does in the background, over its API and the command, and over its death."""
import os
import signal

import pytest

from unix_api import Api

JOBS = ['tenant-retry', 'purge', 'key-rotation', 'store-check', 'pool-health', 'backup',
        'backup-tenants', 'restore-check', 'backup-log', 'session-cleanup', 'signing-key-rotation', 'license-check', 'api-key-check', 'audit-retention']


def job(zona, name):
    return zona.run('job', 'show', name, '--json').data


def listed(zona):
    """All jobs, once the core database is open."""
    zona.wait_until(lambda: zona.run('job', 'list', check=False).returncode == 0)
    return {j['name']: j for j in zona.run('job', 'list', '--json').data}


def history(zona, name):
    done = zona.run('job', 'history', name, '--json', check=False)
    return done.data if done.returncode == 0 else []


def run_to_its_end(zona, name):
    number = zona.run('job', 'run', name, '--json').data['number']
    zona.wait_until(lambda: not job(zona, name)['running'])
    run = job(zona, name)['last_run']
    assert run['number'] == number
    return run


# BG-09, BG-11, DATA-35
def test_jobs_are_listed_with_when_they_are_due_and_what_became_of_them(zona):
    assert list(listed(zona)) == JOBS
    assert listed(zona)['purge']['schedule'] == 'every 1d' and listed(zona)['purge']['due_at']
    assert listed(zona)['tenant-retry']['due_at'] is None
    run = run_to_its_end(zona, 'store-check')
    assert (run['outcome'], run['trigger'], run['error'], run['counters']) == ('succeeded', 'manual', None, {'done': 2, 'files': 2})
    assert 'succeeded' in zona.run('job', 'list').stdout
    assert 'succeeded' in zona.run('job', 'show', 'store-check').stdout
    assert 'manual' in zona.run('job', 'history', 'store-check').stdout
    wrong = zona.run('job', 'rum', 'purge', check=False)
    assert wrong.returncode == 2 and "did you mean 'run'?" in wrong.stderr
    assert zona.run('job', 'run', 'nothing', check=False).returncode == 3
    metrics = Api(zona)('GET', '/api/v1/metrics')[1].decode()
    assert 'zona_job_runs_total{job="store-check"} 1' in metrics and 'zona_job_failures_total{job="store-check"} 0' in metrics


# BG-09
def test_history_has_pages(zona):
    listed(zona)
    numbers = [run_to_its_end(zona, 'purge')['number'] for _ in range(5)]
    ask = Api(zona)
    status, body, _ = ask('GET', '/api/v1/jobs/purge/runs?limit=3')
    assert status == 200 and [r['number'] for r in body['data']] == numbers[:1:-1]
    rest = ask('GET', '/api/v1/jobs/purge/runs?limit=3&cursor=' + body['meta']['next'])[1]
    assert [r['number'] for r in rest['data']] == numbers[1::-1] and rest['meta']['next'] == ''
    assert ask('GET', f'/api/v1/jobs/purge/runs/{numbers[0]}')[1]['data']['outcome'] == 'succeeded'
    for path, wanted in [('runs/99999', 404), ('runs/x', 404), ('runs?cursor=made-up', 400), ('runs?limit=1000', 400)]:
        assert ask('GET', '/api/v1/jobs/purge/' + path)[0] == wanted, path


# BG-09
def test_a_paused_job_stays_paused_over_the_death_of_the_daemon(zona):
    listed(zona)
    zona.run('job', 'pause', 'purge')
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    assert listed(zona)['purge']['paused']
    assert run_to_its_end(zona, 'purge')['outcome'] == 'succeeded'
    zona.run('job', 'resume', 'purge')
    assert not job(zona, 'purge')['paused']
    refused = zona.run('job', 'cancel', 'purge', check=False)
    assert refused.returncode == 4 and 'does not run' in refused.stderr


# BG-09
def test_a_run_that_killed_the_daemon_is_marked_and_tried_again(new_zona):
    zona = new_zona(env={'ZONA_FAULT': 'jobs.begun:1'})
    listed(zona)
    zona.run('job', 'run', 'purge', check=False)
    zona.wait_until(lambda: any(r['outcome'] == 'interrupted' for r in history(zona, 'purge')))
    interrupted = next(r for r in history(zona, 'purge') if r['outcome'] == 'interrupted')
    assert interrupted['ended_at'] and interrupted['error'] == 'its daemon ended before it did'
    assert job(zona, 'purge')['attempt'] == 1


# SEC-06, TEN-24
def test_keys_are_rotated_while_tenants_are_served(zona):
    listed(zona)
    zona.run('tenant', 'create', 'acme')
    before = (zona.home / 'state/keys.json').read_text()
    run = run_to_its_end(zona, 'key-rotation')
    assert run['outcome'] == 'succeeded' and run['counters']['rotated'] == run['counters']['retired'] == 3, run
    assert (zona.home / 'state/keys.json').read_text() != before
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    listed(zona)
    zona.wait_until(lambda: zona.run('tenant', 'show', 'acme', '--json').data['connection_status'] == 'connected')
    assert run_to_its_end(zona, 'store-check')['outcome'] == 'succeeded'
    zona.run('job', 'run', 'pool-health')
    zona.wait_until(lambda: job(zona, 'pool-health')['last_run']['outcome'] == 'succeeded')
    assert job(zona, 'pool-health')['last_run']['counters'] == {'answered': 2}


# SEC-06, REL-08
@pytest.mark.parametrize('mode', ['MSSP', 'SINGLE_TENANT'])
def test_keys_are_changed_and_files_checked_of_a_tenant_that_was_restored_and_moved(new_zona, mode):
    zona = new_zona(env={'ZONA_TENANCY_BUILD_TYPE': mode})
    zona.run('tenant', 'create', 'acme')
    setting = '/api/v1/tenants/acme/settings/theme'
    assert Api(zona)('PUT', setting, {'value': 'dark'})[0] == 200
    zona.run('tenant', 'backup', 'acme')
    backup = zona.run('tenant', 'backups', 'acme', '--json').data[0]['uuid']
    zona.run('tenant', 'restore', 'acme', backup, '--replace')
    if mode == 'MSSP':
        zona.run('tenant', 'move', 'acme')
    zona.run('tenant', 'drop-backup', 'acme', backup)

    for name in ('key-rotation', 'store-check'):
        run = run_to_its_end(zona, name)
        assert (run['outcome'], run['error']) == ('succeeded', None)
    keys = {owner['owner']: owner['keys'] for owner in Api(zona)('GET', '/api/v1/vault')[1]['data']['owners']}
    assert all(len(of_owner) == 1 for of_owner in keys.values()), keys
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    assert Api(zona)('GET', setting)[1]['data']['value'] == 'dark'
