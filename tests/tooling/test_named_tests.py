"""Pages that name tests: the tests exist."""
import re

import pytest


def test_every_test_of_the_table_of_attacks_exists(root):
    table = (root / 'tests/attacks/README.md').read_text()
    named = re.findall(r'`((?:tests|src)/[\w/.]+\.(?:py|cpp))(?:::?(\w+))?`', table)
    assert len(named) > 40

    for path, test in named:
        source = (root / path).read_text()
        assert not test or re.search(rf'^def {test}\(|^TEST\w*\(\w+, {test}\)', source, re.M), f'{path} has no test {test}'


def test_every_line_of_the_table_of_outages_names_tests_that_exist(root):
    lines = [line for line in (root / 'docs/outages.md').read_text().splitlines() if line.startswith('| **')]
    assert len(lines) > 10

    for line in lines:
        named = re.findall(r'`((?:tests|src)/[\w/.]+\.(?:py|cpp))(?::(\w+))?`', line.rsplit(' | ', 1)[1])
        assert named, f'no test proves: {line}'
        for path, test in named:
            source = (root / path).read_text()
            assert not test or re.search(rf'^def {test}\(|^TEST\w*\(\w+, {test}\)', source, re.M), f'{path} has no test {test}'


# ARCH-08
def test_every_pattern_of_the_specifications_has_its_place_and_that_exists(root):
    section = (root / 'docs/ARCHITECTURE.md').read_text().split('## Patterns\n')[1].split('\n## ')[0]
    rows = dict(re.findall(r'^\| (\w+) \| (.*) \|$', section, re.M))
    assert set(rows) - {'Pattern'} == {'Builder', 'Repository', 'Middleware', 'Factory', 'Singleton', 'Observer'}

    for pattern, text in rows.items():
        named = re.findall(r'`((?:src|bin)/[\w/]+\.h)` `(\w+)`', text)
        assert named or pattern == 'Pattern', f'{pattern} has no place'
        for path, symbol in named:
            declared = re.search(rf'^(?:class|struct) {symbol}\b[^;]*{{|^[\w:<>]+ {symbol}\(', (root / path).read_text(), re.M)
            assert declared, f'{path} declares no {symbol}'


@pytest.mark.parametrize('page', ['README.md'])
def test_every_test_that_a_page_names_exists(root, page):
    there = {name for path in (root / 'tests').rglob('test_*.py') for name in re.findall(r'^def (test_\w+)', path.read_text(), re.M)}
    named = set(re.findall(r'`(test_\w+)`', (root / page).read_text()))

    assert len(named) > 10
    assert named - there == set()
