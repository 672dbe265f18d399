"""PyPI's django-oauth-toolkit with the clients that tests/others has, on a free port.

The line that tells its issuer is the first on stdout; it ends when its stdin does.
"""

import os
import socketserver
import sys
import tempfile
import threading
from wsgiref import simple_server

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

PAGES = {
    "registration/login.html": '<form method="post">{% csrf_token %}{{ form.as_p }}<button>Sign in</button></form>',
}

# Filled once Django may be imported from.
urlpatterns = []


class Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    daemon_threads = True


def configure(issuer, place):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    settings.configure(
        SECRET_KEY="of tests",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": os.path.join(place, "db"),
                "OPTIONS": {
                    "timeout": 60,
                    "transaction_mode": "IMMEDIATE",
                    "init_command": "PRAGMA synchronous=OFF; PRAGMA journal_mode=WAL",
                },
            }
        },
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "loaders": [
                        ("django.template.loaders.locmem.Loader", PAGES),
                        "django.template.loaders.app_directories.Loader",
                    ]
                },
            }
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        LOGGING={
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"stderr": {"class": "logging.StreamHandler"}},
            "root": {"handlers": ["stderr"], "level": "INFO"},
        },
        LOGIN_URL="/sign-in",
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": pem.decode(),
            "OAUTH2_VALIDATOR_CLASS": f"{__name__}.Validator",
            "OAUTH_DEVICE_VERIFICATION_URI": f"{issuer}/device/",
            "OAUTH_DEVICE_VERIFICATION_URI_COMPLETE": f"{issuer}/device/?user_code={{user_code}}",
            "SCOPES": {"openid": "who you are", "email": "where your mail goes", "read": "read"},
            "DEFAULT_SCOPES": ["read"],
            "PKCE_REQUIRED": True,
            "DCR_ENABLED": True,
            "DCR_REGISTRATION_PERMISSION_CLASSES": ("oauth2_provider.dcr.AllowAllDCRPermission",),
            "REFRESH_TOKEN_REUSE_PROTECTION": True,
            "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
            "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
        },
    )
    django.setup()


def fill():
    from django.contrib.auth.models import User
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    for name in ["alice", "bob", "carol"]:
        User.objects.create_user(name, f"{name}@people.example", "any")
    people = {"authorization_grant_type": "authorization-code", "redirect_uris": "http://127.0.0.1/callback"}
    Application.objects.create(
        client_id="a program", name="a program", client_type="public", algorithm="RS256", **people
    )
    Application.objects.create(
        client_id='a client: 100% +&=?/"é',
        client_secret='its secret: 100% +&=?/"\\é',
        name="a client",
        client_type="confidential",
        algorithm="RS256",
        **people,
    )
    Application.objects.create(
        client_id="a-device",
        name="a device",
        client_type="public",
        authorization_grant_type="urn:ietf:params:oauth:grant-type:device_code",
    )


def serve():
    from django.contrib.auth.views import LoginView
    from oauth2_provider.oauth2_validators import OAuth2Validator
    from oauth2_provider.urls import metadata_urlpatterns

    class Validator(OAuth2Validator):
        oidc_claim_scope = {**OAuth2Validator.oidc_claim_scope, "email": "email"}

        def get_additional_claims(self, request):
            return {"email": request.user.email}

    globals()["Validator"] = Validator
    urlpatterns.extend(
        [
            path("sign-in", LoginView.as_view()),
            path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
            path("", include(metadata_urlpatterns)),
        ]
    )


def main(place):
    server = Server(("127.0.0.1", 0), simple_server.WSGIRequestHandler)
    issuer = f"http://127.0.0.1:{server.server_port}/o"
    configure(issuer, place)
    serve()
    fill()
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(issuer, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        main(place)
