"""A certificate authority by openssl: certificates of servers and clients, and lists of those that were revoked."""
import pathlib
import subprocess

CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[ca]
default_ca = this
[this]
database = {home}/index
serial = {home}/serial
crlnumber = {home}/crlnumber
new_certs_dir = {home}
certificate = {home}/ca.pem
private_key = {home}/ca.key
default_md = sha256
default_days = 1
default_crl_days = 1
unique_subject = no
policy = any
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[server]
subjectAltName = DNS:localhost,IP:127.0.0.1
extendedKeyUsage = serverAuth
[client]
extendedKeyUsage = clientAuth
"""


class Authority:
    """`home` is its own folder; `ca` the file that clients and servers trust, `revoked` its list."""
    def __init__(self, openssl, home, name='authority'):
        self.openssl, self.home = openssl, pathlib.Path(home)
        self.home.mkdir()
        self.ca, self.revoked = self.home / 'ca.pem', self.home / 'revoked.pem'
        (self.home / 'index').write_text('')
        (self.home / 'serial').write_text('01')
        (self.home / 'crlnumber').write_text('01')
        self._run('req', '-x509', *self._key('ca'), '-out', self.ca, '-days', 2, '-extensions', 'authority', name=name)
        self.publish()

    def issue(self, name, kind='client', begins=None, ends=None):
        """NAME.pem and NAME.key: (certificate, key). Times as 20200101000000Z."""
        certificate, key, request = self.home / f'{name}.pem', self.home / f'{name}.key', self.home / f'{name}.csr'
        self._run('req', '-new', *self._key(name), '-out', request, name=name)
        times = [word for flag, time in (('-startdate', begins), ('-enddate', ends)) if time for word in (flag, time)]
        self._run('ca', '-batch', '-notext', '-in', request, '-out', certificate, '-extensions', kind, *times, name=name)
        key.chmod(0o600)
        return str(certificate), str(key)

    def revoke(self, name):
        self._run('ca', '-revoke', self.home / f'{name}.pem')
        self.publish()

    def publish(self):
        """Makes the list anew."""
        self._run('ca', '-gencrl', '-out', self.revoked)

    def _key(self, name):
        return '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', self.home / f'{name}.key'

    def _run(self, command, *words, name=''):
        config = self.home / 'openssl.cnf'
        config.write_text(CONFIG.format(home=self.home, name=name))
        done = subprocess.run([self.openssl, command, '-config', str(config), *map(str, words)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
