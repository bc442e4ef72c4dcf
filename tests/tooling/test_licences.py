"""docs/dependencies.md is true, and an untrue page is noticed."""
import subprocess

import pytest


def check(root, bin_dir, page):
    done = subprocess.run([root / 'scripts/check-licences', '--page', page, '--build', bin_dir.parent],
                          capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_page_is_true_of_this_build(root, bin_dir):
    status, out = check(root, bin_dir, root / 'docs/dependencies.md')

    assert (status, out) == (0, '')


@pytest.mark.parametrize('old, new, message', [
    ('| fmt 9.1 |', None, 'libfmt-dev: the build uses it'),
    ('| fmt 9.1 | `libfmt-dev`', '| fmt 9.1 | `libfmt-dev` `libfmt-gone`', 'libfmt-gone: is not installed'),
    ('| Redis 7.0: server', None, 'redis-server: scripts/install-deps installs it'),
    ('compiled into `zona_core` |', '|', 'fmt 9.1: the row is not complete'),
    ('has no `std::format` | MIT', 'has no `std::format` | BSL-1.0', 'copyright does not name BSL-1.0'),
    ('has no `std::format` | MIT', 'has no `std::format` | GPL-3.0-or-later', 'may not be linked into the product'),
    ('has no `std::format` | MIT', 'has no `std::format` | Beerware', 'is not in NAMES'),
])
def test_untrue_row_is_reported(root, bin_dir, tmp_path, old, new, message):
    lines = (root / 'docs/dependencies.md').read_text().splitlines()
    assert any(old in line for line in lines)
    changed = [line if old not in line else line.replace(old, new) for line in lines if new is not None or old not in line]
    page = tmp_path / 'dependencies.md'
    page.write_text('\n'.join(changed))

    status, out = check(root, bin_dir, page)

    assert status == 1
    assert message in out


def test_empty_page_is_refused(root, bin_dir, tmp_path):
    page = tmp_path / 'dependencies.md'
    page.write_text('# Dependencies\n')

    assert check(root, bin_dir, page)[0] == 2
