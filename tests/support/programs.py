"""Programs that others wrote, run to their end."""
import subprocess


def run(*command, **options):
    """The finished process, its output as text."""
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, **options)
