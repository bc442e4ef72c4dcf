"""What the README shows is what happens."""
import re
import subprocess


def commands(section):
    """(command, output) of the indented examples: a `$ ` begins a command, a here-document belongs to it."""
    found, until = [], None
    for line in re.findall(r'^    (.*)$', section, re.M):
        if until:
            found[-1][0] += '\n' + line
            until = None if line == until else until
        elif line.startswith('$ '):
            found.append([line[2:], ''])
            heredoc = re.search(r"<<'(\w+)'$", line)
            until = heredoc and heredoc[1]
        else:
            found[-1][1] += line + '\n'
    return found


def masked(text):
    """Without what differs from run to run."""
    text = re.sub(r'"correlation_id":"[^"]+"', '"correlation_id":"ID"', text)
    text = re.sub(r'[\d.]+(ms|s)\b', 'TIME', re.sub(r'\d{4}-\d\d-\d\dT[\d:.]+Z', 'TIME', text))
    return [' '.join(line.split()) for line in re.sub(r'\b\d{2,}\b', 'N', text).splitlines()]


# UX-15
def test_the_tour_over_the_network_is_as_shown(open_zona, root, bin_dir, wait_until):
    zona = open_zona()
    zona.run('delete', 'nap')
    # Each line in one write, so that none is shown before its end has come.
    zona.write('hello.py', 'import os, time\nwhile True:\n    os.write(1, b"hello\\n")\n    time.sleep(0.01)\n')
    zona.run('start', 'hello.py')
    wait_until(lambda: zona.run('logs', 'hello', '--no-follow', check=False).stdout.count('hello\n') > 1)
    section = re.search(r'^## Over the network\n(.*?)^## ', (root / 'README.md').read_text(), re.M | re.S)[1]
    shown = commands(section)
    env = zona.environment({'ZONA_KEY': (zona.home / 'api-key').read_text().strip()})
    env['PATH'] = f"{bin_dir}:/usr/bin:/bin"

    assert len(shown) == 8
    for command, output in shown:
        if command.startswith('export '):
            continue   # the key of another home
        command, output = (text.replace('http://127.0.0.1:8063', zona.url).replace('~/.zona', str(zona.home)) for text in (command, output))
        done = subprocess.run(['bash', '-c', command], env=env, cwd=zona.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert masked(done.stderr + done.stdout) == masked(output), command
