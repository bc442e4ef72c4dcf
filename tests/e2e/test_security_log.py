"""The log of what concerns security: a file of its own that is only ever appended to."""
import json
import os
import signal

import requests


def lines(zona, file):
    return (zona.home / 'logs' / file).read_text().splitlines()


# SEC-24
def test_a_line_about_security_is_in_its_own_log_as_well(open_zona, wait_until):
    zona = open_zona(ZONA_ALERTS_FAILURES_OF_ADDRESS='2')
    for _ in range(2):
        requests.get(zona.url + '/api/v1/ping', headers={'X-API-Key': 'zona_wrong'}, timeout=30)

    wait_until(lambda: any('failures_of_address' in line for line in lines(zona, 'security.log')))
    written = lines(zona, 'security.log')
    assert set(written) <= set(lines(zona, 'zonad.log')), 'the same lines'
    records = [json.loads(line) for line in written]
    assert {record['category'] for record in records} <= {'security', 'identity', 'log'}
    assert [record['pattern'] for record in records if 'pattern' in record] == ['failures_of_address']
    assert sum(json.loads(line)['category'] == 'security' for line in lines(zona, 'zonad.log')) == sum(record['category'] == 'security' for record in records)

    daemon = zona.daemon_pid()
    opened = [number for number in os.listdir(f'/proc/{daemon}/fd') if os.path.realpath(f'/proc/{daemon}/fd/{number}') == str(zona.home / 'logs/security.log')]
    flags = [int(line.split()[1], 8) for number in opened for line in open(f'/proc/{daemon}/fdinfo/{number}') if line.startswith('flags:')]
    assert flags and all(flag & os.O_APPEND for flag in flags)
    os.kill(daemon, signal.SIGKILL)
    wait_until(lambda: zona.daemon_pid() != daemon)
    assert lines(zona, 'security.log')[:len(written)] == written
