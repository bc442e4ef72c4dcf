"""docs/cli.md says what the command says."""
import subprocess


# UX-11
def test_document_of_the_command_is_its_help(root, bin_dir):
    done = subprocess.run([root / 'scripts/generate-cli-doc', '--check', '--bin', bin_dir], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
