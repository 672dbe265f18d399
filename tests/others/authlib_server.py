"""PyPI's Authlib with the clients that tests/others has, on a free port.

The line that tells its issuer is the first on stdout; it ends when its stdin does.
"""

import sys
import threading
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin, grants, list_to_scope, scope_to_list
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE, DeviceAuthorizationEndpoint, DeviceCodeGrant
from authlib.oauth2.rfc8628 import DeviceCredentialDict
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, jsonify, redirect, render_template_string, request, session
from joserfc.jwk import ECKey
from werkzeug.serving import make_server

PAGE = """<!doctype html><title>A server</title><form method="post">
{% if not user %}<input name="name" placeholder="Who are you?">{% endif %}
{% if device %}<input name="user_code" value="{{ code }}">{% endif %}
<button name="answer" value="yes">Agree</button> <button name="answer" value="no">Refuse</button></form>"""

app = Flask(__name__)
app.secret_key = "of tests"
key = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig", "alg": "ES256"})
issuer = None


@dataclass
class Client(ClientMixin):
    client_id: str
    method: str
    client_secret: str = ""
    id_token_signed_response_alg: str = "ES256"

    def get_client_id(self):
        return self.client_id

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return list_to_scope([word for word in scope_to_list(scope or "") if word in ("openid", "email", "read")])

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri.startswith("http://127.0.0.1:") and redirect_uri.endswith("/callback")

    def check_client_secret(self, client_secret):
        return self.client_secret == client_secret

    def check_endpoint_auth_method(self, method, endpoint):
        return method == self.method

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return True


@dataclass
class Token(TokenMixin):
    client_id: str
    user: str
    access_token: str
    refresh_token: str
    scope: str
    ends: float
    revoked: bool = False

    def check_client(self, client):
        return client.client_id == self.client_id

    def get_scope(self):
        return self.scope

    def get_expires_in(self):
        return self.ends - time.time()

    def is_expired(self):
        return time.time() >= self.ends

    def is_revoked(self):
        return self.revoked


@dataclass
class Code:
    client_id: str
    redirect_uri: str
    scope: str
    user: str
    nonce: str
    code_challenge: str
    code_challenge_method: str
    auth_time: int = field(default_factory=lambda: int(time.time()))

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope

    def get_nonce(self):
        return self.nonce

    def get_auth_time(self):
        return self.auth_time

    def get_acr(self):
        return None

    def get_amr(self):
        return None


clients = {
    client.client_id: client
    for client in [
        Client("a program", "none"),
        Client("a client of basic", "client_secret_basic", "its secret: +&=?/é"),
        Client("a client of post: 100% +&=?/é", "client_secret_post", "its secret: 100% +&=?/é"),
    ]
}
codes, tokens, devices, answers = {}, [], {}, {}


def find_token(text, hint=None):
    return next((token for token in tokens if text in (token.access_token, token.refresh_token)), None)


def save_token(token, request):
    ends = time.time() + token["expires_in"]
    kept = (token["access_token"], token.get("refresh_token"), token["scope"], ends)
    tokens.append(Token(request.client.client_id, request.user.id, *kept))


class CodeGrant(grants.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["none", "client_secret_basic", "client_secret_post"]

    def save_authorization_code(self, code, request):
        data = request.payload.data
        codes[code] = Code(
            request.client.client_id,
            request.payload.redirect_uri,
            request.scope,
            request.user.id,
            data.get("nonce"),
            data["code_challenge"],
            data["code_challenge_method"],
        )

    def query_authorization_code(self, code, client):
        found = codes.pop(code, None)
        return found if found and found.client_id == client.client_id else None

    def delete_authorization_code(self, authorization_code):
        pass

    def authenticate_user(self, authorization_code):
        return SimpleNamespace(id=authorization_code.user)


class OpenId(OpenIDCode):
    def exists_nonce(self, nonce, request):
        return any(code.nonce == nonce for code in codes.values())

    def get_client_claims(self, client):
        return {"iss": issuer}

    def get_encode_header(self, client):
        return {"alg": "ES256", "kid": "ec"}

    def resolve_client_private_key(self, client):
        return key

    def generate_user_info(self, user, scope):
        return UserInfo(sub=user.id)


class RefreshGrant(grants.RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["none", "client_secret_basic", "client_secret_post"]
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token):
        token = find_token(refresh_token)
        return token if token and not token.revoked else None

    def authenticate_user(self, refresh_token):
        return SimpleNamespace(id=refresh_token.user)

    def revoke_old_credential(self, refresh_token):
        refresh_token.revoked = True


class Devices(DeviceAuthorizationEndpoint):
    INTERVAL = 1

    def get_verification_uri(self):
        return f"{issuer}/device"

    def save_device_credential(self, client_id, scope, data):
        ends = int(time.time()) + data["expires_in"]
        credential = DeviceCredentialDict(data, client_id=client_id, scope=scope, expires_at=ends)
        devices[data["device_code"]] = credential


class DeviceGrant(DeviceCodeGrant):
    def query_device_credential(self, device_code):
        return devices.get(device_code)

    def query_user_grant(self, user_code):
        return answers.get(user_code)

    def should_slow_down(self, credential):
        last, credential["asked_at"] = credential.get("asked_at"), time.monotonic()
        early = last is not None and credential["asked_at"] - last < credential["interval"]
        # The first time anyhow, to see that it is heeded.
        if early or last is None:
            credential["interval"] += 1
        return early or last is None


class Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = ["none", "client_secret_basic", "client_secret_post"]

    def query_token(self, token_string, token_type_hint):
        return find_token(token_string)

    def revoke_token(self, token, request):
        token.revoked = True


class Introspection(IntrospectionEndpoint):
    CLIENT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]

    def query_token(self, token_string, token_type_hint):
        return find_token(token_string)

    def check_permission(self, token, client, request):
        return token.check_client(client)

    def introspect_token(self, token):
        return {"sub": token.user, "scope": token.scope, "client_id": token.client_id, "exp": int(token.ends)}


class Issuer(IssuerParameter):
    def __init__(self, server):
        super().__call__(server)

    def get_issuer(self):
        return issuer


@app.get("/.well-known/oauth-authorization-server/of/people")
def metadata():
    return jsonify(
        issuer=issuer,
        authorization_endpoint=f"{issuer}/authorize",
        token_endpoint=f"{issuer}/token",
        device_authorization_endpoint=f"{issuer}/device_authorization",
        revocation_endpoint=f"{issuer}/revoke",
        introspection_endpoint=f"{issuer}/introspect",
        userinfo_endpoint=f"{issuer}/userinfo",
        jwks_uri=f"{issuer}/keys",
        response_types_supported=["code"],
        code_challenge_methods_supported=["S256"],
        token_endpoint_auth_methods_supported=["none", "client_secret_basic", "client_secret_post"],
        authorization_response_iss_parameter_supported=True,
    )


@app.get("/of/people/keys")
def keys():
    return jsonify(keys=[key.as_dict(private=False)])


@app.after_request
def tell_errors(response):
    if response.status_code >= 400:
        print(request.path, response.get_data(as_text=True), file=sys.stderr, flush=True)
    return response


def signed_in():
    name = request.form.get("name") or session.get("name")
    session["name"] = name
    return name and SimpleNamespace(id=name)


@app.route("/of/people/authorize", methods=["GET", "POST"])
def authorize():
    user = signed_in()
    try:
        grant = server.get_consent_grant(end_user=user)
    except OAuth2Error as error:
        return server.handle_error_response(server.create_oauth2_request(request), error)
    if request.method == "GET":
        return render_template_string(PAGE, user=user)
    agrees = request.form["answer"] == "yes"
    return server.create_authorization_response(grant_user=user if agrees else None, grant=grant)


@app.route("/of/people/device", methods=["GET", "POST"])
def device():
    if request.method == "GET":
        code = request.args.get("user_code", "")
        return render_template_string(PAGE, user=session.get("name"), device=True, code=code)
    answers[request.form["user_code"]] = (signed_in(), request.form["answer"] == "yes")
    return redirect("done")


@app.get("/of/people/done")
def done():
    return "Back to the device"


@app.get("/of/people/userinfo")
def userinfo():
    token = find_token(request.headers["Authorization"].removeprefix("Bearer "))
    if not token or token.revoked:
        return "", 401
    return jsonify(sub=token.user, email=f"{token.user}@people.example")


@app.post("/of/people/token")
def token():
    return server.create_token_response()


for name in ["device_authorization", "revocation", "introspection"]:
    path = {"revocation": "revoke", "introspection": "introspect"}.get(name, name)
    app.post(f"/of/people/{path}", endpoint=name)(lambda name=name: server.create_endpoint_response(name))

app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
server = AuthorizationServer(app, query_client=clients.get, save_token=save_token)
server.register_grant(CodeGrant, [CodeChallenge(required=True), OpenId()])
server.register_grant(RefreshGrant)
server.register_grant(DeviceGrant)
server.register_endpoint(Devices)
server.register_endpoint(Revocation)
server.register_endpoint(Introspection)
server.register_extension(Issuer)

if __name__ == "__main__":
    listener = make_server("127.0.0.1", 0, app, threaded=True)
    issuer = f"http://127.0.0.1:{listener.server_port}/of/people"
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    print(issuer, flush=True)
    sys.stdin.read()
