"""A headless Chromium, driven by the DevTools protocol over its pipe."""
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

from waiting import FACTOR

# What Chromium does of its own accord would be taken for the page's doing.
QUIET = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--disable-extensions',
         '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-default-apps']


class Chromium:
    """One browser with one page. `events` are all that it told, oldest first."""

    def __init__(self, program, hosts=''):
        """`hosts`: what --host-resolver-rules takes. Names that it does not map are not found: nothing leaves this machine."""
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='zt-'))
        rules = ', '.join(filter(None, [hosts, 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1', 'EXCLUDE localhost']))
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        self._log = open(self.folder / 'log', 'wb')
        # The protocol's pipe is descriptors 3 and 4.
        command = ['/bin/bash', '-c', f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"', 'chromium', program, *QUIET,
                   '--remote-debugging-pipe', f'--user-data-dir={self.folder}/profile', f'--host-resolver-rules={rules}', 'about:blank']
        self.process = subprocess.Popen(command, pass_fds=[to_browser, from_browser], stdin=subprocess.DEVNULL,
                                        stdout=self._log, stderr=self._log, env={**os.environ, 'HOME': str(self.folder)})
        os.close(to_browser)
        os.close(from_browser)
        self._rest = b''
        self._last = 0
        self._session = None
        self.events = []
        target = self.command('Target.createTarget', url='about:blank')['targetId']
        self._session = self.command('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network', 'Audits'):
            self.command(f'{domain}.enable')

    def _receive(self, deadline):
        while b'\0' not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                raise AssertionError('the browser does not answer')
            data = os.read(self._read, 1 << 16)
            if not data:
                raise AssertionError(f'the browser ended: {(self.folder / "log").read_text()[-2000:]}')
            self._rest += data
        message, _, self._rest = self._rest.partition(b'\0')
        message = json.loads(message)
        if 'method' in message:
            self.events.append(message)
        return message

    def command(self, method, **parameters):
        """What the browser answers. AssertionError when it refuses or stays silent."""
        self._last += 1
        message = {'id': self._last, 'method': method, 'params': parameters}
        if self._session:
            message['sessionId'] = self._session
        os.write(self._write, json.dumps(message).encode() + b'\0')
        deadline = time.monotonic() + 30 * FACTOR
        while True:
            answer = self._receive(deadline)
            if answer.get('id') == self._last:
                assert 'error' not in answer, f'{method}: {answer["error"]}'
                return answer['result']

    def of(self, method):
        """The parameters of all events of this name."""
        return [event['params'] for event in self.events if event['method'] == method]

    def open(self, url):
        """Loads a page, and what it asks for."""
        before = len(self.of('Page.loadEventFired'))
        answer = self.command('Page.navigate', url=url)
        assert 'errorText' not in answer, f'{url}: {answer["errorText"]}'
        deadline = time.monotonic() + 30 * FACTOR
        while len(self.of('Page.loadEventFired')) == before:
            self._receive(deadline)

    def follow(self, script):
        """Runs a script that leads to another page, and waits until that is loaded."""
        before = len(self.of('Page.loadEventFired'))
        self.run(script)
        deadline = time.monotonic() + 30 * FACTOR
        while len(self.of('Page.loadEventFired')) == before:
            self._receive(deadline)

    def run(self, script):
        """The value of a script; a promise is waited for."""
        answer = self.command('Runtime.evaluate', expression=script, awaitPromise=True, returnByValue=True)
        assert 'exceptionDetails' not in answer, answer['exceptionDetails']
        return answer['result'].get('value')

    def complaints(self):
        """What a developer would see in the console: errors, warnings, refusals of the page's policy."""
        said = [' '.join(str(word.get('value', word.get('description'))) for word in event['args'])
                for event in self.of('Runtime.consoleAPICalled') if event['type'] in ('error', 'warning', 'assert')]
        said += [event['exceptionDetails']['text'] for event in self.of('Runtime.exceptionThrown')]
        said += [f"{event['entry']['text']} ({event['entry'].get('url')})" for event in self.of('Log.entryAdded')]
        return said + [event['issue']['code'] for event in self.of('Audits.issueAdded')]

    def requested(self):
        """The URLs of all requests."""
        return [event['request']['url'] for event in self.of('Network.requestWillBeSent')]

    def close(self):
        os.close(self._write)   # it ends when its pipe does
        try:
            self.process.wait(20 * FACTOR)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._read)
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
