"""What needs neither key nor session: where it is shown, and how some of it is closed."""
import tomllib

import requests


# AUTH-13
def test_open_routes_are_shown_and_can_be_closed(open_zona, root):
    declared = set(tomllib.loads((root / 'tests/e2e/access.toml').read_text())['open'])
    zona = open_zona(ZONA_API_CLOSED_ROUTES='getApiPage, getApiDocument')
    shown = next(check for check in zona.run('doctor', '--json', check=False).data['checks'] if check['name'] == 'open routes')
    assert set(shown['detail'].split(': ')[1].split(', ')) == declared - {'getApiPage', 'getApiDocument'}

    for path in ('/docs', '/openapi.json'):
        closed = requests.get(zona.url + path, timeout=20)
        assert (closed.status_code, closed.json()['error']['code']) == (401, 'UNAUTHENTICATED') and closed.headers['WWW-Authenticate']
        assert requests.get(zona.url + path, headers={'X-API-Key': zona.key}, timeout=20).status_code == 200
    assert requests.get(zona.url + '/livez', timeout=20).status_code == 200


def test_what_is_not_open_cannot_be_closed(new_zona):
    answer = new_zona(env={'ZONA_API_CLOSED_ROUTES': 'getApiPages'}).run('start', '/bin/true', check=False)
    assert answer.returncode != 0 and "did you mean 'getApiPage'" in answer.stderr, answer
