"""An OpenID provider by Authlib: discovery, keys, codes with PKCE, ID tokens. Who signs in is `Provider.user`."""
import os
import secrets
import threading
import time
import types

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.jose import JsonWebKey
from authlib.oauth2.rfc6749 import ClientMixin, AuthorizationCodeMixin, grants, list_to_scope, scope_to_list
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, jsonify, redirect, request
from werkzeug.serving import make_server


class Client(ClientMixin):
    def __init__(self, client_id, client_secret, redirects):
        self.client_id, self.client_secret, self.redirects = client_id, client_secret, redirects

    def get_client_id(self):
        return self.client_id

    def get_default_redirect_uri(self):
        return self.redirects[0]

    def get_allowed_scope(self, scope):
        return list_to_scope([one for one in scope_to_list(scope) if one in ('openid', 'profile', 'email')])

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri in self.redirects

    def check_client_secret(self, client_secret):
        return secrets.compare_digest(client_secret, self.client_secret)

    def check_endpoint_auth_method(self, method, endpoint):
        return method == 'client_secret_basic'

    def check_response_type(self, response_type):
        return response_type == 'code'

    def check_grant_type(self, grant_type):
        return grant_type == 'authorization_code'


class Code(AuthorizationCodeMixin):
    def __init__(self, **fields):
        self.__dict__.update(fields, auth_time=int(time.time()))

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope

    def get_nonce(self):
        return self.nonce

    def get_auth_time(self):
        return self.auth_time


class Provider:
    """Listens on the loopback from its making to close()."""

    def __init__(self, port, client_id, client_secret, redirects):
        self.issuer = f'http://127.0.0.1:{port}'
        self.user = {'sub': '248289', 'preferred_username': 'anna', 'email': 'anna@corp.example', 'groups': ['soc']}
        self.key = JsonWebKey.generate_key('EC', 'P-256', {'kid': 'one', 'use': 'sig', 'alg': 'ES256'}, is_private=True)
        self.client = Client(client_id, client_secret, redirects)
        self.codes, self.used = {}, set()
        os.environ['AUTHLIB_INSECURE_TRANSPORT'] = '1'   # it is asked over the loopback alone
        self.server = make_server('127.0.0.1', port, self._application(), threaded=True)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        if not self.thread.is_alive():
            return
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def _application(self):
        app = Flask('openid_provider')
        app.config['OAUTH2_REFRESH_TOKEN_GENERATOR'] = False
        server = AuthorizationServer(app, query_client=lambda name: self.client if name == self.client.client_id else None,
                                     save_token=lambda token, request: None)
        server.register_grant(self._grant(), [self._openid(), CodeChallenge(required=True)])

        @app.get('/.well-known/openid-configuration')
        def describe():
            return jsonify(issuer=self.issuer, authorization_endpoint=self.issuer + '/authorize',
                           token_endpoint=self.issuer + '/token', jwks_uri=self.issuer + '/keys',
                           response_types_supported=['code'], subject_types_supported=['public'],
                           id_token_signing_alg_values_supported=['ES256'],
                           token_endpoint_auth_methods_supported=['client_secret_basic'])

        @app.get('/keys')
        def keys():
            return jsonify(keys=[self.key.as_dict()])

        @app.get('/authorize')
        def authorize():
            if self.user is None:
                state = request.args['state']
                return redirect(f'{request.args["redirect_uri"]}?error=access_denied&state={state}')
            return server.create_authorization_response(grant_user=types.SimpleNamespace(**self.user))

        @app.post('/token')
        def token():
            return server.create_token_response()

        return app

    def _grant(provider):
        class Grant(grants.AuthorizationCodeGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = ['client_secret_basic']

            def save_authorization_code(self, code, request):
                provider.codes[code] = Code(
                    code=code, redirect_uri=request.redirect_uri, scope=request.scope, nonce=request.data.get('nonce'),
                    code_challenge=request.data.get('code_challenge'), user=dict(provider.user),
                    code_challenge_method=request.data.get('code_challenge_method'))

            def query_authorization_code(self, code, client):
                return provider.codes.get(code)

            def delete_authorization_code(self, authorization_code):
                del provider.codes[authorization_code.code]

            def authenticate_user(self, authorization_code):
                return types.SimpleNamespace(**authorization_code.user)

        return Grant

    def _openid(provider):
        class OpenId(OpenIDCode):
            def exists_nonce(self, nonce, request):
                known = nonce in provider.used
                provider.used.add(nonce)
                return known

            def get_jwt_config(self, grant):
                return {'key': provider.key, 'alg': 'ES256', 'iss': provider.issuer, 'exp': 300}

            def generate_user_info(self, user, scope):
                return UserInfo(**vars(user))

        return OpenId(require_nonce=True)
