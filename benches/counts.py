"""What noise doesn't move: system calls, page faults, instructions, memory, size."""

import os
import statistics
import subprocess

import measure as m
import world as w

# As `benches/bounds.toml` names them.
NAMES = {
    "system_calls": "system calls of `header`",
    "page_faults": "page faults of `header`",
    "instructions": "user instructions of `header`",
    "peak_memory_kib": "peak memory of `header`, KiB",
    "https_peak_memory_kib": "peak memory of `client-token` over https, KiB",
    "binary_bytes": "stripped binary, bytes",
    "crates": "crates in the program",
}


def header_of(world, server):
    """`header` on the file store, with a live token and no variable but the home."""
    user = world.user("one")
    user.set_up("file")
    user.profile("main", server.url("token"))
    user.log_in("main")
    return user.runs("header")


def client_token(world, url, **env):
    """`client-token` as a CI job has it: no file, only the environment."""
    words = [w.OURS, "client-token", "--no-store"]
    ours = {"OAUTHCTL_TOKEN_URL": url, "OAUTHCTL_CLIENT_ID": "bench",
            "OAUTHCTL_CLIENT_SECRET": "not-a-secret"}
    home = world.user("ci").env
    return m.Command(words, home | ours | env)


def crates(*which):
    """The names and versions of all crates that end up in the program."""
    tree = subprocess.run(
        ["cargo", "tree", "--locked", "--prefix=none", "--format={p}", *which],
        cwd=w.ROOT, check=True, capture_output=True, text=True).stdout
    return sorted({" ".join(line.split()[:2]) for line in tree.splitlines() if line.strip()})


def of(world, server, header):
    """Every count, by its name."""
    stage = m.Stage(world.home)
    [sample] = stage.in_turns([header], 21)
    bundle = client_token(world, server.url("token", tls=True),
                          SSL_CERT_FILE=world.path("tls", "bundle.pem"))
    median = lambda measured: int(statistics.median(measured() for _ in range(5)))
    return {
        "system_calls": m.system_calls(header, world.home),
        "page_faults": int(statistics.median(sample.faults)),
        "instructions": m.instructions(header, world.home),
        "peak_memory_kib": median(lambda: m.peak_memory(header, world.home)),
        "https_peak_memory_kib": median(lambda: m.peak_memory(bundle, world.home)),
        "binary_bytes": os.path.getsize(w.OURS),
        "crates": len(crates("--edges=normal")) - 1,
    }
