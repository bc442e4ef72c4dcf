"""Looks at /proc: which processes belong to a test, and what state they are in."""
import dataclasses
import os
import pathlib
import signal
import time


@dataclasses.dataclass(frozen=True)
class Process:
    """A process as it was seen once; pid and start time together are never reused."""
    pid: int
    start: int
    ppid: int
    state: str
    name: str
    threads: int

    def runs(self):
        """A zombie does not, unless threads other than the first are left: they hold its descriptors."""
        return self.state != 'Z' or self.threads > 1

    def alive(self):
        now = read(self.pid)
        return now is not None and now.start == self.start and now.runs()

    def command_line(self):
        try:
            raw = pathlib.Path(f'/proc/{self.pid}/cmdline').read_bytes()
        except OSError:
            return self.name
        return raw.replace(b'\0', b' ').decode(errors='replace').strip() or f'[{self.name}]'

    def __str__(self):
        return f'{self.pid} ({self.state}, parent {self.ppid}): {self.command_line()}'


def read(pid):
    """The process `pid`, or None when there is none."""
    try:
        text = pathlib.Path(f'/proc/{pid}/stat').read_text(errors='replace')
    except OSError:
        return None
    name, _, rest = text.partition('(')[2].rpartition(')')
    fields = rest.split()
    return Process(int(pid), int(fields[19]), int(fields[1]), fields[0], name, int(fields[17]))


def everything():
    """Every process of the machine, zombies included."""
    found = (read(entry) for entry in os.listdir('/proc') if entry.isdigit())
    return [process for process in found if process is not None]


def alive(pid):
    """Whether `pid` runs; a zombie does not."""
    process = read(pid)
    return process is not None and process.runs()


def children(pid):
    return [process for process in everything() if process.ppid == pid]


def with_descendants(roots, processes):
    """`roots` and all that stands below them among `processes`."""
    found = {process.pid: process for process in roots}
    grew = True
    while grew:
        grew = False
        for process in processes:
            if process.pid not in found and process.ppid in found:
                found[process.pid] = process
                grew = True
    return list(found.values())


def _mentions(pid, marker, folder):
    """Whether environment, arguments, cwd or an open file of `pid` name the test it came from."""
    base = f'/proc/{pid}'
    for name, needles in (('environ', (marker.encode(),)), ('cmdline', (os.fsencode(folder),))):
        try:
            raw = pathlib.Path(base, name).read_bytes()
        except OSError:
            continue
        if any(needle in raw for needle in needles):
            return True
    try:
        links = [f'{base}/cwd', *(f'{base}/fd/{fd}' for fd in os.listdir(f'{base}/fd'))]
    except OSError:
        return False
    for link in links:
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if target == folder or target.startswith(f'{folder}/'):
            return True
    return False


def belonging_to(marker, folder):
    """The processes that a test started: those that carry its marker in their environment, name its
    folder in their arguments, stand in it or hold a file of it open, and all their descendants.

    The process that asks, and its ancestors, never belong.
    """
    processes = everything()
    by_pid = {process.pid: process for process in processes}
    own, pid = set(), os.getpid()
    while pid in by_pid and pid not in own:
        own.add(pid)
        pid = by_pid[pid].ppid
    others = [process for process in processes if process.pid not in own]
    seeds = [process for process in others if process.state != 'Z' and _mentions(process.pid, marker, str(folder))]
    return [process for process in with_descendants(seeds, others) if process.runs()]


def groups_of(processes, prefix):
    """The directories of the cgroups that the processes are in or below and whose name begins with `prefix`."""
    mounts = []
    for line in pathlib.Path('/proc/self/mountinfo').read_text().splitlines():
        fields = line.split()
        kind = fields.index('-') + 1
        if fields[kind] in ('cgroup', 'cgroup2') and fields[3] == '/':
            mounts.append((fields[kind], fields[4], set(fields[-1].split(','))))
    found = set()
    for process in processes:
        try:
            memberships = pathlib.Path(f'/proc/{process.pid}/cgroup').read_text().splitlines()
        except OSError:
            continue
        for membership in memberships:
            _, controllers, path = membership.split(':', 2)
            parts = pathlib.PurePath(path).parts
            at = next((i for i, part in enumerate(parts) if part.startswith(prefix)), None)
            if at is None:
                continue
            for kind, mount, options in mounts:
                if kind == 'cgroup2' if not controllers else kind == 'cgroup' and set(controllers.split(',')) <= options:
                    found.add(pathlib.Path(mount, *parts[1:at + 1]))
    return found


def remove_group(group):
    """Removes a cgroup with those below it, as far as they are empty."""
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            os.rmdir(folder)
        except OSError:
            pass


def end(processes, grace=0.0):
    """Ends the processes: SIGTERM and `grace` seconds if that is not 0, then SIGKILL."""
    for number in ([signal.SIGTERM] if grace else []) + [signal.SIGKILL]:
        for process in processes:
            if process.alive():
                try:
                    os.kill(process.pid, number)
                except ProcessLookupError:
                    pass
        deadline = time.monotonic() + (grace if number == signal.SIGTERM else 5)
        while time.monotonic() < deadline and any(process.alive() for process in processes):
            time.sleep(0.01)


def open_fds(pid):
    """How many files `pid` holds open."""
    return len(os.listdir(f'/proc/{pid}/fd'))
