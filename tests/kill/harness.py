"""Kills a zona at random and at labelled points while its processes write, end and restart; then compares its
account with theirs.

    /usr/bin/python3 tests/kill/harness.py --seeds 1-30 --kills 20     prints the table of labels, exit 1 on violations

A seed decides everything but the timing; `--seeds N` runs one again. What must hold after every seed:
no process lost or doubled, no line lost or doubled, no exit unreported or wrong (`unknown` only for a child that
lost both its parents), no zombie, no growth of descriptors.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
import processes  # noqa: E402
from waiting import wait_until  # noqa: E402
from zona_home import BIN, Zona  # noqa: E402

INSTANCES = 4

# Label and the highest number of passes to let go by: points of the recovery are passed by every daemon.
LABELS = {
    'spawn.prepared': 6, 'spawn.intent': 6, 'spawn.cloned': 6, 'spawn.running': 6, 'spawn.done': 6,
    'exit.seen': 6, 'exit.recorded': 6, 'exit.reaped': 6, 'exit.drained': 6, 'exit.history': 6, 'exit.idle': 6,
    'history.before_write': 6, 'history.after_write': 6,
    'capture.before_splice': 200, 'capture.after_splice': 200, 'capture.drain': 8, 'capture.index': 20,
    'takeover.slot': 3,
    'state.journal_before_write': 2, 'state.journal_after_write': 2, 'state.journal_before_sync': 2,
    'state.journal_after_sync': 2, 'restart.recorded': 1, 'stop.recorded': 1,
}


class Run:
    """One seed: `kills` rounds, or fewer if the labelled points have killed `enough` times before."""

    def __init__(self, seed, kills, labels=None, enough=None):
        self.seed, self.kills = seed, kills
        self.random = random.Random(seed)
        self.labels = labels or list(LABELS)
        self.enough = enough
        self.violations = []
        self.hits = collections.Counter()
        self.killed = collections.Counter()
        self.exits = {}          # (process id, incarnation) -> exit
        self.lost = set()        # pids that had lost the daemon, then the keeper: unknown ends are allowed
        self.gaps = []           # (from, to) in ns: keeper and daemon may both have been dead, and nobody held the FIFOs
        self.gap_begin = None
        self.zona = Zona()
        self.truth = self.zona.folder / 'truth'
        self.truth.mkdir()
        self.fault_file = self.zona.folder / 'fault'
        self.zona.env['ZONA_FAULT_FILE'] = str(self.fault_file)
        self.hits_seen = 0

    def complain(self, text):
        self.violations.append(f'seed {self.seed}: {text}')

    # --- the faults

    def arm(self, label=None):
        label = label or self.random.choice(self.labels)
        self.fault_file.write_text(f'{label}:{self.random.randint(1, LABELS[label])}\n')

    def disarm(self):
        self.fault_file.write_text('\n')

    def count_hits(self):
        path = pathlib.Path(f'{self.fault_file}.hits')
        lines = path.read_text().split() if path.exists() else []
        for label in lines[self.hits_seen:]:
            self.hits[label] += 1
            self.killed['itself'] += 1
        new = len(lines) - self.hits_seen
        self.hits_seen = len(lines)
        return new

    # --- asking

    def ask(self, *args, timeout=20):
        """A command that may be cut off by a kill: None then."""
        try:
            answer = self.zona.run(*args, check=False, timeout=timeout)
        except subprocess.TimeoutExpired:
            self.complain(f'`zona {" ".join(args)}` did not answer in {timeout} s')
            return None
        return answer if answer.returncode == 0 else None

    def pids(self):
        answer = self.ask('ping', '--json')
        return (answer.data['keeper']['pid'], answer.data['daemon']['pid']) if answer else None

    def wait_for_daemon(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            pids = self.pids()
            if pids:
                if self.gap_begin:
                    self.gaps.append((self.gap_begin, time.time_ns()))
                    self.gap_begin = None
                return pids
            if not any('zona-keeper' in p.name or 'zonad' in p.name for p in self.zona.processes() if p.alive()):
                self.ask('save', '--force')   # a verb that starts zona
            time.sleep(0.02)
        self.complain('no daemon answers for 20 s')
        return None

    def collect_exits(self):
        answer = self.ask('list', '--json')
        for process in answer.data if answer else []:
            why = self.ask('why', str(process['pm_id']), '--json')
            for entry in why.data[0]['exits'] if why else []:
                key = (process['instance'], entry['incarnation'])
                told = (entry['cause'], entry['code'], entry['signal'], entry['pid'])
                if self.exits.setdefault(key, told) != told:
                    self.complain(f'exit of {key} told twice: {self.exits[key]} and {told}')

    # --- the course of a seed

    def kill_somebody(self):
        """Whether keeper and daemon were killed in one breath."""
        pids = self.pids()
        if not pids:
            return False
        choice = self.random.random()
        victims = {'daemon': pids[1:], 'keeper': pids[:1], 'both': pids}
        name = 'daemon' if choice < 0.75 else 'keeper' if choice < 0.92 else 'both'
        if name != 'daemon':
            # A writer notes its end before it ends.
            self.gap_begin = time.time_ns() - 50_000_000
        if name == 'keeper':
            # Also those that have ended while it had no time to look.
            self.lost |= {p.pid for p in self.zona.processes() if p.ppid != pids[1]}
            self.lost |= {p.pid for p in processes.children(pids[0])}
        for pid in victims[name]:
            try:
                os.kill(pid, signal.SIGKILL)
                self.killed[name] += 1
            except ProcessLookupError:
                pass
        if name == 'keeper' and self.random.random() < 0.3:
            # The daemon is on its way to becoming the keeper; hit it there.
            name = 'both'
            try:
                os.kill(pids[1], signal.SIGKILL)
            except ProcessLookupError:
                pass
        return name == 'both'

    def run(self):
        try:
            self.disarm()
            self.zona.run('start', BIN / 'kill_writer', '--name', 'w', '-i', str(INSTANCES), '--max-restarts', '1000000',
                          '--interpreter', 'none', '--', str(self.truth), check=False)
            if len(self.zona.list()) != INSTANCES:
                raise AssertionError('the writers did not start')
            fds = self.descriptors()
            for _ in range(self.kills):
                # A daemon reads its fault when it starts: the one that follows this kill has it.
                label = self.random.choice(self.labels)
                self.arm(label)
                both = self.kill_somebody()
                number = str(self.random.randrange(INSTANCES))
                if label.startswith(('restart', 'state')):
                    self.ask('restart', number)
                if label.startswith(('stop', 'state')):
                    self.ask('stop', number)
                deadline = time.monotonic() + 0.6
                hits = self.count_hits()
                while not hits and time.monotonic() < deadline:
                    time.sleep(0.01)
                    hits = self.count_hits()
                if not hits and not both:
                    self.gap_begin = None   # the daemon lived on and held them
                self.disarm()
                if self.random.random() < 0.2:
                    self.ask('restart', number)
                if self.random.random() < 0.1 or label.startswith(('stop', 'state')):
                    self.ask('stop', number)
                    self.ask('start', number)
                if not self.wait_for_daemon():
                    return self
                self.collect_exits()
                if self.enough and self.killed['itself'] >= self.enough:
                    break
            self.settle(fds)
            self.check()
        except AssertionError as error:
            self.complain(str(error))
        finally:
            try:
                self.zona.close(keep=bool(self.violations))
            except AssertionError as error:
                self.complain(str(error))
        return self

    def descriptors(self):
        keeper, daemon = self.zona.keeper_pid(), self.zona.daemon_pid()
        return [len(os.listdir(f'/proc/{pid}/fd')) for pid in (keeper, daemon)]

    def settle(self, fds):
        self.disarm()
        self.wait_for_daemon()
        # A daemon that was armed when it started dies with its next fault; one that starts now has none.
        os.kill(self.zona.daemon_pid(), signal.SIGKILL)
        self.wait_for_daemon()
        self.collect_exits()
        for number in range(INSTANCES):
            wait_until(lambda n=number: self.ask('stop', str(n)) is not None, 30)
        self.collect_exits()
        for before, after, who in zip(fds, self.descriptors(), ('keeper', 'daemon')):
            if after > before + 5 * INSTANCES:   # log files and their indexes open with their first bytes
                self.complain(f'the {who} has {after} descriptors, {before} at the beginning')
        left = [p for p in self.zona.processes() if p.name == 'kill_writer' and p.alive()]
        if left:
            self.complain(f'processes run after their stop: {left}')
        try:
            wait_until(lambda: not self.zona.zombies(), 5)
        except AssertionError:
            self.complain(f'zombies: {self.zona.zombies()}')

    def check(self):
        for process in self.zona.list():
            self.check_instance(process)

    def check_instance(self, process):
        number = process['instance']
        truth = (self.truth / f'w{number}.truth').read_text().splitlines()
        begun, ended, pids, began_at = [], {}, {}, {}
        for line in truth:
            word, *rest = line.split()
            if word == 'B':
                begun.append(int(rest[0]))
                pids[int(rest[0])] = int(rest[1])
                began_at[int(rest[0])] = int(rest[2])
            elif word == 'E':
                ended[int(rest[0])] = (int(rest[1]), rest[2], int(rest[3]), int(rest[4]))
            else:
                self.complain(f'instance {number}: {line}')
        if begun != list(range(1, len(begun) + 1)):
            self.complain(f'instance {number}: runs {begun}')
        by_pid = {}
        for (instance, incarnation), told in self.exits.items():
            if instance == number and by_pid.setdefault(told[3], told) != told:
                self.complain(f'instance {number}: two ends of pid {told[3]}')
        for pid, told in self.ends_in_the_log().items():
            by_pid.setdefault(pid, told)   # the API keeps the last ten only
        told = {run: by_pid.get(pids[run]) for run in begun}
        for stream in ('out_file', 'error_file'):
            self.check_lines(number, stream, pathlib.Path(process[stream]), begun, ended)
        # Who lived through a gap has no parent any more.
        orphans = {run for run in begun if pids[run] in self.lost or
                   any(began_at[run] <= end and (run not in ended or begin <= ended[run][3]) for begin, end in self.gaps)}
        self.check_exits(number, begun, ended, told, pids, orphans)

    def ends_in_the_log(self):
        ends = {}
        for line in (self.zona.home / 'logs/zonad.log').read_text().splitlines():
            if '"message":"ended"' in line:
                entry = json.loads(line)
                cause = 'signaled' if entry['signal'] else 'exited'
                name = signal.Signals(entry['signal']).name if entry['signal'] else None
                ends[entry['pid']] = (entry.get('cause', cause), entry['code'], name, entry['pid'])
        return ends

    def is_recorded(self, pid):
        number = pid.to_bytes(4, 'little')
        return any(number in path.read_bytes() for path in (self.zona.home / 'state').glob('exits*'))

    def check_lines(self, number, stream, path, begun, ended):
        lines = collections.defaultdict(list)
        order = []
        for line in path.read_text().splitlines():
            parts = line.split()
            if len(parts) != 2 or not all(p.isdigit() for p in parts):
                return self.complain(f'instance {number} {stream}: torn line {line!r}')
            run, n = map(int, parts)
            if not order or order[-1] != run:
                order.append(run)
            lines[run].append(n)
        if order != sorted(set(order)):
            self.complain(f'instance {number} {stream}: runs out of order {order}')
        for run in begun:
            count = len(lines[run])
            if lines[run] != list(range(count)):
                self.complain(f'instance {number} {stream} run {run}: lines lost or doubled: {lines[run][:50]}')
            # What the FIFO held is gone with a child that ends while keeper and daemon are both dead.
            alone = run in ended and any(begin <= ended[run][3] <= end for begin, end in self.gaps)
            if run in ended and count != ended[run][0] and not alone:
                self.complain(f'instance {number} {stream} run {run}: {count} of {ended[run][0]} lines')

    def check_exits(self, number, begun, ended, told, pids, orphans):
        # An incarnation without a run was stopped before the program's first line.
        for run in begun:
            if told[run] is None and self.is_recorded(pids[run]):
                continue   # in the file, but never among the last ten when the API was asked
            if told[run] is None:
                self.complain(f'instance {number} run {run}: its exit was never told')
                continue
            cause, code, name, _ = told[run]
            if cause == 'unknown':
                if run not in orphans:
                    self.complain(f'instance {number} run {run}: unknown, though it had a parent')
                continue
            if run in ended:
                _, how, status, _ = ended[run]
                real = code if how == 'exited' else signal.Signals[name].value if name else None
                if (cause, real) != (how, status):
                    self.complain(f'instance {number} run {run}: told {told[run]}, was {how} {status}')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', default='1-8', help='one number or a range')
    parser.add_argument('--kills', type=int, default=20, help='rounds in each seed')
    parser.add_argument('--label', help='arm this label only')
    arguments = parser.parse_args()
    first, _, last = arguments.seeds.partition('-')
    hits, killed, violations = collections.Counter(), collections.Counter(), []
    for seed in range(int(first), int(last or first) + 1):
        run = Run(seed, arguments.kills, [arguments.label] if arguments.label else None).run()
        hits += run.hits
        killed += run.killed
        violations += run.violations
        print(f'seed {seed}: {sum(run.killed.values())} kills, {len(run.violations)} violations', flush=True)
    for label in LABELS:
        print(f'{label:28} {hits[label]:5}')
    print('killed:', ', '.join(f'{who} {n}' for who, n in sorted(killed.items())), '- in all', sum(killed.values()))
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == '__main__':
    sys.exit(main())
