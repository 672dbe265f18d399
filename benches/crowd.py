"""Many profiles, and many processes."""

import os
import time

import measure as m
import world as w


def user_with(world, server, profiles):
    """Somebody with so many profiles, each with a token in the file store."""
    user = world.user(f"of-{profiles}")
    user.set_up("file")
    names = ["main", *(f"profile-{number:04}" for number in range(1, profiles))]
    for name in names:
        user.profile(name, server.url("token"))
        user.log_in(name)
    return user


def at_once(scene, processes, delay):
    """Has so many find their token due: the seconds until the last is done, the token requests that came
    meanwhile, and how many different headers were printed."""
    server = w.SlowServer(delay)
    # A new user for each server.
    user = scene.world.user(f"of-port-{server.port}")
    user.set_up("file")
    user.profile("main", server.url)
    user.log_in("main")
    # It lives for two seconds.
    time.sleep(2.1)
    before = server.requests
    path = scene.world.path("headers")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
    output = os.open(path, flags, 0o600)
    command = user.runs("header")
    began = time.perf_counter()
    running = {scene.stage.start(command, stdout=output)[0] for _ in range(processes)}
    failed = 0
    for pid in running:
        failed += os.wait4(pid, 0)[1] != 0
    took = time.perf_counter() - began
    os.close(output)
    with open(path, encoding="ascii") as file:
        headers = file.read().splitlines()
    if failed or len(headers) != processes:
        raise m.Failed(command, f"{failed} of {processes} failed")
    return took, server.requests - before, len(set(headers))
