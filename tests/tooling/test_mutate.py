"""scripts/mutate on a small project: caught, survived and stale mutations are told apart."""
import shutil
import subprocess

import pytest

PRESETS = '''{"version": 6, "configurePresets": [{"name": "check", "generator": "Ninja",
 "binaryDir": "${sourceDir}/build/check", "cacheVariables": {"CMAKE_CXX_COMPILER": "clang++-19"}}]}'''
CMAKE = '''cmake_minimum_required(VERSION 3.25)
project(small LANGUAGES CXX)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
find_package(GTest REQUIRED)
add_executable(sum_test sum_test.cpp)
target_link_libraries(sum_test GTest::gtest_main)
add_executable(tool tool.cpp)
'''
SUM_H = 'inline int sum(int a, int b) {\n    return a + b;\n}\n'
TEST = '''#include <gtest/gtest.h>
#include "sum.h"
TEST(Sum, Adds) { EXPECT_EQ(sum(2, 3), 5); }
TEST(Sum, TakesZero) { EXPECT_EQ(sum(0, 0), 0); }
'''
TOOL = '#include "sum.h"\nint main() {\n    return sum(2, -2);\n}\n'
PYTEST = '''import os, subprocess
def test_tool_exits_with_0():
    assert subprocess.run([os.environ['ZONA_BIN_DIR'] + '/tool']).returncode == 0
'''


def patch(test, old='return a + b;', new='return a - b;'):
    return (f'# promise: sums are right\n# test: {test}\n--- a/sum.h\n+++ b/sum.h\n@@ -1,3 +1,3 @@\n'
            f' inline int sum(int a, int b) {{\n-    {old}\n+    {new}\n }}\n')


@pytest.fixture
def project(root, tmp_path):
    for path, text in {'CMakeLists.txt': CMAKE, 'CMakePresets.json': PRESETS, 'sum.h': SUM_H, 'sum_test.cpp': TEST,
                       'tool.cpp': TOOL, 'tests/test_tool.py': PYTEST, '.gitignore': '/build/\n'}.items():
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    (tmp_path / 'scripts').mkdir()
    (tmp_path / 'tests/mutations').mkdir()
    shutil.copy(root / 'scripts/mutate', tmp_path / 'scripts')
    for arguments in (['init', '-q'], ['add', '.'],
                      ['-c', 'user.name=t', '-c', 'user.email=t@example.org', 'commit', '-q', '-m', 'x']):
        subprocess.run(['git', *arguments], cwd=tmp_path, check=True)
    return tmp_path


def mutate(project, patches):
    for name, text in patches.items():
        (project / 'tests/mutations' / f'{name}.patch').write_text(text)
    done = subprocess.run([project / 'scripts/mutate'], capture_output=True, text=True)
    verdicts = {line.split()[1]: line.split()[0] for line in done.stdout.splitlines()
                if line[:1].isalpha() and line.split()[1] in patches}
    return done.returncode, verdicts, done.stdout + done.stderr


def test_mutations_that_tests_notice_are_caught(project):
    status, verdicts, out = mutate(project, {
        'unit': patch('sum_test:Sum.Adds'),
        'whole': patch('pytest tests/test_tool.py::test_tool_exits_with_0'),
        'crash': patch('sum_test:Sum.Adds', new='__builtin_trap();'),
    })

    assert verdicts == {'unit': 'caught', 'whole': 'caught', 'crash': 'caught'}, out
    assert status == 0
    assert (project / 'sum.h').read_text() == SUM_H
    assert subprocess.run(['git', 'status', '--porcelain', '--', 'sum.h'], cwd=project, capture_output=True).stdout == b''


def test_everything_else_fails_the_run(project):
    status, verdicts, out = mutate(project, {
        'blind': patch('sum_test:Sum.TakesZero'),
        'gone': patch('sum_test:Sum.Adds', old='return b + a;'),
        'nothing': patch('sum_test:Sum.Missing'),
        'nowhere': patch('pytest tests/test_tool.py::test_missing'),
        'syntax': patch('sum_test:Sum.Adds', new='return a -;'),
        'good': patch('sum_test:Sum.Adds'),
    })

    assert verdicts == {'blind': 'SURVIVED', 'gone': 'stale', 'nothing': 'broken', 'nowhere': 'broken', 'syntax': 'broken',
                        'good': 'caught'}, out
    assert status == 1


def test_changes_not_committed_are_part_of_the_tree(project):
    (project / 'sum.h').write_text(SUM_H.replace('return a + b;', 'return b + a;'))

    status, verdicts, out = mutate(project, {'new': patch('sum_test:Sum.Adds', old='return b + a;')})

    assert (status, verdicts) == (0, {'new': 'caught'}), out


def test_patch_without_promise_is_an_error(project):
    status, _, out = mutate(project, {'odd': '# test: sum_test:Sum.Adds\n'})

    assert status == 1
    assert 'no line "# promise: ..."' in out
