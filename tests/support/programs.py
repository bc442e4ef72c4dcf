"""Programs that others wrote, run to their end."""
import subprocess


def run(*command, timeout=120, **options):
    """The finished process, its output as text."""
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout, **options)
