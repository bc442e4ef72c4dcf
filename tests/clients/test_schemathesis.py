"""schemathesis, which knows the OpenAPI document and nothing else: it makes up requests and compares the answers with the document."""
import json
import os
import re

import pytest
from programs import run

CHECKS = ['not_a_server_error', 'status_code_conformance', 'content_type_conformance', 'response_headers_conformance',
          'response_schema_conformance', 'negative_data_rejection']


@pytest.fixture
def schemathesis(root):
    program = root / 'build/peers/schemathesis/bin/schemathesis'
    if not program.exists():
        pytest.skip('schemathesis is not installed: scripts/install-deps test')

    def start(zona, *options):
        """Its (exit status, output). One seed: the same requests each time.

        Left out is the end of zona, and of the key that it shows, and a stream that has no end. Not among the checks is ignored_auth: wrong keys are answered
        slowly on purpose, and test_openapi.py tries every operation without one.
        """
        env = {**os.environ, 'PYTHONPATH': str(root / 'tests/clients'), 'SCHEMATHESIS_HOOKS': 'schemathesis_hooks',
               'ZONA_TEST_FOLDER': str(zona.folder), 'PYTHONDONTWRITEBYTECODE': '1'}
        done = run(program, 'run', f'{zona.url}/openapi.json', '--experimental', 'openapi-3.1', '--header', f'Authorization: Bearer {zona.key}',
                   '--generation-with-security-parameters', 'false', '--exclude-operation-id', 'shutDown', '--exclude-operation-id', 'revokeKey', '--exclude-operation-id', 'followEvents',
                   '--exclude-tag', 'pages',   # for people: tests/e2e/test_pages.py
                   '--hypothesis-suppress-health-check', 'filter_too_much',
                   '--checks', ','.join(CHECKS), '--hypothesis-seed', '1', '--hypothesis-database', 'none', '--request-timeout', '10000',
                   '--schemathesis-io-telemetry', 'false', '--no-color', *options, env=env, cwd=zona.folder, timeout=600)
        return done.returncode, done.stdout + done.stderr
    return start


def access_log(zona):
    lines = map(json.loads, (zona.home / 'logs/zonad.log').read_text().split('\n')[:-1])
    return [line for line in lines if line['category'] == 'http.access']


# UX-06, HTTP-14, SEC-10
@pytest.mark.timeout(600)
@pytest.mark.parametrize('requests, options', [
    # In a URL every wrong type is a text, and so a right one: only bodies can be wrong.
    ('good', ['--data-generation-method', 'positive', '--hypothesis-max-examples', '40', '--exclude-operation-id', 'exportTenant',   # it writes where the request says
              '--exclude-operation-id', 'migrateStore']),   # it waits for hosts that are made up
    ('bad', ['--data-generation-method', 'negative', '--hypothesis-max-examples', '40', '--hypothesis-no-phases', 'explicit', '--include-method', 'POST', '--include-method', 'PUT',
             '--exclude-operation-id', 'rotateKey', '--exclude-operation-id', 'runJob', '--exclude-operation-id', 'pauseJob', '--exclude-operation-id', 'resumeJob', '--exclude-operation-id', 'cancelJob', '--exclude-operation-id', 'cancelExecution', '--exclude-operation-id', 'retryExecution',
             '--exclude-operation-id', 'setTenantStatus', '--exclude-operation-id', 'putTenantSetting', '--exclude-operation-id', 'putSystemSetting', '--exclude-operation-id', 'restoreTenant', '--exclude-operation-id', 'exportTenant', '--exclude-operation-id', 'eraseTenant', '--exclude-operation-id', 'backUpTenant', '--exclude-operation-id', 'verifyTenantBackup', '--exclude-operation-id', 'moveTenant', '--exclude-operation-id', 'migrateStore', '--exclude-operation-id', 'verifyBackup', '--exclude-operation-id', 'backUpAll', '--exclude-operation-id', 'checkStore',
             '--exclude-operation-id', 'createUser', '--exclude-operation-id', 'createTenantKey', '--exclude-operation-id', 'rotateTenantKey', '--exclude-operation-id', 'createInvitation', '--exclude-operation-id', 'createRole', '--exclude-operation-id', 'createIdentityProvider', '--exclude-operation-id', 'replaceIdentityProvider', '--exclude-operation-id', 'replaceRole', '--exclude-operation-id', 'verifyTenantAudit', '--exclude-operation-id', 'unmaskTenantAudit',
             '--exclude-operation-id', 'startProcessAsPmdaemon', '--exclude-operation-id', 'stopProcessAsPmdaemon',
             '--exclude-operation-id', 'restartProcessAsPmdaemon', '--exclude-operation-id', 'reloadProcessAsPmdaemon']),   # it makes up nothing wrong for a text in the path beside a body
], ids=['good', 'bad'])
def test_schemathesis_finds_no_answer_that_the_document_does_not_tell(open_zona, schemathesis, requests, options):
    zona = open_zona()

    status, output = schemathesis(zona, *options)

    assert status == 0, output
    tried = {check: re.search(rf'^ +{check} +(\d+) / \1 passed', output, re.M) for check in CHECKS}
    assert all(tried.values()), output
    assert int(tried['response_schema_conformance'][1]) > 200
    if requests == 'bad':
        assert [(p['name'], p['status'], p['restarts']) for p in zona.list()] == [('nap', 'online', 0)], 'a wrong request did something'
    else:
        made = [line for line in access_log(zona) if (line['method'], line['path'], line['status']) == ('POST', '/api/v1/processes', 201)]
        assert len(made) > 5, 'the bodies are good enough to start something'
