"""What the built programs are made of."""
import re
import subprocess

import pytest

# The C and C++ run-time libraries of the system, and yaml-cpp; nothing that brings another run time.
SYSTEM = re.compile(r'(libc|libm|libstdc\+\+|libgcc_s|libyaml-cpp|libresolv|libdl|libpthread|librt|ld-linux-\S+)\.so(\.[\d.]+)?\Z')
# Written in C, and only for some: the command starts in milliseconds.
MORE = {'zonad': re.compile(r'(libcrypto|libssl|libz|libsqlite3|libzxcvbn)\.so(\.[\d.]+)?\Z'),
        'zona-remote': re.compile(r'(libcrypto|libssl|libz)\.so(\.[\d.]+)?\Z')}


def readelf(*arguments):
    return subprocess.run(['llvm-readelf-19', *arguments], capture_output=True, text=True, check=True).stdout


# ARCH-13
@pytest.mark.parametrize('program', ['zona', 'zonad', 'zona-keeper', 'zona-remote'])
def test_program_needs_no_run_time_but_that_of_c_and_cpp(bin_dir, program):
    needed = re.findall(r'\(NEEDED\).*\[(.+?)\]', readelf('-d', bin_dir / program))
    others = [name for name in needed if not SYSTEM.match(name)]
    assert [name for name in others if program not in MORE or not MORE[program].match(name)] == []

    text = readelf('-S', '-s', '--wide', bin_dir / program)
    assert not re.search(r'\.note\.go\.buildid|\.gopclntab|\brust_eh_personality\b|\brust_begin_unwind\b', text)


# ARCH-13
def test_sources_are_cpp(root):
    files = subprocess.run(['git', 'ls-files'], cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()

    assert [f for f in files if re.search(r'(\.(go|rs)|(^|/)(go\.mod|Cargo\.toml))$', f)] == []
    product = [f for f in files if re.match(r'(src|bin)/.*\.[^.]+$', f) and not f.endswith(('.txt', '.md'))]
    assert product and all(f.endswith(('.cpp', '.h', '.json', '.in', '.dict', '.map')) for f in product), product


# The keeper is trusted with everything, so it is small and loads nothing.
def test_keeper_is_static_and_small(bin_dir):
    keeper = bin_dir / 'zona-keeper'

    assert 'INTERP' not in readelf('-l', keeper)
    assert '(NEEDED)' not in readelf('-d', keeper)
    loaded = re.findall(r'^\s*LOAD\s+\S+ \S+ \S+ \S+ (0x[0-9a-f]+)', readelf('-l', '--wide', keeper), re.M)
    assert loaded and sum(int(size, 16) for size in loaded) < 1 << 20
