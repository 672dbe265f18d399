"""What people use today, each set up so that it has a token at hand."""

import json
import os
import subprocess

import world as w
from measure import Command, Failed, find

NOT_TO_BE_HAD = "neither a package of Debian nor a crate"


class Missing(Exception):
    """Why a rival can't be compared with."""


def cat(world, **_):
    """The least that any program could do."""
    path = world.path("header")
    w.write(path, f"Authorization: Bearer {w.token(w.USUAL)}\n")
    return Command(["cat", path], world.env)


def secret_tool(keychain, **_):
    """The keychain, asked for one secret."""
    subprocess.run([find("secret-tool", w.PATH), "store", "--label=bench", "bench", "token"],
                   env=keychain.env, input=w.token(w.USUAL).encode(), check=True)
    return Command(["secret-tool", "lookup", "bench", "token"], keychain.env)


def ortie(world, server, **_):
    """Its token in a file that it has `cat` read: it keeps none by itself."""
    need("ortie", "cargo could not install it")
    home = world.path("ortie")
    path = os.path.join(home, "token.json")
    w.write(os.path.join(home, ".config", "ortie", "config.toml"), f"""
[accounts.bench]
default = true
grant = "client-credentials"
client-id = "bench"
client-secret.raw = "not a secret"
endpoints.token = "{server.url("token")}"
auto-refresh = true
storage.read.command = ["cat", "{path}"]
storage.write.command = "cat > {path}"
""")
    # It looks for `cat` itself, and should find it where everybody does.
    env = {"PATH": "/usr/bin:/bin", "HOME": home}
    Command([find("ortie", w.PATH), "auth", "get"], env).output()
    return Command([find("ortie", w.PATH), "token", "show"], env)


def gh(world, **_):
    """A token in its own file."""
    config = world.path("gh")
    w.write(os.path.join(config, "hosts.yml"),
            f"github.com:\n    oauth_token: {w.token(w.USUAL)}\n    user: bench\n")
    env = world.env | {"GH_CONFIG_DIR": config, "GH_NO_UPDATE_NOTIFIER": "1"}
    return Command(["gh", "auth", "token"], env)


def oidc_token(world, server, **_):
    """A daemon that holds the token."""
    need("oidc-agent", "not installed")
    home = world.path("oidc")
    os.makedirs(home, mode=0o700)
    issuer = server.url("", tls=True)
    metadata = {
        "issuer": issuer,
        "authorization_endpoint": server.url("authorize", tls=True),
        "token_endpoint": server.url("token-oidc", tls=True),
        "jwks_uri": server.url("jwks", tls=True),
        "scopes_supported": ["openid", "offline_access"],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
    }
    w.write(os.path.join(server.files, ".well-known", "openid-configuration"), json.dumps(metadata))
    answer = {"access_token": w.token(w.USUAL), "token_type": "Bearer", "expires_in": 86400,
              "refresh_token": "a refresh token", "scope": "openid offline_access"}
    w.write(os.path.join(server.files, "token-oidc"), json.dumps(answer))
    password = os.path.join(home, "password")
    w.write(password, "password\n")
    socket = os.path.join(home, "socket")
    env = {"PATH": w.PATH, "HOME": home, "OIDC_CONFIG_DIR": os.path.join(home, "config"),
           "OIDC_SOCK": socket}
    os.makedirs(env["OIDC_CONFIG_DIR"], mode=0o700)
    world.daemon(["oidc-agent", "--console", f"--socket-path={socket}"], env, log="oidc-agent.log")
    w.wait_until(lambda: os.path.exists(socket), "oidc-agent does not start")
    Command(["oidc-gen", "bench", "--manual", f"--issuer={issuer}", "--client-id=bench",
             "--client-secret=not-a-secret", "--refresh-token=a refresh token",
             f"--cert-path={world.path('tls', 'ca.pem')}", "--scope=openid offline_access",
             "--redirect-uri=http://localhost:8080", f"--pw-file={password}", "--prompt=none",
             "--confirm-default"], env).output()
    return Command(["oidc-token", "bench"], env)


def pizauth(**_):
    """Another daemon that holds the token."""
    raise Missing(NOT_TO_BE_HAD)


def oauth2l(**_):
    """Tokens in one file."""
    raise Missing(NOT_TO_BE_HAD)


def need(program, why):
    if find(program, w.PATH) is None:
        raise Missing(why)


def set_up(rival, **surroundings):
    """The command to compare with, or why there is none; what it prints must be the token."""
    try:
        command = rival(**surroundings)
        if w.token(w.USUAL) not in command.output():
            raise Missing("it does not print its token")
    except Missing as missing:
        return str(missing)
    except (Failed, FileNotFoundError, TimeoutError, subprocess.CalledProcessError) as failure:
        return f"it could not be set up: {' '.join(str(failure).split())[:160]}"
    return command
