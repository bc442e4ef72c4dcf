"""scripts/generate-configuration-doc: it writes what the test of the document wants."""
import shutil
import subprocess


def test_document_is_what_the_script_writes(root, bin_dir):
    done = subprocess.run([root / 'scripts/generate-configuration-doc', '--check', '--bin', bin_dir], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_changed_document_is_refused_and_mended(root, bin_dir, tmp_path):
    (tmp_path / 'scripts').mkdir()
    (tmp_path / 'docs').mkdir()
    script = shutil.copy(root / 'scripts/generate-configuration-doc', tmp_path / 'scripts')
    document = tmp_path / 'docs/configuration.md'
    document.write_text('# Configuration\n')

    refused = subprocess.run([script, '--check', '--bin', bin_dir], capture_output=True, text=True)
    written = subprocess.run([script, '--bin', bin_dir], capture_output=True, text=True)

    assert refused.returncode == 1 and 'run scripts/generate-configuration-doc' in refused.stderr
    assert written.returncode == 0, written.stderr
    assert document.read_text() == (root / 'docs/configuration.md').read_text()


def test_missing_test_binary_is_named_with_how_to_build_it(root, tmp_path):
    done = subprocess.run([root / 'scripts/generate-configuration-doc', '--bin', tmp_path], capture_output=True, text=True)

    assert done.returncode == 1 and 'scripts/build check core_test' in done.stderr
