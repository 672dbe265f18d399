"""Rows, as a table for people and as values for programs."""

import os
import platform
import re
import subprocess
import time
from dataclasses import dataclass, field

from measure import Sample

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "README.md")


@dataclass
class Row:
    """One line of the budget, and what was seen."""

    job: str
    against: str
    ours: str = ""
    theirs: str = ""
    value: float = None
    unit: str = ""
    must: str = ""
    aim: str = ""
    reached: bool = None
    near: bool = None
    # Why nothing was measured.
    why: str = ""
    more: dict = field(default_factory=dict)

    @staticmethod
    def of(job, against, *, ours=None, theirs=None, value, unit, must, aim):
        """A row whose value must be at most so much."""
        bound = lambda most: "" if most is None else f"≤ {number(most, unit)} {unit}".strip()
        told = {name: sample.told() for name, sample in [("ours", ours), ("theirs", theirs)] if sample}
        return Row(job, against, spread(ours), spread(theirs), value, unit, bound(must), bound(aim),
                   value <= must, None if aim is None else value <= aim, more=told)

    def told(self):
        """For the machine-readable table."""
        names = ["job", "against", "value", "unit", "must", "aim", "reached", "near", "why"]
        told = {name: getattr(self, name) for name in names if getattr(self, name) not in (None, "")}
        told = {"aim_reached" if name == "near" else name: value for name, value in told.items()}
        if self.value is not None:
            told["value"] = round(self.value, 4)
        for name in ("ours", "theirs"):
            if getattr(self, name) and name not in self.more:
                told[name] = getattr(self, name)
        return told | self.more


def number(value, unit=""):
    """As many digits as say something."""
    if unit != "×" and value == int(value):
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3f}" if value < 0.2 else f"{value:.2f}"


def spread(sample):
    """The median, and the quartiles around it."""
    if not isinstance(sample, Sample):
        return ""
    low, high = sample.quartiles
    return f"{sample.median:.2f} ms ({low:.2f}–{high:.2f})"


def verdict(row):
    if row.why:
        return f"not measured: {row.why}"
    if not row.reached:
        return "**no**"
    return "yes" if row.near is None else "yes, and the aim" if row.near else "yes"


HEAD = ["job", "against", "theirs", "ours", "seen", "must", "aim", "reached"]


def cells(row):
    seen = "" if row.value is None else f"{number(row.value, row.unit)} {row.unit}".strip()
    return [row.job, row.against, row.theirs, row.ours, seen, row.must, row.aim, verdict(row)]


def table(rows):
    """In Markdown."""
    lines = [HEAD, ["---"] * len(HEAD), *map(cells, rows)]
    return "".join(f"| {' | '.join(some)} |\n" for some in lines)


def surroundings(rounds):
    """On what, and when, these figures were taken."""
    root = os.path.dirname(os.path.dirname(README))
    one_line = lambda *words: subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=root).stdout.split("\n")[0]
    changed = one_line("git", "status", "--porcelain", "src", "Cargo.toml", "Cargo.lock")
    with open("/etc/os-release", encoding="utf-8") as file:
        system = next((line.split("=")[1].strip().strip('"') for line in file
                       if line.startswith("PRETTY_NAME=")), platform.system())
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": one_line("git", "rev-parse", "--short", "HEAD") + (" with changes" if changed else ""),
        "system": f"{system}, Linux {platform.release().split('-')[0]}, {platform.machine()}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "rounds": rounds,
        "curl": one_line("curl", "--version").split(" (")[0],
        "rustc": one_line("rustc", "--version").split(" (")[0],
    }


def conditions(told):
    """A sentence on how the figures came about."""
    least = ""
    if "true" in told:
        least = f", with quartiles in brackets; `true` took {told['true']['median_ms']:.2f} ms"
    return (
        f"Seen on {told['date']} at {told['commit']}: {told['system']}, {told['cores']} cores, load"
        f" {told['load']} before; {told['curl']}, {told['rustc']};"
        f" {told['rounds']} rounds. Times are medians{least}.\n\n"
    )


def rewrite(name, text):
    """Replaces what stands between the two marks of this name in the README."""
    with open(README, encoding="utf-8") as file:
        whole = file.read()
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    replaced, times = pattern.subn(lambda _: f"{begin}\n{text}\n{end}", whole)
    if times != 1:
        raise ValueError(f"README.md has no marks for {name}")
    with open(README, "w", encoding="utf-8") as file:
        file.write(replaced)
