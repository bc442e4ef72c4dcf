"""The include graph: clean in this tree, and every kind of violation is seen."""
import re
import subprocess

import pytest


def check(root, tree):
    return subprocess.run([root / 'scripts/check-includes', '--root', tree], capture_output=True, text=True)


@pytest.fixture
def tree(tmp_path):
    """A small tree that keeps the rule: core < os < net < process < api, with their declarations."""
    modules = {'core': '', 'os': 'core', 'net': 'core os', 'store': 'core os', 'process': 'core os net',
               'api': 'core process'}
    for name, depends in modules.items():
        folder = tmp_path / 'src' / name
        (folder / 'detail').mkdir(parents=True)
        (folder / 'CMakeLists.txt').write_text(
            f'zona_add_module(NAME {name}\n    HEADERS {name}.h\n    SOURCES {name}.cpp\n    DEPENDS {depends})\n')
        (folder / f'{name}.h').write_text('#pragma once\n#include <string>\n#include <boost/asio/awaitable.hpp>\n')
        (folder / 'detail' / 'inner.h').write_text('#pragma once\n#include <spdlog/spdlog.h>\n')
        (folder / f'{name}.cpp').write_text(
            f'#include "{name}/{name}.h"\n#include "{name}/detail/inner.h"\n#include <sys/types.h>\n')
    (tmp_path / 'bin' / 'zonad').mkdir(parents=True)
    (tmp_path / 'bin' / 'zonad' / 'main.cpp').write_text('#include "api/api.h"\n#include "net/net.h"\n')
    return tmp_path


# PM-61, ARCH-03
def test_this_tree_keeps_the_layers(root):
    done = check(root, root)

    assert done.returncode == 0, done.stdout + done.stderr


# PM-61(part): the fixture itself is clean, so what the next test reports comes from its one line.
def test_clean_fixture_is_accepted(root, tree):
    done = check(root, tree)

    assert (done.returncode, done.stdout) == (0, '')


# PM-61, ARCH-03
@pytest.mark.parametrize('path, line, message', [
    ('src/core/core.cpp', '#include "os/os.h"', 'core may not include os, which is above it'),
    ('src/os/os.h', '#include "process/process.h"', 'os may not include process, which is above it'),
    ('src/process/process.cpp', '#include "api/api.h"', 'process may not include api, which is above it'),
    ('src/net/net.cpp', '#include "store/store.h"', 'net may not include its sibling store'),
    ('src/api/api.cpp', '#include "store/store.h"', 'does not name store under DEPENDS'),
    ('src/process/process.cpp', '#include "net/detail/inner.h"', '"net/detail/inner.h" is private to net'),
    ('bin/zonad/main.cpp', '#include "api/detail/inner.h"', '"api/detail/inner.h" is private to api'),
    ('src/net/net.h', '#include <boost/beast/http.hpp>', 'public header shows <boost/beast/http.hpp>'),
    ('src/os/os.h', '#include <yaml-cpp/yaml.h>', 'public header shows <yaml-cpp/yaml.h>'),
    ('src/os/os.h', '#include <sqlite3.h>', 'public header shows <sqlite3.h>'),
    ('src/process/process.cpp', 'int f() { return ::open("x", 0); }', 'system calls live in src/os alone'),
    ('src/net/net.cpp', 'void f() { (void)::write(2, "x", 1); }', 'system calls live in src/os alone'),
    ('src/os/os.cpp', '#include "../core/core.h"', 'climbs out of its folder'),
    ('src/os/os.cpp', '#include "os.h"', 'is no module\'s header'),
    ('src/os/os.cpp', '#include "os/gone.h"', 'does not exist under src/'),
    ('src/process/process.cpp', '#include "core/testing/fake_clock.h"', 'is for tests'),
])
def test_violation_is_reported_with_its_place(root, tree, path, line, message):
    file = tree / path
    file.write_text(file.read_text() + line + '\n')
    number = len(file.read_text().splitlines())

    done = check(root, tree)

    assert done.returncode == 1
    assert f'{path}:{number}: ' in done.stdout
    assert message in done.stdout


# ARCH-04
def test_one_library_is_below_every_module_and_program(root):
    modules = {}
    for file in (root / 'src').glob('**/CMakeLists.txt'):
        for name, text in re.findall(r'zona_add_module\(NAME (\w+)(.*?)^\S*\)', file.read_text() + '\n)', re.S | re.M):
            modules[name] = set(re.search(r'DEPENDS ([\w ]+)', text).group(1).split()) if 'DEPENDS' in text else set()
    assert len(modules) > 10
    assert [name for name, depends in modules.items() if name != 'core' and 'core' not in depends] == []

    # What all have in common is there once: no module logs, counts or is configured in a way of its own.
    common = {'Logger', 'Config', 'MetricRegistry', 'Result', 'Error', 'Clock', 'Random'}
    defined = {(name, path.relative_to(root).parts[1]) for path in (root / 'src').rglob('*.h') if 'testing' not in path.parts
               for name in re.findall(r'^class (?:\[\[nodiscard\]\] )?(\w+)[^;]*{', path.read_text(), re.M) if name in common}
    assert defined == {(name, 'core') for name in common}
    for program in ('zona', 'zona-remote', 'zonad'):
        linked = set(re.findall(r'zona_(\w+)', (root / f'bin/{program}/CMakeLists.txt').read_text()))
        assert linked & modules.keys(), f'{program} links none of them'


# PM-61(part): a rule that one could comment away would be no rule, one that reads comments a nuisance.
def test_commented_include_is_no_violation(root, tree):
    file = tree / 'src/core/core.cpp'
    file.write_text(file.read_text() + '// #include "os/os.h"\n/*\n#include "api/api.h"\n*/\n')

    assert check(root, tree).returncode == 0


# ARCH-03(part)
def test_module_without_a_layer_is_reported(root, tree):
    (tree / 'src' / 'novel').mkdir()
    (tree / 'src' / 'novel' / 'x.cpp').write_text('#include <string>\n')

    done = check(root, tree)

    assert done.returncode == 1
    assert 'module novel has no layer' in done.stdout
