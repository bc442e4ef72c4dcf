"""scripts/check-advisories: holes in the dependencies of this machine are listed, and high ones fail."""
import json
import os
import subprocess

import pytest


@pytest.fixture
def check(root, tmp_path):
    """check(document, accepted=''): (exit status, output) for a file of advisories that is made up."""
    def run(document, accepted=''):
        (tmp_path / 'advisories').write_text(document if isinstance(document, str) else json.dumps(document))
        (tmp_path / 'accepted').write_text(accepted)
        done = subprocess.run([root / 'scripts/check-advisories', '--accepted', tmp_path / 'accepted'], capture_output=True, text=True,
                              env={**os.environ, 'ZONA_ADVISORIES': str(tmp_path / 'advisories')})
        return done.returncode, done.stdout + done.stderr
    return run


@pytest.fixture
def openssl():
    """The version of it that is installed."""
    return subprocess.run(['dpkg-query', '-W', '-f', '${source:Version}', 'libssl-dev'], capture_output=True, text=True, check=True).stdout


def tracked(status='open', urgency='high', fixed=None):
    release = {'status': status, 'urgency': urgency, **({'fixed_version': fixed} if fixed else {})}
    return {'openssl': {'CVE-2099-1': {'releases': {'bookworm': release, 'sid': {'status': 'resolved', 'fixed_version': '9'}}}},
            'no-such-source': {'CVE-2099-9': {'releases': {'bookworm': {'status': 'open', 'urgency': 'high'}}}}}


def osv(fixed, severity=None, score=None, **more):
    return {'id': 'DSA-1', **({'database_specific': {'severity': severity}} if severity else {}),
            **({'severity': [{'type': 'CVSS_V3', 'score': score}]} if score else {}),
            'affected': [{'package': {'ecosystem': 'Debian:12', 'name': 'openssl'},
                          'ranges': [{'type': 'ECOSYSTEM', 'events': [{'introduced': '0'}, {'fixed': fixed}]}]}], **more}


# SEC-23
def test_a_hole_of_high_severity_in_what_is_installed_fails(check, openssl):
    status, out = check(tracked())
    assert status == 1 and f'FAILED  high CVE-2099-1 libssl' in out and openssl in out and 'no fix yet' in out
    assert 'CVE-2099-9' not in out, 'it is not installed'
    assert check(tracked(status='resolved', fixed='99:1'))[0] == 1, 'mended in a version that is not installed'
    for document, expected in ((tracked(urgency='medium'), '1 open, 0 to be closed'), (tracked(urgency='not yet assigned'), 'open    unknown CVE-2099-1'),
                               (tracked(urgency='unimportant'), '0 open'), (tracked(status='resolved', fixed=openssl), '0 open'),
                               (tracked(status='resolved', fixed='0'), '0 open')):
        status, out = check(document)
        assert status == 0 and expected in out, (document, out)


# SEC-23
def test_advisories_of_the_osv_format_are_read_too(check, openssl):
    remote = 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H'   # 9.8
    local = 'CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N'   # 1.8
    for document, failing, expected in (
            (osv('99:1', 'HIGH'), 1, 'FAILED  high DSA-1'), ([osv('99:1', score=remote)], 1, 'FAILED  critical DSA-1'),
            ({'vulns': [osv('99:1', score=local)]}, 0, 'open    low DSA-1'), (json.dumps(osv('99:1', 'MODERATE')) + '\n' + json.dumps(osv('0.1', 'HIGH')), 0, 'open    medium'),
            (osv(openssl, 'HIGH'), 0, '0 open'), (osv('99:1', 'HIGH', withdrawn='2026-01-01T00:00:00Z'), 0, '0 open')):
        status, out = check(document)
        assert (status, expected in out) == (failing, True), (document, out)


# SEC-23
def test_what_is_being_dealt_with_is_let_through_until_its_day_is_over(check):
    assert check(tracked(), 'CVE-2099-1 2098-12-31 waits for the point release\n')[0] == 0
    status, out = check(tracked(), 'CVE-2099-1 2020-01-31 waits for the point release\n')
    assert status == 1 and 'was accepted until 2020-01-31' in out


# SEC-23
@pytest.mark.parametrize('document', ['no JSON', '{"a": 1}', '[1]', '{"openssl": {}}'])
def test_a_file_that_is_none_of_these_is_an_error(check, document):
    status, out = check(document)
    assert status == 2 and out.startswith('advisories: '), out


# SEC-23
def test_lint_asks_it_and_without_a_file_it_only_counts(root):
    assert 'step advisories scripts/check-advisories' in (root / 'scripts/lint').read_text()
    env = {name: value for name, value in os.environ.items() if name != 'ZONA_ADVISORIES'}
    done = subprocess.run([root / 'scripts/check-advisories', '--versions'], capture_output=True, text=True, env=env)
    assert done.returncode == 0 and 'libssl' in done.stdout and 'names no file' in done.stdout
