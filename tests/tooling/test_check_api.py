"""scripts/check-api finds mistakes of style, and what breaks clients of an older document."""
import copy
import importlib.machinery
import importlib.util
import json
import re

import pytest


@pytest.fixture(scope='module')
def check(root):
    loader = importlib.machinery.SourceFileLoader('check_api', str(root / 'scripts/check-api'))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader('check_api', loader))
    loader.exec_module(module)
    return module


@pytest.fixture
def kept(root):
    return json.loads((root / 'docs/openapi.json').read_text())


def at(document, *keys):
    for key in keys:
        document = document[key]
    return document


LIST = ('paths', '/api/v1/processes', 'get')
START = ('paths', '/api/v1/processes', 'post')
BODY = (*START, 'requestBody', 'content', 'application/json', 'schema')
PROCESS = ('components', 'schemas', 'Process')


def drop(*keys):
    return lambda document: at(document, *keys[:-1]).pop(keys[-1])


def put(value, *keys):
    return lambda document: at(document, *keys[:-1]).__setitem__(keys[-1], value)


# Whose paths are given by others: probes, scrapers, browsers, earlier clients, and standards.
UNVERSIONED = {'/metrics', '/livez', '/readyz', '/openapi.json', '/docs', '/', '/.well-known/jwks.json',
               '/tenant/list', '/updateUserSessionExpiretime/{accesstoken}/{exiprytime}/'}


# ARCH-07
def test_every_contract_of_zonas_own_is_under_its_version(kept):
    paths = {path for path, operations in kept['paths'].items()
             for operation in operations.values() if isinstance(operation, dict) and not {'pages', 'pmdaemon'} & set(operation.get('tags', []))}
    assert {path for path in paths if not path.startswith('/api/v1/')} == UNVERSIONED
    assert re.fullmatch(r'\d+\.\d+\.\d+', kept['info']['version'])


# UX-06, ARCH-07
@pytest.mark.parametrize('change, said', [
    (drop('paths', '/api/v1/logs'), 'GET /api/v1/logs is gone'),
    (drop(*START), 'POST /api/v1/processes is gone'),
    (drop(*PROCESS, 'properties', 'pid'), 'the field pid is gone'),
    (put({'type': 'string'}, *PROCESS, 'properties', 'pm_id'), 'the type changed'),
    (put({'type': ['integer', 'null']}, *PROCESS, 'properties', 'pm_id'), 'the type changed'),
    (lambda d: at(d, *PROCESS, 'required').remove('name'), 'no longer always there'),
    (lambda d: at(d, *PROCESS, 'properties', 'status', 'enum').remove('errored'), 'the value errored is gone'),
    (lambda d: at(d, *BODY, 'required').append('wait'), 'the field wait is required now'),
    (drop(*BODY, 'properties', 'only'), 'the field only is gone'),
    (lambda d: at(d, *LIST)['parameters'].clear(), 'the parameter select is gone'),
    (lambda d: at(d, *LIST)['parameters'].append({'name': 'x', 'in': 'query', 'required': True, 'schema': {}}), 'x is required now'),
    (put('admin', *LIST, 'x-zona-scope'), 'needs an admin now'),
    (put('other', *LIST, 'operationId'), 'the operationId listProcesses is gone'),
    (drop(*LIST, 'responses', '200'), 'the answer 200 is gone')])
def test_a_breaking_change_is_named(check, kept, change, said):
    new = copy.deepcopy(kept)
    change(new)

    assert any(said in line for line in check.breaking(kept, new)), check.breaking(kept, new)


@pytest.mark.parametrize('change', [
    lambda document: None,
    put({'type': 'string', 'description': 'New.'}, *PROCESS, 'properties', 'colour'),
    lambda d: at(d, *PROCESS, 'required').append('colour'),
    put({'type': 'string'}, *BODY, 'properties', 'colour'),
    put({'type': ['string', 'integer']}, *BODY, 'properties', 'cwd'),
    lambda d: at(d, *BODY, 'required').remove('cwd'),
    lambda d: at(d, *LIST)['parameters'].append({'name': 'x', 'in': 'query', 'required': False, 'schema': {}}),
    lambda d: at(d, 'paths').__setitem__('/api/v1/things', {'get': at(d, *LIST)})])
def test_an_addition_breaks_nobody(check, kept, change):
    new = copy.deepcopy(kept)
    change(new)

    assert check.breaking(kept, new) == []


# HTTP-14
@pytest.mark.parametrize('change, said', [
    (lambda d: at(d, 'paths').__setitem__('/api/v1/processList', {}), 'is not kebab-case'),
    (lambda d: at(d, 'paths').__setitem__('/api/v1/thing', {}), 'is not a plural noun'),
    (put('list_processes', *LIST, 'operationId'), 'is not camelCase'),
    (put('startProcesses', *LIST, 'operationId'), 'is not unique'),
    (drop(*LIST, 'description'), 'has no description'),
    (put('admin', *LIST, 'x-zona-scope'), 'does not go with scope'),
    (put({}, *LIST, 'requestBody'), 'GET has a body'),
    (lambda d: at(d, *START, 'responses').__setitem__('204', {}), 'does not answer 204'),
    (lambda d: at(d, *LIST, 'responses').__setitem__('418', {'$ref': '#/components/responses/Teapot'}), 'not of the table of errors'),
    (put({'type': 'integer', 'description': 'x'}, *PROCESS, 'properties', 'kill_timeout'), 'does not say its unit'),
    (put({'type': 'integer', 'description': 'x'}, *PROCESS, 'properties', 'pmId'), 'is not snake_case'),
    (put({'type': 'integer'}, *PROCESS, 'properties', 'worth'), 'has no description')])
def test_a_mistake_of_style_is_named(check, kept, change, said):
    assert check.style(kept) == []

    change(kept)

    assert any(said in line for line in check.style(kept)), check.style(kept)
