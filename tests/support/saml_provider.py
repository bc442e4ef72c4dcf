"""A SAML identity provider by pysaml2, a process of its own on the loopback.

    saml_provider.py PORT DIRECTORY          DIRECTORY gets its keys

It signs in whoever comes as the person that it was told (POST /person), and answers by a page with a form. What it
says may be changed before it is signed, so that a test has answers that no honest provider gives.
"""
import html.parser
import json
import pathlib
import re
import subprocess
import sys
import time

import requests

PERSON = {'name_id': 'anna-0815', 'attributes': {'uid': ['anna'], 'mail': ['anna@corp.example'], 'groups': ['soc']},
          'key': 'signing', 'sign': ['assertion'], 'encrypt': False, 'changes': []}


class Form(html.parser.HTMLParser):
    """The one form of a page."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields = '', {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == 'form':
            self.action = attributes['action']
        elif tag == 'input' and attributes.get('name'):
            self.fields[attributes['name']] = attributes.get('value', '')


class SamlProvider:
    """The process, from its making to close()."""

    def __init__(self, port, directory):
        self.url = f'http://127.0.0.1:{port}'
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.process = subprocess.Popen([sys.executable, __file__, str(port), str(self.directory)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == 'ready\n'

    @property
    def metadata(self):
        return requests.get(self.url + '/metadata', timeout=30).text

    def trust(self, service_provider):
        """`service_provider`: metadata."""
        requests.post(self.url + '/service-provider', data=service_provider, timeout=30).raise_for_status()

    def person(self, **changes):
        requests.post(self.url + '/person', json={**PERSON, **changes}, timeout=60).raise_for_status()

    def sign_in(self, url):
        """What a browser is to send, and where: (action, fields)."""
        page = requests.get(url, timeout=60)
        assert page.status_code == 200, page.text
        form = Form(page.text)
        return form.action, form.fields

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def make_key(directory, name):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', f'/CN={name}', '-keyout',
                    str(directory / f'{name}.key'), '-out', str(directory / f'{name}.pem')], check=True, capture_output=True)


def serve(port, directory):
    from flask import Flask, Response, request
    from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, class_name, saml
    from saml2.config import IdPConfig
    from saml2.metadata import entity_descriptor
    from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
    from saml2.server import Server
    from saml2.sigver import pre_encryption_part, pre_signature_part
    from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256
    from werkzeug.serving import make_server

    for name in ('signing', 'foreign'):
        make_key(directory, name)
    url = f'http://127.0.0.1:{port}'
    service_provider = directory / 'service-provider.xml'
    person = dict(PERSON)

    def config(key='signing', **more):
        return IdPConfig().load({
            'entityid': url + '/metadata', 'key_file': str(directory / f'{key}.key'), 'cert_file': str(directory / f'{key}.pem'),
            'xmlsec_binary': '/usr/bin/xmlsec1', 'allow_unknown_attributes': True,
            'service': {'idp': {'endpoints': {'single_sign_on_service': [(url + '/sso', BINDING_HTTP_REDIRECT)]},
                                'policy': {'default': {'lifetime': {'minutes': 5}, 'attribute_restrictions': None, 'name_form': None,
                                                       'entity_categories': []}},
                                'name_id_format': [NAMEID_FORMAT_PERSISTENT]}}, **more})

    def answer(server, asked):
        told = asked.message
        response = server.create_authn_response(
            {}, told.id, told.assertion_consumer_service_url, sp_entity_id=told.issuer.text,
            name_id=NameID(format=NAMEID_FORMAT_PERSISTENT, text=person['name_id']),
            authn={'class_ref': 'urn:oasis:names:tc:SAML:2.0:ac:classes:Password', 'authn_instant': time.time()},
            sign_assertion=False, sign_response=False, encrypt_assertion=False)
        assertion = response.assertion
        assertion.attribute_statement = [statement(person['attributes'])]
        for element in ('response', 'assertion'):
            if element in person['sign']:
                target = response if element == 'response' else assertion
                target.signature = pre_signature_part(target.id, server.sec.my_cert, element, DIGEST_SHA256, SIG_RSA_SHA256)
        text = str(response)
        for pattern, new in person['changes']:
            text, count = re.subn(pattern, new, text)
            assert count, (pattern, text)
        if 'assertion' in person['sign']:
            text = server.sec.sign_statement(text, class_name(assertion), node_id=assertion.id)
        if person['encrypt']:
            text = encrypted(text)
        if 'response' in person['sign']:
            text = server.sec.sign_statement(text, class_name(response), node_id=response.id)
        return told.assertion_consumer_service_url, text

    def statement(attributes):
        return saml.AttributeStatement(attribute=[
            saml.Attribute(name=name, name_format=saml.NAME_FORMAT_BASIC,
                           attribute_value=[saml.AttributeValue(text=value) for value in values])
            for name, values in attributes.items()])

    def encrypted(text):
        """By xmlsec1, to the certificate of the service provider's metadata."""
        certificate = re.search(r'X509Certificate>([^<]*)<', service_provider.read_text())[1]
        (directory / 'encryption.pem').write_text(f'-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n')
        (directory / 'plain.xml').write_text(
            re.sub(r'(<(\w+):Assertion .*</\2:Assertion>)', r'<\2:EncryptedAssertion>\1</\2:EncryptedAssertion>', text, flags=re.S))
        (directory / 'template.xml').write_text(str(pre_encryption_part(msg_enc='http://www.w3.org/2009/xmlenc11#aes256-gcm')))
        subprocess.run(['xmlsec1', '--encrypt', '--pubkey-cert-pem', str(directory / 'encryption.pem'), '--session-key', 'aes-256',
                        '--xml-data', str(directory / 'plain.xml'), '--node-xpath', "//*[local-name()='Assertion']", '--output',
                        str(directory / 'encrypted.xml'), str(directory / 'template.xml')], check=True, capture_output=True)
        return (directory / 'encrypted.xml').read_text()

    app = Flask('saml_provider')

    @app.get('/metadata')
    def metadata():
        return Response(str(entity_descriptor(config())), mimetype='application/samlmetadata+xml')

    @app.post('/service-provider')
    def trust():
        service_provider.write_bytes(request.get_data())
        return ''

    @app.post('/person')
    def set_person():
        person.clear()
        person.update(request.get_json())
        return ''

    @app.get('/sso')
    def sign_in():
        server = Server(config=config(person['key'], metadata={'local': [str(service_provider)]}))
        asked = server.parse_authn_request(request.args['SAMLRequest'], BINDING_HTTP_REDIRECT)
        action, text = answer(server, asked)
        form = server.apply_binding(BINDING_HTTP_POST, text, action, request.args['RelayState'], response=True)
        return form['data']

    server = make_server('127.0.0.1', port, app)
    print('ready', flush=True)
    server.serve_forever()


if __name__ == '__main__':
    serve(int(sys.argv[1]), pathlib.Path(sys.argv[2]))
