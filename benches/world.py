"""The surroundings of what is measured: servers, keyrings and agents of their own, in one directory."""

import atexit
import base64
import http.server
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from measure import Command, find

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
OURS = os.path.join(ROOT, "target", "release", "oauthctl")
TOOLS = os.path.join(ROOT, "target", "benches", "bin")
SYSTEM_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
USUAL = 898
PATH = os.pathsep.join([TOOLS, "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"])


def token(length):
    """A token of this many bytes, shaped like a JWT."""
    chance = random.Random(length)
    encode = lambda some: base64.urlsafe_b64encode(some).decode().rstrip("=")
    head = encode(b'{"alg":"RS256","typ":"JWT"}')
    body = encode(json.dumps({"sub": "bench", "iss": "https://id.example.com"}).encode())
    rest = encode(chance.randbytes(length))
    return f"{head}.{body}.{rest}"[:length]


def write(path, text):
    """Writes a file that only its owner reads."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as file:
        file.write(text)


def free_port():
    """A port that nobody has."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(so, what):
    """Waits, for half a minute at the most."""
    end = time.monotonic() + 30
    while not so():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.02)


class World:
    """One directory, and everything that was started in it; all ends with the process."""

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="oauthctl-benches-")
        self.started = []
        self.env = {"PATH": PATH, "HOME": self.home}
        atexit.register(self.end)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))

    def end(self):
        """Ends what was started, in the reverse order, and removes the directory."""
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        for process in reversed(self.started):
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.home, *parts)

    def daemon(self, words, env=None, stdin=b"", log="daemon.log"):
        """Starts what serves until the end."""
        with open(self.path(log), "ab") as output:
            process = subprocess.Popen(
                [find(words[0], PATH), *words[1:]],
                env=env or self.env,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
            )
        self.started.append(process)
        process.stdin.write(stdin)
        process.stdin.close()
        return process

    def user(self, name):
        """Somebody with a home of their own."""
        home = self.path("users", name)
        os.makedirs(home, mode=0o700, exist_ok=True)
        return User(self, home)


class Server:
    """nginx on loopback, by http and by https, whose answers are files."""

    def __init__(self, world):
        self.world = world
        self.files = world.path("www")
        self.http = free_port()
        self.https = free_port()
        make_certificates(world)
        for name, length in [("token", USUAL), ("token-1k", 1 << 10), ("token-10k", 10 << 10),
                             ("token-100k", 100 << 10)]:
            answer = {"access_token": token(length), "token_type": "Bearer", "expires_in": 86400}
            write(os.path.join(self.files, name), json.dumps(answer))
        write(os.path.join(self.files, "whoami"), '{"name":"bench"}\n')
        write(world.path("nginx", "nginx.conf"), self.config())
        world.daemon(["nginx", "-p", world.path("nginx"), "-e", world.path("nginx", "error.log"),
                      "-c", world.path("nginx", "nginx.conf")])
        wait_until(self.answers, "nginx does not start")

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.https), 1).close()
        except OSError:
            return False
        return True

    def config(self):
        nginx = self.world.path("nginx")
        places = "\n".join(f"{kind}_temp_path {nginx}/{kind};" for kind in
                           ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        user = "user root;" if os.geteuid() == 0 else ""
        # A file is no answer to a POST for nginx, unless its refusal is the file.
        return f"""
daemon off; {user} worker_processes 1; pid {nginx}/pid;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; default_type application/json;
    {places}
    server {{
        listen 127.0.0.1:{self.http} backlog=1024;
        listen 127.0.0.1:{self.https} ssl;
        ssl_certificate {self.world.path("tls", "server.pem")};
        ssl_certificate_key {self.world.path("tls", "server.key")};
        ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets off;
        root {self.files};
        error_page 405 =200 $uri;
        location = /authorize {{ return 302 $arg_redirect_uri?code=code&state=$arg_state; }}
    }}
}}
"""

    def url(self, path, tls=False):
        scheme, port = ("https", self.https) if tls else ("http", self.http)
        return f"{scheme}://127.0.0.1:{port}/{path}"

    def body(self, name, length):
        """Serves a file of this many bytes, which takes no place on the disk."""
        path = os.path.join(self.files, name)
        with open(path, "wb") as file:
            file.truncate(length)
        return self.url(name)


def make_certificates(world):
    """A private CA, a certificate for 127.0.0.1, and the CA within a copy of the system's bundle."""
    tls = world.path("tls")
    os.makedirs(tls)

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=tls, check=True, capture_output=True)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    openssl("req", "-x509", *curve, "-days", "2", "-subj", "/CN=A private CA", "-keyout", "ca.key",
            "-out", "ca.pem", "-addext", "keyUsage=critical,keyCertSign")
    openssl("req", *curve, "-subj", "/CN=127.0.0.1", "-keyout", "server.key", "-out", "server.csr")
    write(os.path.join(tls, "server.ext"), "subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2",
            "-CAcreateserial", "-extfile", "server.ext", "-out", "server.pem")
    with open(os.path.join(tls, "bundle.pem"), "w", encoding="ascii") as bundle:
        for part in [SYSTEM_BUNDLE, os.path.join(tls, "ca.pem")]:
            with open(part, encoding="ascii") as file:
                bundle.write(file.read())


class User:
    """Somebody who uses oauthctl, in a home of their own."""

    def __init__(self, world, home):
        self.world = world
        self.home = home
        self.config = os.path.join(home, ".config", "oauthctl")
        self.env = {"PATH": PATH, "HOME": home}

    def set_up(self, store):
        write(os.path.join(self.config, "config.toml"),
              f'default_profile = "main"\nstore = "{store}"\n')

    def profile(self, name, token_url, **more):
        """Writes the profile of a client whose secret is in a file."""
        secret = os.path.join(self.home, "client_secret")
        if not os.path.exists(secret):
            write(secret, "not a secret")
        lines = [f'token_url = "{token_url}"', 'client_id = "bench"',
                 f'client_secret = {{ file = "{secret}" }}', 'identity = "client"',
                 *(f"{key} = {json.dumps(value)}" for key, value in more.items())]
        write(os.path.join(self.config, "profiles", f"{name}.toml"), "\n".join(lines) + "\n")

    def runs(self, *words, **env):
        """This user's oauthctl."""
        return Command([OURS, *words], self.env | env)

    def log_in(self, name):
        """Fetches the token of a profile into the store."""
        self.runs("client-token", "--profile", name).output()


class Keychain:
    """A bus of its own, and on it a gnome-keyring with an unlocked keyring."""

    def __init__(self, world):
        self.world = world
        home = world.path("keychain")
        os.makedirs(home, mode=0o700)
        address = f"unix:path={home}/bus"
        write(os.path.join(home, "bus.conf"),
              f'<busconfig><type>session</type><listen>{address}</listen>'
              '<policy context="default"><allow send_destination="*" eavesdrop="true"/>'
              '<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>')
        self.env = {"PATH": PATH, "HOME": home, "XDG_RUNTIME_DIR": home,
                    "DBUS_SESSION_BUS_ADDRESS": address}
        world.daemon(["dbus-daemon", "--nofork", "--config-file", f"{home}/bus.conf"], self.env)
        wait_until(lambda: os.path.exists(f"{home}/bus"), "the bus does not start")
        self.start()

    def start(self):
        """Starts the keyring, also after it ended: what it keeps is on the disk."""
        self.daemon = self.world.daemon(
            ["gnome-keyring-daemon", "--foreground", "--components=secrets", "--unlock"],
            self.env, stdin=b"password")
        wait_until(self.is_unlocked, "the keyring does not start")

    def is_unlocked(self):
        done = subprocess.run(
            ["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.secrets",
             "/org/freedesktop/secrets", "org.freedesktop.Secret.Service.ReadAlias",
             "string:default"],
            env=self.env, capture_output=True, check=False)
        return b"/collection/" in done.stdout

    def died(self):
        """Whether it ended by itself, as 42.1 does now and then when many clients come and go."""
        return self.daemon.poll() is not None


class SlowServer:
    """A token endpoint that takes its time and counts its requests; its first token is soon due."""

    def __init__(self, delay):
        self.requests = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Answers every POST alike."""

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.requests += 1
                first = outer.requests == 1
                if not first:
                    time.sleep(delay)
                life = 2 if first else 86400
                answer = json.dumps({"access_token": f"{outer.requests}-{token(USUAL)}",
                                     "token_type": "Bearer", "expires_in": life}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/token"
