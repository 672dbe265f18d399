"""Runs programs in turns, and tells what each of them cost."""

import os
import re
import statistics
import subprocess
import time
from dataclasses import dataclass, field


@dataclass
class Command:
    """What is run: its words, and the whole of its environment."""

    words: list
    env: dict
    stdin: str = "/dev/null"

    def __post_init__(self):
        path = self.env.get("PATH", os.environ["PATH"])
        self.program = find(self.words[0], path)
        if self.program is None:
            raise FileNotFoundError(self.words[0])

    def output(self):
        """What it prints, run once."""
        with open(self.stdin, "rb") as stdin:
            done = subprocess.run(
                [self.program, *self.words[1:]],
                env=self.env,
                stdin=stdin,
                capture_output=True,
                check=False,
            )
        if done.returncode != 0:
            raise Failed(self, done.stderr.decode(errors="replace"))
        return done.stdout.decode()


class Failed(Exception):
    """A program ended badly."""

    def __init__(self, command, stderr):
        super().__init__(f"{' '.join(command.words[:3])} …: {stderr.strip() or 'failed'}")


def find(name, path=os.environ["PATH"]):
    """Where a program is."""
    if "/" in name:
        return name if os.access(name, os.X_OK) else None
    places = (os.path.join(place, name) for place in path.split(":") if place)
    return next((place for place in places if os.access(place, os.X_OK)), None)


@dataclass
class Sample:
    """One program's times, in milliseconds, and its page faults."""

    times: list = field(default_factory=list)
    faults: list = field(default_factory=list)

    @property
    def median(self):
        return statistics.median(self.times)

    @property
    def quartiles(self):
        low, _, high = statistics.quantiles(self.times, n=4)
        return low, high

    def told(self):
        """For the machine-readable table."""
        low, high = self.quartiles
        return {"median_ms": round(self.median, 4), "quartiles_ms": [round(low, 4), round(high, 4)]}


class Stage:
    """Where programs run: what they print is lost, what they complain of is kept."""

    def __init__(self, scratch, settled=False):
        self.settled = settled
        self.null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        self.complaints = os.path.join(scratch, "stderr")

    def start(self, command, stdout=None):
        """Starts a program without waiting for it."""
        stdin = os.open(command.stdin, os.O_RDONLY | os.O_CLOEXEC)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        stderr = os.open(self.complaints, flags, 0o600)
        actions = [
            (os.POSIX_SPAWN_DUP2, stdin, 0),
            (os.POSIX_SPAWN_DUP2, self.null if stdout is None else stdout, 1),
            (os.POSIX_SPAWN_DUP2, stderr, 2),
        ]
        began = time.perf_counter_ns()
        # Not forked: a copy of this process would cost more than what is measured.
        pid = os.posix_spawn(command.program, command.words, command.env, file_actions=actions)
        os.close(stdin)
        os.close(stderr)
        return pid, began

    def once(self, command):
        """Runs a program: its milliseconds from start to end, and its page faults."""
        pid, began = self.start(command)
        _, status, usage = os.wait4(pid, 0)
        took = (time.perf_counter_ns() - began) / 1e6
        if status != 0:
            self.fail(command)
        return took, usage.ru_minflt

    def fail(self, command):
        with open(self.complaints, encoding="utf-8", errors="replace") as file:
            raise Failed(command, file.read())

    def in_turns(self, commands, rounds, warm=3):
        """Runs programs in turns, each first as often as the others."""
        samples = [Sample() for _ in commands]
        for turn in range(-warm, rounds):
            for place in range(len(commands)):
                which = (place + turn) % len(commands)
                if self.settled:
                    self.once(commands[which])
                took, faults = self.once(commands[which])
                if turn >= 0:
                    samples[which].times.append(took)
                    samples[which].faults.append(faults)
        return samples


def system_calls(command, scratch):
    """How many system calls a program makes, its exec among them."""
    table = os.path.join(scratch, "strace")
    Command(["strace", "-f", "-c", "-o", table, command.program, *command.words[1:]],
            command.env | {"PATH": os.environ["PATH"]}).output()
    with open(table, encoding="utf-8") as file:
        total = [line.split() for line in file if line.rstrip().endswith(" total")]
    # % time, seconds, usecs/call, calls, perhaps errors, total
    return int(total[-1][3])


def instructions(command, scratch):
    """How many instructions of its own a program runs, the dynamic linker's among them."""
    counts = os.path.join(scratch, "callgrind")
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}", command.program,
         *command.words[1:]],
        env=command.env | {"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    told = done.stderr.decode(errors="replace")
    found = re.search(r"Collected\s*:\s*(\d+)", told)
    if done.returncode != 0 or not found:
        raise Failed(command, told)
    return int(found[1])


def peak_memory(command, scratch):
    """The most memory, in KiB, that a program ever held, by GNU time."""
    # Not by wait4 from here: what Linux counts begins with the parent's own peak.
    told = os.path.join(scratch, "time")
    with open(command.stdin, "rb") as stdin:
        done = subprocess.run(
            ["time", "-f", "%M", "-o", told, command.program, *command.words[1:]],
            env=command.env | {"PATH": os.environ["PATH"]},
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
    if done.returncode != 0:
        raise Failed(command, done.stderr.decode(errors="replace"))
    with open(told, encoding="utf-8") as file:
        return int(file.read().split()[-1])
