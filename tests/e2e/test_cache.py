"""The cache of a daemon: its settings, its part of the API, and a real Redis that comes and goes."""
import os
import pathlib
import signal

import pytest

from redis_server import KEY, cached_by
from unix_api import Api
from waiting import wait_until


def of(zona):
    return zona.run('cache', 'stats', '--json').data


def doctor(zona):
    return next(c for c in Api(zona)('GET', '/api/v1/host')[1]['data']['checks'] if c['name'] == 'cache')


# CACHE-17
def test_without_redis_the_cache_is_of_this_process(zona):
    zona.run('save', '--force')
    cache = of(zona)
    assert (cache['mode'], cache['problem'], cache['memory']['limit_bytes']) == ('memory', None, 64 << 20)
    assert 'mode    memory' in zona.run('cache').stdout
    assert 'everything is forgotten' in zona.run('cache', 'flush').stdout
    ask = Api(zona)
    for query, forgotten in [('', 'everything'), ('?tenant=acme', 'tenant'), ('?tenant=acme&entity=apps&pattern=a*', 'part'),
                             ('?tenant=acme&tag=red', 'part'), ('?tenant=acme&tag=red&pattern=a', 'part')]:
        status, body, _ = ask('DELETE', '/api/v1/cache' + query)
        assert (status, body['data']['forgotten']) == (200, forgotten)
    for query in ['?tag=red', '?entity=apps', '?tenant=', '?tennant=acme']:
        assert ask('DELETE', '/api/v1/cache' + query)[0] == 400, query
    assert doctor(zona)['status'] == 'ok'
    # No thread, and nothing wakes up, for what nobody has asked for.
    assert 'cache' not in [(t / 'comm').read_text().strip() for t in pathlib.Path(f'/proc/{zona.daemon_pid()}/task').iterdir()]


# CACHE-09, BG-02, CACHE-20, REL-13(part)
def test_zona_works_without_redis_says_so_and_goes_on_when_it_is_back(new_zona, redis):
    zona = new_zona(env=cached_by(redis))
    zona.run('save', '--force')
    wait_until(lambda: 'zona_cache_redis_up 1' in Api(zona)('GET', '/api/v1/metrics')[1].decode())
    assert of(zona)['mode'] == 'shared' and doctor(zona)['status'] == 'ok'
    assert of(zona)['redis']['received_bytes'] > 0
    redis.kill()
    wait_until(lambda: of(zona)['mode'] == 'database_only')
    assert of(zona)['problem'] and doctor(zona)['status'] == 'degraded'
    assert 'zona_cache_redis_up 0' in Api(zona)('GET', '/api/v1/metrics')[1].decode()
    wait_until(lambda: 'everything is read from the database' in (zona.home / 'logs/zonad.log').read_text())
    refused = zona.run('cache', 'flush', '--tenant', 'acme', check=False)
    assert refused.returncode != 0 and zona.run('list').returncode == 0
    redis.start()
    wait_until(lambda: of(zona)['mode'] == 'shared' and of(zona)['redis']['undelivered'] == 0)
    assert zona.run('cache', 'flush').returncode == 0
    assert 'hush' not in (zona.home / 'logs/zonad.log').read_text()


def settings(zona, method, value=None, tenant='acme'):
    return Api(zona)(method, f'/api/v1/tenants/{tenant}/settings/theme', *([] if value is None else [{'value': value}]))


def numbers(zona, tenant='acme'):
    return next(t for t in of(zona)['tenants'] if t['tenant'] == tenant)


# CACHE-16, HTTP-08
def test_a_tenants_settings_are_read_once_and_forgotten_with_what_is_put_in_their_place(zona):
    zona.run('tenant', 'create', 'acme')
    assert settings(zona, 'GET')[0] == 404
    assert settings(zona, 'PUT', 'dark')[0] == 200
    before = numbers(zona)
    for _ in range(3):
        assert settings(zona, 'GET')[1]['data']['value'] == 'dark'
    assert numbers(zona)['loads'] == before['loads'] and numbers(zona)['local_hits'] == before['local_hits'] + 3
    backup = zona.outcome('tenant', 'backup', 'acme')['uuid']
    assert settings(zona, 'PUT', 'light')[1]['data']['version'] == 2
    assert settings(zona, 'GET')[1]['data']['value'] == 'light'
    zona.run('tenant', 'restore', 'acme', backup, '--replace')
    assert settings(zona, 'GET')[1]['data']['value'] == 'dark'
    assert settings(zona, 'DELETE')[0] == 200 and settings(zona, 'GET')[0] == 404
    assert settings(zona, 'PUT', 'anew')[1]['data']['version'] == 1
    assert settings(zona, 'GET')[1]['data']['value'] == 'anew'


# CACHE-16, TEN-45
def test_settings_come_from_redis_after_a_restart_and_are_sealed_there(new_zona, redis):
    zona = new_zona(env=cached_by(redis))
    zona.run('tenant', 'create', 'acme')
    wait_until(lambda: of(zona)['mode'] == 'shared')
    assert settings(zona, 'PUT', 'a secret colour')[0] == 200
    assert redis.run('EXISTS', '{zona:acme}/settings/theme') == '1'
    assert 'colour' not in redis.run('GET', '{zona:acme}/settings/theme')
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    wait_until(lambda: of(zona)['mode'] == 'shared')
    assert settings(zona, 'GET')[1]['data']['value'] == 'a secret colour'
    assert (numbers(zona)['redis_hits'], numbers(zona)['loads']) == (1, 0)


# CACHE-17
def test_a_flush_reaches_what_other_instances_have_put_into_redis(new_zona, redis):
    zona = new_zona(env=cached_by(redis, ZONA_CACHE_PREFIX='mine'))
    zona.run('save', '--force')
    wait_until(lambda: of(zona)['mode'] == 'shared')
    for tenant in ['acme', 'evil']:
        redis.run('HSET', f'{{mine:{tenant}}}:state', 's', '1')
        for name in ['apps/1', 'apps/2', 'users/1']:
            redis.run('SET', f'{{mine:{tenant}}}/{name}', 'V')
    zona.run('cache', 'flush', '--tenant', 'acme', '--entity', 'apps', '--pattern', '1')
    assert redis.run('EXISTS', '{mine:acme}/apps/1', '{mine:evil}/apps/1', '{mine:acme}/apps/2', '{mine:acme}/users/1') == '3'
    zona.run('cache', 'flush', '--tenant', 'acme')
    assert redis.run('EXISTS', '{mine:acme}/apps/2', '{mine:acme}/users/1', '{mine:evil}/apps/2') == '1'
    zona.run('cache', 'flush')
    assert redis.run('EXISTS', '{mine:evil}/apps/1', '{mine:evil}/apps/2', '{mine:evil}/users/1') == '0'


@pytest.mark.parametrize('env, said', [
    ({'ZONA_CACHE_REDIS': 'redis://x'}, 'cache.redis'),
    ({'ZONA_CACHE_REDIS': 'x:6379', 'ZONA_CACHE_KEY': 'short'}, 'cache.key'),
    ({'ZONA_CACHE_REDIS': 'x:6379', 'ZONA_CACHE_KEY': KEY, 'ZONA_CACHE_REDIS_MODE': 'sentinel'}, 'cache.sentinel_name'),
    ({'ZONA_CACHE_REDIS': 'x:6379', 'ZONA_CACHE_KEY': KEY, 'ZONA_CACHE_REDIS_MODE': 'cluster', 'ZONA_CACHE_REDIS_DATABASE': '2'}, 'cache.redis_database'),
    ({'ZONA_CACHE_REDIS': 'x:6379', 'ZONA_CACHE_KEY': KEY, 'ZONA_CACHE_REDIS_TLS': 'true', 'ZONA_CACHE_REDIS_TLS_CA_FILE': '/nowhere.pem'}, '/nowhere.pem')])
def test_settings_that_cannot_be_are_refused_by_name(new_zona, env, said):
    zona = new_zona(env=env)
    refused = zona.run('save', '--force', check=False)
    assert refused.returncode != 0 and said in refused.stderr
