"""scripts/install-deps: quiet when nothing is missing, clear when it cannot help."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest


@pytest.fixture
def fakes():
    """A PATH on which apt-get, sudo and npm only leave a note. Not in tmp_path, which only its owner may read."""
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        place.chmod(0o755)
        folder = place / 'bin'
        folder.mkdir()
        for name in ('apt-get', 'apt', 'sudo', 'npm'):
            (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {place}/called\nexit 1\n')
            (folder / name).chmod(0o755)
        yield folder, place / 'called'


def run(script, path, *arguments, prefix=()):
    return subprocess.run([*prefix, script, *arguments], capture_output=True, text=True,
                          env={'PATH': path, 'HOME': os.environ.get('HOME', '/')})


def test_nothing_missing_touches_neither_apt_nor_network(root, fakes):
    folder, note = fakes

    done = run(root / 'scripts/install-deps', f'{folder}:/usr/bin:/bin', 'build', 'run', 'test')

    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')
    assert not note.exists()


def test_unknown_group_is_named_with_the_known_ones(root, fakes):
    done = run(root / 'scripts/install-deps', f'{fakes[0]}:/usr/bin:/bin', 'build', 'tests')

    assert done.returncode == 2
    assert "unknown group 'tests'; there are: build run test bench lint" in done.stderr


def test_without_root_and_sudo_it_says_what_to_install(root, fakes):
    folder, note = fakes
    (folder / 'sudo').unlink()
    (folder / 'dpkg-query').write_text('#!/bin/sh\nexit 1\n')
    (folder / 'dpkg-query').chmod(0o755)
    for name in ('bash', 'env', 'dirname', 'realpath', 'tr', 'sort', 'sed', 'sh'):
        (folder / name).symlink_to(shutil.which(name))
    (folder.parent / 'scripts').mkdir()
    script = shutil.copy(root / 'scripts/install-deps', folder.parent / 'scripts')
    prefix = ['/usr/bin/setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] if os.geteuid() == 0 else []

    done = run(script, str(folder), 'run', prefix=prefix)

    assert done.returncode == 1
    assert 'there is no sudo' in done.stderr and 'apt-get install' in done.stderr and 'redis-server' in done.stderr
    assert not note.exists()
