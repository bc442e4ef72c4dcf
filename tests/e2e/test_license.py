"""Licences: who signs them, what they turn off, what happens when they end, and the report of what is used."""
import base64
import datetime
import json
import subprocess

import pytest
from unix_api import Api
from waiting import wait_until


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


class Issuer:
    """Who sells licences: a pair of keys, and the signature that docs/guides/licence.md shows."""

    def __init__(self, folder, name='issuer'):
        self.folder = folder
        self.key = folder / f'{name}.pem'
        subprocess.run(['openssl', 'genpkey', '-algorithm', 'ed25519', '-out', self.key], check=True)
        self.public = base64url(subprocess.run(['openssl', 'pkey', '-in', self.key, '-pubout', '-outform', 'DER'],
                                               check=True, capture_output=True).stdout[-32:])

    def issue(self, **claims):
        claims = {'id': '2026-0017', 'type': 'enterprise', 'holder': 'Acme Ltd.', 'issued_at': moment(days=-1), **claims}
        head = base64url(json.dumps({'alg': 'EdDSA', 'typ': 'zona-license'}).encode())
        text = head + '.' + base64url(json.dumps(claims).encode())
        (self.folder / 'text').write_text(text)
        signature = subprocess.run(['openssl', 'pkeyutl', '-sign', '-rawin', '-inkey', self.key, '-in', self.folder / 'text'],
                                   check=True, capture_output=True).stdout
        return text + '.' + base64url(signature)

    def file(self, **claims):
        path = self.folder / 'sent.license'
        path.write_text(self.issue(**claims) + '\n')
        return path


def moment(**delta):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**delta)).strftime('%Y-%m-%dT%H:%M:%SZ')


@pytest.fixture
def issuer(tmp_path):
    return Issuer(tmp_path)


@pytest.fixture
def zona(new_zona, issuer):
    zona = new_zona(env={'ZONA_LICENSE_PUBLIC_KEYS': issuer.public, 'ZONA_LICENSE_CHECK_INTERVAL': '1s'})
    zona.run('tenant', 'create', 'acme')
    return zona


def shown(zona):
    return zona.run('license', '--json').data


def doctor(zona):
    return next(c for c in Api(zona)('GET', '/api/v1/host')[1]['data']['checks'] if c['name'] == 'licence')


def refused(answer):
    assert answer.returncode == 5, answer
    return answer.stderr


# LIC-01, LIC-05
def test_without_a_licence_it_is_the_community_one(new_zona):
    zona = new_zona()
    zona.run('tenant', 'create', 'acme')
    licence = shown(zona)['license']
    assert (licence['type'], licence['state'], licence['max_tenants'], licence['max_integrations']) == ('community', 'valid', 10000, None)
    assert all(licence['features'].values()) and all(licence['compliance_features'].values())
    assert 'community' in zona.run('licence').stdout and doctor(zona)['status'] == 'ok'
    assert 'any number' in zona.run('license', 'show').stdout
    file = zona.home.parent / 'x.license'
    file.write_text('e30.e30.e30')
    answer = zona.run('license', 'install', str(file), check=False)
    assert answer.returncode == 2 and 'license.public_keys' in answer.stderr


# LIC-05, LIC-09
def test_a_licence_counts_at_once_and_only_as_it_was_signed(zona, issuer, tmp_path):
    assert 'trial' in zona.run('license', 'install', str(issuer.file(type='trial', max_tenants=2, expires_at=moment(days=60)))).stdout
    assert '2 tenants, and there are 2' in refused(zona.run('tenant', 'create', 'globex', check=False))
    good = issuer.issue(max_tenants=3)
    head, _, signature = good.split('.')
    more = base64url(json.dumps({'id': 'x', 'type': 'enterprise', 'holder': 'x', 'issued_at': moment(days=-1)}).encode())
    foreign = Issuer(tmp_path, 'foreign').issue()
    for text, said in [('.'.join([head, more, signature]), 'it was changed'), (foreign, "somebody else's"),
                       (issuer.issue(expires_at=moment(seconds=-5)), 'has expired at'),
                       (issuer.issue(not_before=moment(days=2)), 'holds only from'), ('gold', 'this is no licence'),
                       (issuer.issue(max_users=3), "/max_users: unknown key")]:
        (tmp_path / 'bad.license').write_text(text)
        answer = zona.run('license', 'install', str(tmp_path / 'bad.license'), check=False)
        assert answer.returncode == 2 and said in answer.stderr, answer
    assert shown(zona)['license']['type'] == 'trial'
    (tmp_path / 'good.license').write_text(good)
    zona.run('license', 'install', str(tmp_path / 'good.license'))
    zona.run('tenant', 'create', 'globex')
    assert [one['type'] for one in shown(zona)['installed']] == ['enterprise', 'trial']
    assert 'installLicense' in zona.run('audit', 'list', '--json').stdout


# LIC-06, LIC-10, LIC-11
def test_what_a_licence_turns_off_is_refused_and_back_when_it_is_turned_on(zona, issuer):
    assert 'createTenant' in zona.run('audit', 'export').stdout
    zona.run('license', 'install', str(issuer.file(
        feature_flags={'custom_roles': False}, compliance_features={'audit_export': False, 'audit_report': False})))
    ask = Api(zona)
    for path in ['/api/v1/audit/export', '/api/v1/audit/report', '/api/v1/tenants/acme/audit/export']:
        status, body, _ = ask('GET', path)
        assert (status, body['error']['code']) == (403, 'LICENSE_REQUIRED'), path
    assert "'audit_report' turned off" in refused(zona.run('audit', 'report', '--tenant', 'acme', check=False))
    assert zona.run('audit', 'list').returncode == 0 and zona.run('audit', 'verify').returncode == 0
    assert "'custom_roles' turned off" in refused(
        zona.run('role', 'create', 'night', '--tenant', 'acme', '--grant', 'utilities:read=all', check=False))
    assert ask('GET', '/api/v1/tenants/acme/license')[1]['data']['features']['custom_roles'] is False
    zona.run('license', 'install', str(issuer.file(
        type='trial', id='t', tenants=['acme'], expires_at=moment(days=60))))
    assert ask('GET', '/api/v1/tenants/acme/license')[1]['data']['id'] == 't'
    zona.run('role', 'create', 'night', '--tenant', 'acme', '--grant', 'utilities:read=all')
    assert ask('GET', '/api/v1/audit/export')[0] == 403, 'the installation is under the other one'
    zona.run('license', 'install', str(issuer.file(id='on', issued_at=moment(seconds=-1))))
    assert 'createTenant' in zona.run('audit', 'export').stdout


# LIC-07
def test_after_its_end_data_is_read_and_exported_processes_run_and_a_new_file_is_picked_up(zona, issuer, tmp_path):
    script = tmp_path / 'app.sh'
    script.write_text('#!/bin/sh\nexec sleep 1000\n')
    script.chmod(0o755)
    zona.run('start', str(script), '--name', 'app')
    file = zona.home / 'license'
    file.write_text(issuer.issue(id='short', expires_at=moment(seconds=4)))
    wait_until(lambda: shown(zona)['license']['id'] == 'short')
    log = zona.home / 'logs/zonad.log'
    wait_until(lambda: 'the licence expires soon' in log.read_text())
    assert doctor(zona)['status'] == 'degraded' and 'short' in doctor(zona)['detail']
    wait_until(lambda: shown(zona)['license']['state'] == 'expired')
    wait_until(lambda: 'the licence has expired' in log.read_text())
    assert 'has expired at' in refused(zona.run('tenant', 'create', 'globex', check=False))
    refused(zona.run('tenant', 'update', 'acme', '--name', 'Acme', check=False))
    refused(zona.run('user', 'create', 'anna', '--tenant', 'acme', '--roles', 'user', '--password-file', str(file), check=False))
    assert 'acme' in zona.run('tenant', 'list').stdout
    zona.run('tenant', 'export-data', 'acme', str(tmp_path / 'out'))
    assert (tmp_path / 'out/manifest.json').exists()
    zona.run('tenant', 'suspend', 'acme')
    zona.run('tenant', 'activate', 'acme')
    zona.run('restart', 'app')
    assert zona.run('list', '--json').data[0]['status'] == 'online'
    assert 'zona_license_valid 0' in Api(zona)('GET', '/api/v1/metrics')[1].decode()
    assert 'licenseExpired' in zona.run('audit', 'list', '--json').stdout

    file.write_text(Issuer(tmp_path, 'foreign').issue())
    wait_until(lambda: shown(zona)['file_problem'])
    assert doctor(zona)['status'] == 'degraded' and 'is not installed' in zona.run('license').stdout
    file.write_text(issuer.issue(id='renewed', issued_at=moment(seconds=-1), expires_at=moment(days=365)))
    wait_until(lambda: shown(zona)['license']['id'] == 'renewed')
    zona.run('tenant', 'create', 'globex')
    assert doctor(zona)['status'] == 'ok' and shown(zona)['file_problem'] is None


# LIC-08
def test_the_report_says_what_there_is(zona, issuer, tmp_path):
    zona.run('license', 'install', str(issuer.file(max_tenants=50)))
    zona.run('tenant', 'create', 'globex')
    zona.run('tenant', 'suspend', 'globex')
    password = tmp_path / 'password'
    password.write_text('correct horse battery staple')
    for name in ['anna', 'bert']:
        zona.run('user', 'create', name, '--tenant', 'acme', '--roles', 'user', '--password-file', str(password))
    zona.run('role', 'create', 'night', '--tenant', 'acme', '--grant', 'utilities:read=all')
    report = zona.run('license', 'report', '--json').data
    listed = zona.run('tenant', 'list', '--json').data
    assert report['tenants'] == {'active': 2, 'suspended': 1, 'inactive': 0, 'total': len(listed), 'limit': 50, 'peak': 3}
    assert (report['users'], report['roles']) == (2, 1)
    assert '3 of 50' in zona.run('license', 'report').stdout


@pytest.mark.parametrize('env, said', [({'ZONA_LICENSE_PUBLIC_KEYS': 'abc'}, 'license.public_keys'),
                                       ({'ZONA_LICENSE_WARN_DAYS': '7,soon'}, 'license.warn_days')])
def test_settings_that_cannot_be_are_refused_by_name(new_zona, env, said):
    answer = new_zona(env=env).run('save', '--force', check=False)
    assert answer.returncode != 0 and said in answer.stderr
