"""scripts/reference: what has to be documented, what speaks for itself, and that the reference comes out."""
import shutil
import subprocess

import pytest

HEAD = '/// @file\n/// A header.\n#pragma once\n\nnamespace zona::os {\n\n'
TAIL = '\n}  // namespace zona::os\n'


@pytest.fixture
def judge(root, tmp_path):
    """judge(declarations, path): what scripts/reference says of a header that holds them."""
    def of(declarations, path='src/os/x.h', arguments=('--check',)):
        (tmp_path / 'docs').mkdir(exist_ok=True)
        shutil.copy(root / 'docs/Doxyfile', tmp_path / 'docs')
        (tmp_path / 'docs/ARCHITECTURE.md').write_text('# Architecture\n\nThe way in.\n')
        (tmp_path / 'docs/modules.dox').write_text('/// @namespace zona\n/// All of it.\n')
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(HEAD + declarations + TAIL)
        return subprocess.run([root / 'scripts/reference', '--root', tmp_path, *arguments], capture_output=True, text=True)
    return of


@pytest.mark.parametrize('declarations', [
    'class X {\n  public:\n    /// Finds.\n    int find(int key);\n};',
    'enum class X { kA };',
    'int x();',
    'using X = int;',
    'inline constexpr int kX = 3;',
    '#define ZONA_X(a) a',
    '/// A class.\nclass X {\n  public:\n    int find(int key) const { return key; }\n};',
    '/// A class.\nclass X {\n  public:\n    int find() const;\n};',
    '/// A class.\nclass X {\n  public:\n    explicit X(int size);\n};',
    '/// @param size  of nothing\nint x(int length);',
    '/// As @ref nowhere says.\nint x();',
])
def test_missing_or_wrong_comment_is_an_error_with_its_place(judge, declarations):
    done = judge(declarations)

    assert done.returncode == 1
    assert 'src/os/x.h:' in done.stdout and 'warning: ' in done.stdout


@pytest.mark.parametrize('declarations', [
    '/// A struct.\nstruct X {\n    int number = 0;\n    bool operator==(const X&) const = default;\n};',
    '/// An enumeration.\nenum class X { kA, kB };',
    '/// A class.\nclass X {\n  public:\n    X(X&& other) noexcept;\n    X& operator=(X&& other) noexcept;\n    ~X();\n};',
    '/// A class.\nclass X {\n  public:\n    int size() const { return size_; }\n\n  private:\n    int hidden();\n    int size_ = 0;\n};',
    '/// @{\n/// One comment for two.\nint x();\nint y();\n/// @}',
    '/// A function of `a` and `b`, whose parameters need no list.\nint x(int a, int b);',
])
def test_what_speaks_for_itself_needs_no_comment(judge, declarations):
    done = judge(declarations)

    assert (done.returncode, done.stdout) == (0, '')


@pytest.mark.parametrize('path', ['src/os/detail/x.h', 'src/os/testing/x.h'])
def test_private_headers_are_not_judged(judge, path):
    done = judge('class X {};', path)

    assert (done.returncode, done.stdout) == (0, '')


def test_reference_is_built_with_the_architecture_in_front(judge, tmp_path):
    done = judge('/// Counts sheep.\nint sheep();', arguments=())

    assert (done.returncode, done.stdout) == (0, 'build/doxygen/html/index.html\n')
    html = tmp_path / 'build/doxygen/html'
    assert 'The way in.' in (html / 'index.html').read_text()
    assert 'Counts sheep.' in (html / 'x_8h.html').read_text()


def test_check_leaves_nothing_behind(judge, tmp_path):
    judge('/// Counts sheep.\nint sheep();')

    assert not (tmp_path / 'build').exists()
