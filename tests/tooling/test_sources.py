"""scripts/check-sources: what it refuses, and what it leaves alone."""
import subprocess

import pytest


def check(root, tree, *arguments):
    return subprocess.run([root / 'scripts/check-sources', '--root', tree, *arguments], capture_output=True, text=True)


def write(tree, path, text):
    file = tree / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return path


@pytest.mark.parametrize('line, message', [
    ('// TO' 'DO: later', 'without an open item'),
    ('void f() { std::cerr << 1; }', 'prints by itself'),
    ('void f() { printf("x"); }', 'prints by itself'),
    ('const char* kPlace = "/wo' 'rk/main/x";', 'a path of one machine'),
    ('void f() { co_await g([&] { return 1; }); }', 'a capturing lambda'),
    ('void f() { co_await g(Request{1, 2}); }', 'a braced argument'),
    ('void f() { co_await g({1, 2}); }', 'a braced argument'),
    ('void f() { auto x = c ? co_await a() : b; }', 'co_await inside ?:'),
    ('void f() { co_await g(co_await h()); }', 'co_await among the arguments'),
])
def test_bad_line_is_reported(root, tmp_path, line, message):
    path = write(tmp_path, 'src/os/x.cpp', f'namespace zona {{\n{line}\n}}\n')

    done = check(root, tmp_path, path)

    assert done.returncode == 1
    assert f'{path}:2: ' in done.stdout and message in done.stdout


@pytest.mark.parametrize('line', [
    '// TO' 'DO(PM-12): until probes exist',
    'void f() { co_await g(name, 3, std::move(request)); }',
    'void f() { co_await boost::asio::post(executor, boost::asio::use_awaitable); }',
    'void f() { auto [e, n] = co_await socket.async_read(buffer, asio::as_tuple(asio::use_awaitable)); }',
    'void f() { co_await g([](int x) { return x; }); }',
    'void f() { if (auto x = co_await g(); x) { h(a ? b : c); } }',
    'void f() { auto x = a ? b : c; co_await g(x); }',
    'void f() { log("std::cerr << printf("); }  // std::cout',
    'void f() { std::snprintf(a, b, "x"); }',
])
def test_good_line_is_left_alone(root, tmp_path, line):
    path = write(tmp_path, 'src/os/x.cpp', f'namespace zona {{\n{line}\n}}\n')

    done = check(root, tmp_path, path)

    assert (done.returncode, done.stdout) == (0, '')


def test_long_function_warns_and_fails_when_strict(root, tmp_path):
    body = '    g();\n' * 70
    path = write(tmp_path, 'src/os/x.cpp', f'namespace zona {{\nclass X {{\n    int n{{1}};\n}};\nvoid X::f(int a) {{\n{body}}}\n}}\n')

    assert 'warning: src/os/x.cpp:5: function X::f has 72 lines' in check(root, tmp_path, path).stdout
    assert check(root, tmp_path, path).returncode == 0
    assert check(root, tmp_path, '--strict', path).returncode == 1


def test_namespace_and_class_are_no_functions(root, tmp_path):
    body = 'void f();\n' * 100
    path = write(tmp_path, 'src/os/x.cpp', f'namespace zona {{\nstruct X : Base<int> {{\n{body}}};\n}}\n')

    assert check(root, tmp_path, path).stdout == ''


def test_exception_list_may_only_shrink(root, tmp_path):
    def git(*arguments):
        subprocess.run(['git', '-c', 'user.name=t', '-c', 'user.email=t@example.org', *arguments], cwd=tmp_path, check=True,
                       capture_output=True)
    write(tmp_path, 'src/os/x.cpp', 'int x;\n' * 900)
    write(tmp_path, 'scripts/size-exceptions.txt', 'src/os/x.cpp | 900 | a table\n')
    git('init', '-q')
    git('add', '.')
    git('commit', '-q', '-m', 'x')
    assert check(root, tmp_path).returncode == 0

    write(tmp_path, 'scripts/size-exceptions.txt', 'src/os/x.cpp | 950 | a table\n')
    assert 'the list may only shrink' in check(root, tmp_path).stdout

    write(tmp_path, 'scripts/size-exceptions.txt', 'src/os/x.cpp | 900 | a table\n')
    write(tmp_path, 'src/os/x.cpp', 'int x;\n' * 901)
    assert 'the limit is 900' in check(root, tmp_path).stdout

    write(tmp_path, 'src/os/x.cpp', 'int x;\n' * 700)
    assert 'needs no exception any more' in check(root, tmp_path).stdout


def test_script_that_does_not_parse_is_reported(root, tmp_path):
    python = write(tmp_path, 'tests/x.py', 'def f(:\n')
    shell = write(tmp_path, 'scripts/x', '#!/bin/bash\nif true; then\n')

    done = check(root, tmp_path, python, shell)

    assert done.returncode == 1
    assert 'tests/x.py:1: does not parse' in done.stdout and 'scripts/x:1: does not parse' in done.stdout


def test_table_is_no_long_function(root, tmp_path):
    rows = '        {"a", 1},\n' * 70
    path = write(tmp_path, 'src/os/x.cpp',
                 f'namespace zona {{\nstd::vector<Row> rows() {{\n    return {{\n{rows}    }};\n}}\n'
                 f'constexpr auto kRows = std::to_array<Row>({{\n{rows}}});\n}}\n')

    assert check(root, tmp_path, path).stdout == ''
