"""Checks what noise doesn't move against bounds.toml. Started by `guard`."""

import os
import sys
import tomllib

import counts
import world as w
from measure import Failed

BOUNDS = os.path.join(w.HERE, "bounds.toml")


def main():
    with open(BOUNDS, "rb") as file:
        bounds = tomllib.load(file)
    world = w.World()
    server = w.Server(world)
    try:
        seen = counts.of(world, server, counts.header_of(world, server))
    except Failed as failure:
        print(f"error: nothing can be counted: {failure}", file=sys.stderr)
        return 1
    everywhere = counts.crates("--all-features", "--target=all", "--edges=normal,build")
    faults = [*over(bounds["most"], seen), *astray(bounds["tree"], everywhere)]
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    if faults:
        print("hint: mend it, or say in the commit why benches/bounds.toml must change", file=sys.stderr)
    return 1 if faults else 0


def over(bounds, seen):
    """What is more than its bound, or has none; all of it is printed."""
    for name in sorted(bounds.keys() ^ seen.keys()):
        yield f"{name} is in one of bounds.toml and benches/counts.py only"
    for name in (name for name in seen if name in bounds):
        print(f"{counts.NAMES[name]:50} {seen[name]:>10,} of {bounds[name]:>10,}")
        if seen[name] > bounds[name]:
            yield f"{counts.NAMES[name]}: {seen[name]:,}, at most {bounds[name]:,} are allowed"


def astray(bounds, crates):
    """What the tree has, but must not have."""
    names = [crate.split()[0] for crate in crates]
    for name in bounds["once"]:
        if names.count(name) != 1:
            yield f"the crate {name} is in the tree {names.count(name)} times, not once"
    for name in bounds["never"]:
        if name in names:
            yield f"the crate {name} is in the tree"


if __name__ == "__main__":
    sys.exit(main())
