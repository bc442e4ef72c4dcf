"""docs/security: what auditors are pointed at exists."""
import json
import re
import subprocess

import pytest


def exists(root, word):
    """Whether there is what a word of these pages names; None: it is no such name."""
    if re.match(r'(docs|scripts|tests|src)/', word):
        return (root / word).exists()
    if word.startswith('test_'):
        return subprocess.run(['git', 'grep', '-q', '--untracked', f'def {word}(', '--', 'tests'], cwd=root).returncode == 0
    if word.startswith('zona '):
        verb, *rest = word.split()[1:]
        page = (root / 'docs/cli.md').read_text()
        usage = re.search(rf'^Usage: zona {verb} .*', page, re.M)
        words = [part for part in rest if not part.startswith('-')]
        options = [part for part in rest if part.startswith('--')]
        return bool(usage) and (not words or words[0] in re.findall(r'[a-z-]+', usage[0])) and all(option in page for option in options)
    if re.match(r'(GET|POST|PUT|PATCH|DELETE) /', word):
        method, path = word.split()
        return method.lower() in json.loads((root / 'docs/openapi.json').read_text())['paths'].get(path, {}) or path == '/openapi.json'
    if word.startswith('zona_'):
        return f'| `{word}` |' in (root / 'docs/metrics.md').read_text()
    if re.fullmatch(r'[a-z_]+(\.[a-z_]+)+', word):
        return f'| `{word}` |' in (root / 'docs/configuration.md').read_text()
    return None


# AUDIT-14, SEC-29
@pytest.mark.parametrize('page, least', [('controls.md', 60), ('audits.md', 20)])
def test_everything_that_auditors_are_pointed_at_exists(root, page, least):
    words = re.findall(r'`([^`]+)`', (root / 'docs/security' / page).read_text())
    found = {word: exists(root, word) for word in words}

    assert [word for word, there in found.items() if there is False] == []
    assert [word for word, there in found.items() if there is None and word not in ('--tenant', 'logs/security.log')] == []
    assert len(words) > least


# AUDIT-14
def test_every_common_criterion_has_a_control_or_says_whose_it_is(root):
    rows = [line.split('|') for line in (root / 'docs/security/controls.md').read_text().splitlines() if line.startswith('| ') and 'Criteria' not in line]
    for number in range(1, 10):
        assert any(re.search(rf'\bCC{number}\b', row[1]) for row in rows), f'CC{number}'
    for row in rows:
        assert len(row) == 7 and row[2].strip() and (row[4].strip() or row[5].strip()), row
        assert row[4].strip() or row[2].strip().startswith('none'), f'{row[1]} has no test'
