"""How cost grows: profiles, tokens, processes, bodies. Started by `growth`."""

import argparse
import json
import os
import statistics
import sys
import time

import bodies
import counts
import crowd
import measure as m
import picture
import report
import rivals
import world as w

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def main():
    parser = argparse.ArgumentParser(prog="benches/growth", description=__doc__.split(". ")[0])
    parser.add_argument("--rounds", type=int, default=200, help="how often each program is run")
    scene = Scene(parser.parse_args().rounds)
    told = report.surroundings(scene.rounds)
    charts = []
    for measured in [profiles, tokens, processes, due, transfers, memory]:
        charts.append(measured(scene))
        print(charts[-1].table(), file=sys.stderr)
    values = {"conditions": told, "charts": [chart.told() for chart in charts]}
    with open(os.path.join(w.HERE, "growth.json"), "w", encoding="utf-8") as file:
        json.dump(values, file, indent=1, ensure_ascii=False)
        file.write("\n")
    with open(os.path.join(w.HERE, "growth.svg"), "w", encoding="utf-8") as file:
        file.write(picture.draw(charts))
    tables = "\n".join(chart.table() for chart in charts)
    report.rewrite("growth", report.conditions(told) + tables)
    print(tables, end="")


class Scene:
    """What the charts share."""

    def __init__(self, rounds):
        self.rounds = rounds
        self.world = w.World()
        self.stage = m.Stage(self.world.home)
        self.server = w.Server(self.world)
        self.header = counts.header_of(self.world, self.server)
        self.transfers = {}

    def medians(self, commands, rounds=None):
        """The medians of programs that take turns."""
        return [sample.median for sample in self.stage.in_turns(commands, rounds or self.rounds)]


def profiles(scene):
    """1 to 1,000 profiles, each with a token."""
    sizes = [1, 10, 100, 1000]
    users = [crowd.user_with(scene.world, scene.server, size) for size in sizes]
    headers = scene.medians([user.runs("header") for user in users])
    shows = scene.medians([user.runs("show") for user in users])
    series = {"header": headers, "show": shows}
    return picture.Chart("Profiles with a token, file store", "profiles", "ms", sizes, series)


def tokens(scene):
    """Tokens of 1, 10 and 100 KiB, in both stores."""
    sizes = [KIB, 10 * KIB, 100 * KIB]
    keychain = w.Keychain(scene.world)
    # Without `secret-tool`: it takes no secret of 10 KiB.
    stores = {"cat FILE": [], "header, file store": [], "header, Secret Service": []}
    for size in sizes:
        name = f"token-{size // KIB}k"
        path = scene.world.path(name)
        w.write(path, f"Authorization: Bearer {w.token(size)}\n")
        commands = [m.Command(["cat", path], scene.world.env)]
        for store in ("file", "keychain"):
            user = scene.world.user(f"{store}-{name}")
            user.env |= {key: value for key, value in keychain.env.items() if key != "HOME"}
            user.set_up(store)
            user.profile("main", scene.server.url(name))
            user.log_in("main")
            commands.append(user.runs("header"))
        for command in commands:
            if w.token(size) not in command.output():
                raise m.Failed(command, "another token")
        for times, median in zip(stores.values(), scene.medians(commands)):
            times.append(median)
    return picture.Chart("Size of the token", "bytes", "ms", sizes, stores)


def processes(scene):
    """1 to 200 processes that find a live token."""
    sizes = [1, 2, 5, 10, 20, 50, 100, 200]
    commands = {"cat FILE": rivals.cat(scene.world), "header": scene.header}
    # A lap has every size: a busy moment meets them all.
    laps = [[[together(scene, command, size) for size in sizes] for command in commands.values()]
            for _ in range(9)]
    series = {name: middle(lap[which] for lap in laps) for which, name in enumerate(commands)}
    title = "At once, token alive: until the last is done"
    return picture.Chart(title, "processes", "ms", sizes, series)


def middle(laps):
    """The median of each size."""
    return [statistics.median(times) for times in zip(*laps)]


def together(scene, command, processes):
    """The milliseconds until the last of so many is done."""
    began = time.perf_counter_ns()
    pids = [scene.stage.start(command)[0] for _ in range(processes)]
    for pid in pids:
        if os.wait4(pid, 0)[1] != 0:
            scene.stage.fail(command)
    return (time.perf_counter_ns() - began) / 1e6


def due(scene):
    """1 to 200 processes that find the token due, and a server that takes a second."""
    sizes = [1, 2, 5, 10, 20, 50, 100, 200]
    laps = [[crowd.at_once(scene, size, 1.0) for size in sizes] for _ in range(3)]
    took = middle([seconds * 1000 for seconds, _, _ in lap] for lap in laps)
    requests = [max(asked for _, asked, _ in runs) for runs in zip(*laps)]
    title = "At once, token due, the server takes 1,000 ms"
    return picture.Chart(title, "processes", "ms", sizes, {"header": took},
                         notes={"token requests, at the most": requests}, from_zero=True)


def transfers(scene):
    """Bodies of 1 KiB to 1 GiB through a pipe; their peak memory is kept for the next chart."""
    sizes = [KIB, 32 * KIB, MIB, 32 * MIB, GIB]
    series = {"curl": [], "oauthctl curl": []}
    scene.transfers = {"sizes": sizes, "peaks": []}
    for size in sizes:
        url = scene.server.body(f"body-{size}", size)
        ours = m.Command([w.OURS, "curl", "--", "-sS", url], scene.header.env)
        theirs = m.Command(["curl", "-sS", "-H", f"Authorization: Bearer {w.token(w.USUAL)}", url],
                           scene.world.env)
        rounds = 5 if size > 32 * MIB else max(5, scene.rounds // 5)
        mine, others, (_, peak) = bodies.in_turns(scene.stage, [ours, theirs], size, rounds)
        series["curl"].append(others.median)
        series["oauthctl curl"].append(mine.median)
        scene.transfers["peaks"].append(peak)
    return picture.Chart("A body through a pipe", "bytes", "ms", sizes, series)


def memory(scene):
    """What the bodies before took of memory, at the most."""
    series = {"oauthctl curl, without curl itself": scene.transfers["peaks"]}
    title = "Peak memory of a body through a pipe"
    return picture.Chart(title, "bytes", "KiB", scene.transfers["sizes"], series, from_zero=True)


if __name__ == "__main__":
    main()
