#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold `tables --format debugfs` against the kernel's own files, line by line.

usage: debugfs.py IOMMUSCOPE DUMP FOLDER [--vmlinux FILE] [--limit N]

FOLDER is a copy of /sys/kernel/debug/iommu/intel (or one of that folder's parents) of the moment of the dump: the guest made no
transfers between the two. Files that the program does not print (iommu_regset holds registers, which no dump has) are named. Where
the program prints `?`, the kernel's word is one that only the unit's registers hold.

Since Linux 6.7 each device has a folder with a file of its own, `domain_translation_struct`; these stand in the order of the devices.

Exit status: 0 every line agrees, 1 some do not, 2 nothing could be compared.
"""
import argparse
import os
import re
import subprocess
import sys

# What the program cannot know: head and tail of the invalidation queue.
UNKNOWN = re.compile(r"(?<![^\t ])\?(?=\t|$)")


def sections(text):
    """{file: lines} of the program's output, which has a heading for each file."""
    found, name = {}, None
    for line in text.split("\n"):
        match = re.fullmatch(r"==> (\S+) <==", line)
        if match:
            name = match[1]
            found[name] = []
        elif name is not None:
            found[name].append(line)
    return {name: strip(lines) for name, lines in found.items()}


def strip(lines):
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines


def kernels(folder):
    """{file: lines} of the kernel's files, by name; those of several devices one after another."""
    found = {}
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            with open(os.path.join(place, name), errors="replace") as file:
                found.setdefault(name, []).extend(file.read().split("\n")[:-1])
    return {name: strip(lines) for name, lines in found.items()}


def same(ours, theirs):
    if ours == theirs:
        return True
    if not UNKNOWN.search(ours):
        return False
    return re.fullmatch(r"\S+".join(re.escape(part) for part in UNKNOWN.split(ours)), theirs) is not None


def differences(ours, theirs):
    """Texts, one for each line that differs."""
    for number, (mine, real) in enumerate(zip(ours, theirs), 1):
        if not same(mine, real):
            yield f"line {number}: program {mine!r}, kernel {real!r}"
    if len(ours) != len(theirs):
        yield f"the program has {len(ours)} lines, the kernel {len(theirs)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("dump")
    parser.add_argument("folder")
    parser.add_argument("--vmlinux")
    parser.add_argument("--limit", type=int, default=10)
    args = parser.parse_args()
    more = ["--vmlinux", args.vmlinux] if args.vmlinux else []
    done = subprocess.run([os.path.abspath(args.binary), "tables", args.dump, "--format", "debugfs", *more], capture_output=True, text=True)
    if done.returncode:
        print(f"debugfs: tables ended with {done.returncode}: {done.stderr.strip()}", file=sys.stderr)
        sys.exit(2)
    ours, theirs, compared, wrong = sections(done.stdout), kernels(args.folder), 0, 0
    for name in sorted(theirs.keys() | ours.keys()):
        if name not in ours or name not in theirs:
            print(f"{name}: {'the kernel has no such file' if name in ours else 'not printed'}")
            continue
        found = list(differences(ours[name], theirs[name]))
        compared, wrong = compared + 1, wrong + len(found)
        print(f"{name}: {len(theirs[name])} lines, {len(found)} differ")
        for text in found[:args.limit]:
            print(f"    {text}")
    sys.exit(2 if not compared else 1 if wrong else 0)


if __name__ == "__main__":
    main()
