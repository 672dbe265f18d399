"""From profiles of runs, a script for the linker that puts the functions of those runs together.

usage: layout.py SYMBOLS PROFILE...
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

# What is not from Rust: by the object files that have it.
OBJECTS = {
    r"ring_core_\w+_sha256_block": "*sha256-*-elf.o",
    r"ring_core_\w+_chacha20_poly1305_": "*chacha20_poly1305_*-elf.o",
    r"ring_core_\w+_OPENSSL_cpuid_setup": "*cpu_*.o",
}

# A name that very many functions have isn't worth having all of them among those that are run, in bytes.
WASTE = 32768


def functions(profile):
    """All functions that the profile names, each once."""
    names = re.findall(r"^c?fn=\(\d+\) (\S+)", profile, re.MULTILINE)
    return list(dict.fromkeys(name.split("'")[0] for name in names))


def pattern(name):
    """A name without what depends on the versions of the compiler and of crates."""
    name = re.sub(r"(17h)[0-9a-f]{16}E.*", r"\1*", name)
    name = re.sub(r"Cs[0-9A-Za-z]+_", "Cs*_", name)
    return re.sub(r"(\.llvm)?\.\d+$", "*", name)


def main(symbols, *profiles):
    run = functions("".join(Path(profile).read_text("utf-8") for profile in profiles))
    used, unused = defaultdict(int), defaultdict(int)
    with open(symbols, encoding="utf-8") as file:
        for fields in map(str.split, file):
            if len(fields) == 4 and fields[2] in "tTwW":
                counts = used if fields[3] in run else unused
                counts[pattern(fields[3])] += int(fields[1], 16)
    lines = []
    # What drags much along stands at the end.
    for name in sorted(run, key=lambda name: unused[pattern(name)] > 1024):
        shape = pattern(name)
        if objects := [at for begin, at in OBJECTS.items() if re.match(begin, name)]:
            lines.append(f"{objects[0]}(.text .text.*)")
        elif 0 < used[shape] and unused[shape] < WASTE:
            lines.append(f"*(.text.{shape} .text.unlikely.{shape})")
    print("/* What `oauthctl header` runs: made by benches/layout. A name that is no more does no harm. */")
    print("SECTIONS\n{\n  .text.header :\n  {")
    for line in dict.fromkeys(lines):
        print(f"    {line}")
    print("  }\n}\nINSERT BEFORE .text;")


main(*sys.argv[1:])
