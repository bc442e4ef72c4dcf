"""docs/metrics.md against the metrics that the sources register."""
import re

REGISTRATION = re.compile(r'\b(counter|gauge|histogram)\(\s*"(zona_\w+)",\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')


def registered(root):
    """{name: (kind, help)} of every registration in the product's sources."""
    found = {}
    for path in [*root.glob('src/**/*.cpp'), *root.glob('bin/**/*.cpp')]:
        if path.name.endswith('_test.cpp') or 'fuzz' in path.parts:
            continue
        for kind, name, text in REGISTRATION.findall(path.read_text()):
            found[name] = (kind, ''.join(re.findall(r'"((?:[^"\\]|\\.)*)"', text)))
    return found


def documented(root):
    """The same of the table."""
    rows = re.findall(r'^\| `(zona_\w+)` \| (\w+) \|[^|]*\| (.*) \|$', (root / 'docs/metrics.md').read_text(), re.M)
    return {name: (kind, text) for name, kind, text in rows}


# OBS-02
def test_the_page_lists_every_metric_with_its_kind_and_meaning(root):
    assert documented(root) == registered(root)


def test_every_name_of_a_metric_in_the_sources_was_understood(root):
    """A registration in another form than the pattern's would be missing in the page unseen."""
    names = set()
    for path in [*root.glob('src/**/*.cpp'), *root.glob('bin/**/*.cpp')]:
        if not path.name.endswith('_test.cpp'):
            names |= set(re.findall(r'"(zona_[a-z_]+)"', path.read_text()))

    names -= {'zona_key_', 'zona_refresh_', 'zona_root_'}   # how keys and tokens begin
    names -= {'zona_visitor', 'zona_attempt'}   # cookies
    names -= {'zona_shared', 'zona_core', 'zona_words'}   # databases, a table
    assert names == set(registered(root))
