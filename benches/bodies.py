"""Large bodies through a pipe."""

import os
import time

from measure import Sample

EARLY = 64 << 20


def in_turns(stage, commands, length, rounds):
    """The times of the two programs, and the first one's own peak memory in KiB, early and late."""
    samples = [Sample(), Sample()]
    early, late = [], []
    for turn in range(rounds):
        for which in (turn % 2, 1 - turn % 2):
            took, peaks = drained(stage, commands[which], length)
            samples[which].times.append(took)
            if which == 0:
                early.append(peaks[0])
                late.append(peaks[1])
    return *samples, (max(early), max(late))


def drained(stage, command, length):
    """Runs a program whose output has this length: its milliseconds, and its peak memory, early and late."""
    reading, writing = os.pipe()
    pid, began = stage.start(command, stdout=writing)
    os.close(writing)
    come, early, late = 0, 0, 0
    while True:
        # Moved, not copied: what reads is not what is measured.
        some = os.splice(reading, stage.null, 1 << 20)
        if some == 0:
            break
        come += some
        if not early and come >= min(EARLY, length // 2):
            early = peak(pid)
        if not late and come >= length - (1 << 20):
            late = peak(pid)
    _, status, _ = os.wait4(pid, 0)
    took = (time.perf_counter_ns() - began) / 1e6
    os.close(reading)
    if status != 0:
        stage.fail(command)
    if come != length:
        raise ValueError(f"{come} bytes came of {length}")
    return took, (early, late)


def peak(pid):
    """The most memory that a running program held so far, without its children, in KiB."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("VmHWM")), 0)
    except FileNotFoundError:
        return 0
