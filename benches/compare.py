"""Every row of the budget, ours and theirs in turns, as a table and as JSON. Started by `run`."""

import argparse
import json
import os
import statistics
import sys

import bodies
import counts
import crowd
import measure as m
import report
import rivals
import world as w
from report import Row

LAPS = 10


def main():
    parser = argparse.ArgumentParser(prog="benches/run", description=__doc__.split(". ")[0])
    parser.add_argument("--rounds", type=int, default=200, help="how often each program is run")
    parser.add_argument("--only", default="", help="the rows alone whose job or rival has this in it")
    parser.add_argument("--settled", action="store_true",
                        help="count the second of two runs: nobody pays for the other's use of caches")
    arguments = parser.parse_args()
    before = report.surroundings(arguments.rounds)
    world = w.World()
    scene = Scene(world, arguments)
    jobs = [header, keychain, client_token, curl, body, many_profiles, at_once, count]
    least = Race([m.Command(["true"], world.env)], None)
    races = [least, *(race for job in jobs for race in job(scene))]
    for lap in range(LAPS):
        print(f"lap {lap + 1} of {LAPS}", file=sys.stderr)
        for race in races:
            race.run(scene, arguments.rounds // LAPS)
    rows = [race.row() for race in races[1:]]
    told = {"conditions": before | {"true": least.samples[0].told()}, "rows": [row.told() for row in rows]}
    if not (arguments.only or arguments.settled):
        with open(os.path.join(w.HERE, "results.json"), "w", encoding="utf-8") as file:
            json.dump(told, file, indent=1, ensure_ascii=False)
            file.write("\n")
        report.rewrite("run", report.conditions(told["conditions"]) + report.table(rows))
    print(report.table(rows), end="")


class Scene:
    """What the rows share."""

    def __init__(self, world, arguments):
        self.world = world
        self.only = arguments.only
        self.stage = m.Stage(world.home, arguments.settled)
        self.server = w.Server(world)
        self.keychain = w.Keychain(world)
        self.header = counts.header_of(world, self.server)

    def wants(self, job, against=""):
        return self.only in f"{job} {against}"

    def rival(self, rival):
        return rivals.set_up(rival, world=self.world, server=self.server, keychain=self.keychain)


class Race:
    """Programs that take turns, and what to make of their times."""

    def __init__(self, commands, judge):
        self.commands = commands
        self.judge = judge
        self.samples = [m.Sample() for _ in commands]

    def run(self, scene, rounds):
        """One lap: the laps of all races are spread over the whole run, as the machine's moods are."""
        for sample, more in zip(self.samples, self.lap(scene, rounds)):
            sample.times += more.times

    def lap(self, scene, rounds):
        try:
            return scene.stage.in_turns(self.commands, rounds)
        except m.Failed:
            # The keyring alone is known to die of many clients.
            if not scene.keychain.died():
                raise
        scene.keychain.start()
        return self.lap(scene, rounds)

    def row(self):
        return self.judge(*self.samples)


def known(row):
    """What needs no race."""
    return Race([], lambda: row)


def ratio(job, against, ours, theirs, must, aim):
    """Two programs, of which ours may take so much of the other's time."""
    if isinstance(theirs, str):
        return known(Row(job, against, must=f"≤ {must:.2f} ×", aim=f"≤ {aim:.2f} ×", why=theirs))
    judge = lambda mine, others: Row.of(
        job, against, ours=mine, theirs=others, value=mine.median / others.median, unit="×", must=must,
        aim=aim)
    return Race([ours, theirs], judge)


def header(scene):
    """`header` on the file store, beside all that hands out a token."""
    job = "`header`, file store"
    for name, rival, must, aim in [
        ("`cat FILE`", rivals.cat, 1.40, 1.00),
        ("pizauth", rivals.pizauth, 1.00, 0.70),
        ("`oidc-token`", rivals.oidc_token, 1.00, 0.70),
        ("`secret-tool lookup`", rivals.secret_tool, 0.12, 0.08),
        ("`ortie token show`", rivals.ortie, 0.50, 0.35),
        ("oauth2l", rivals.oauth2l, 0.50, 0.35),
        ("`gh auth token`", rivals.gh, 0.03, 0.025),
    ]:
        if scene.wants(job, name):
            yield ratio(job, name, scene.header, scene.rival(rival), must, aim)


def keychain(scene):
    """`header` on the Secret Service."""
    job = "`header`, Secret Service"
    if not scene.wants(job):
        return
    user = scene.world.user("keychain")
    user.env |= {name: value for name, value in scene.keychain.env.items() if name != "HOME"}
    user.set_up("keychain")
    user.profile("main", scene.server.url("token"))
    user.log_in("main")
    theirs = scene.rival(rivals.secret_tool)
    yield ratio(job, "`secret-tool lookup`", user.runs("header"), theirs, 0.35, 0.20)


def client_token(scene):
    """`client-token`, beside curl that makes the same request."""
    for where, bundle, must, aim in [
        ("https, system's bundle", "bundle.pem", 0.15, 0.09),
        ("https, one CA", "ca.pem", 0.40, 0.20),
        ("http", None, 0.30, 0.15),
    ]:
        job = f"`client-token --no-store`, {where}"
        if not scene.wants(job, "curl"):
            continue
        env = {"SSL_CERT_FILE": scene.world.path("tls", bundle)} if bundle else {}
        url = scene.server.url("token", tls=bool(bundle))
        ours = counts.client_token(scene.world, url, **env)
        theirs = m.Command(["curl", "-sS", "-H", "Accept: application/json", "-u", "bench:not-a-secret",
                            "-d", "grant_type=client_credentials", url], scene.world.env | env)
        if w.token(w.USUAL) not in ours.output() or w.token(w.USUAL) not in theirs.output():
            raise m.Failed(ours, "no token")
        yield ratio(job, "curl", ours, theirs, must, aim)


def curl(scene):
    """What `oauthctl curl` adds to curl."""
    job = "`oauthctl curl`"
    if not scene.wants(job, "curl -H"):
        return
    url = scene.server.url("whoami")
    ours = m.Command([w.OURS, "curl", "--", "-sS", url], scene.header.env)
    theirs = m.Command(["curl", "-sS", "-H", f"Authorization: Bearer {w.token(w.USUAL)}", url],
                       scene.world.env)

    def judge(mine, others):
        added = statistics.median(a - b for a, b in zip(mine.times, others.times))
        return Row.of(job, "`curl -H`", ours=mine, theirs=others, value=added, unit="ms more", must=2.5,
                      aim=1.2)

    yield Race([ours, theirs], judge)


class BodyRace(Race):
    """Large bodies, which are drained, and the memory that the first program took."""

    def __init__(self, commands, length, judge):
        super().__init__(commands, judge)
        self.length = length
        self.peaks = [0, 0]

    def lap(self, scene, rounds):
        *samples, peaks = bodies.in_turns(scene.stage, self.commands, self.length, max(1, rounds // 10))
        self.peaks = [max(pair) for pair in zip(self.peaks, peaks)]
        return samples


def body(scene):
    """A large body through a pipe, and the memory that it takes."""
    job = "`oauthctl curl`, 1 GiB through a pipe"
    if not scene.wants(job, "curl memory"):
        return
    length = 1 << 30
    url = scene.server.body("big", length)
    ours = m.Command([w.OURS, "curl", "--", "-sS", url], scene.header.env)
    theirs = m.Command(["curl", "-sS", "-H", f"Authorization: Bearer {w.token(w.USUAL)}", url],
                       scene.world.env)
    rate = lambda sample: f"{length / (1 << 20) / (sample.median / 1000):,.0f} MiB/s"

    def throughput(mine, others):
        share = others.median / mine.median
        return Row(job, "curl", ours=rate(mine), theirs=rate(others), value=share,
                   unit="× its throughput", must="≥ 0.95 ×", aim="≥ 1.00 ×", reached=share >= 0.95,
                   near=share >= 1, more={"ours": mine.told(), "theirs": others.told()})

    def memory():
        early, late = race.peaks
        return Row("… its own peak memory", "after 64 MiB", ours=f"{late:,} KiB", theirs=f"{early:,} KiB",
                   value=late / early, unit="×", must="constant", reached=late <= early + 256)

    race = BodyRace([ours, theirs], length, throughput)
    yield race
    yield Race([], memory)


def many_profiles(scene):
    """1,000 profiles on the disk, each with a token."""
    jobs = ["`header` with 1,000 profiles", "`show` with 1,000 profiles"]
    if not any(scene.wants(job) for job in jobs):
        return
    user = crowd.user_with(scene.world, scene.server, 1000)
    yield ratio(jobs[0], "with 1", user.runs("header"), scene.header, 1.05, 1.00)
    judge = lambda mine: Row.of(jobs[1], "", ours=mine, value=mine.median, unit="ms", must=150, aim=50)
    yield Race([user.runs("show")], judge)


def at_once(scene):
    """200 that find the token due."""
    job = "200 `header` at once, token due"
    if not scene.wants(job):
        return
    delay = 1.0
    took, requests, headers = crowd.at_once(scene, 200, delay)
    asked = "1 token request" if requests == 1 else f"{requests} token requests"
    yield known(Row(
        job, f"server's delay {delay:.0f} s", ours=asked, value=took, unit="s",
        must=f"1 token request, ≤ {1.5 * delay + 1:.1f} s",
        reached=requests == 1 and headers == 1 and took <= 1.5 * delay + 1))


def count(scene):
    """What noise doesn't move."""
    if not scene.wants("counts"):
        return
    seen = counts.of(scene.world, scene.server, scene.header)
    mib = 1 << 20
    for name, scale, unit, must, aim in [
        ("page_faults", 1, "", 90, 75),
        ("system_calls", 1, "", 80, 60),
        ("instructions", 1_000_000, "M", 0.5, 0.3),
        ("peak_memory_kib", 1024, "MiB", 4, 2),
        ("https_peak_memory_kib", 1024, "MiB", 6, None),
        ("binary_bytes", mib, "MiB", 6, 4),
    ]:
        value = seen[name] / scale
        yield known(Row.of(
            counts.NAMES[name].split(",")[0], "", value=value, unit=unit, must=must, aim=aim))


if __name__ == "__main__":
    main()
