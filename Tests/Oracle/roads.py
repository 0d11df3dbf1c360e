#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Foretell what a live update and an adoption make of root and context tables, from the words alone, and compare.

usage: roads.py TAKEOVER.json REPORT.json INHERIT.json --preserved DEVICE,...

TAKEOVER.json is an output of inherited.py: the words of the tables at the panic, read from an image of the whole machine by nobody
but that script. REPORT.json tells which devices the kernel had and under which other source ids they speak. INHERIT.json is what
`iommuscope inherit --preserved DEVICE,... --format json` says under the policies `adopt` and `live-update`.

The rules are those of drivers/iommu/intel/liveupdate.c in the series "iommu: Add live update state preservation" of June 2026:
the first 16 bytes of the context entry of every device that is not preserved, and of all its aliases, are zeroed; in scalable mode
bit 4 of the entries of preserved devices is cleared, not of their aliases'; root entries stay, since every context table in use is
handed over. An adoption changes nothing. Exit status 1 if a word differs.
"""
import argparse
import json
import sys


def devfn(name):
    """(bus, device and function) of `ssss:bb:dd.f`, or None."""
    parts = name.split(":")
    if len(parts) != 3 or "." not in parts[2]:
        return None
    slot, function = parts[2].split(".")
    return int(parts[1], 16), int(slot, 16) << 3 | int(function, 16)


def after_update(contexts, devices, preserved):
    """New words by source id; `contexts` are the old ones."""
    new = {key: list(words) for key, words in contexts.items()}
    for device in devices:
        own, aliases = devfn(device["device"]), [devfn(name) for name in device["aliases"]]
        if device["device"] in preserved:
            if own in new and len(new[own]) == 4:
                new[own][0] &= ~(1 << 4)
            continue
        for key in [own] + aliases:
            if key in new:
                new[key][0:2] = [0, 0]
    return {key: words for key, words in new.items() if words[0] & 1}


def number(word):
    return int(word, 16)


def rows(unit):
    """What the tool says of one unit: ({(bus, half): (old, new)}, {source id: (old, new)})."""
    def words(side):
        return None if side is None else [number(word) for word in side]
    return ({(row["bus"], row["half"]): (number(row["old"]), number(row["new"])) for row in unit["roots"]},
            {devfn(row["device"]): (words(row["old"]), words(row["new"])) for row in unit["contexts"]})


def compare(name, unit, found, expected):
    """Sentences about what differs between the tool's rows and the foretold words."""
    roots, contexts = rows(unit)
    present = {(row["bus"], row["half"]): number(row["old"]) for row in found["roots"] if number(row["old"]) & 1}
    for key in sorted(present.keys() | roots.keys(), key=str):
        if roots.get(key) != (present.get(key), present.get(key)):
            yield f"{name}: root {key} is {roots.get(key)}, foretold {present.get(key)} twice"
    old = {devfn(row["device"]): [number(word) for word in row["old"]] for row in found["contexts"] if row["old"]}
    for key in sorted(old.keys() | contexts.keys()):
        wanted = (old.get(key), expected.get(key))
        if contexts.get(key) != wanted:
            yield f"{name}: context {key[0]:02x}:{key[1] >> 3:02x}.{key[1] & 7} is {contexts.get(key)}, foretold {wanted}"
    for side in ("old", "new"):
        if unit["rootTable"][side] != found["rootTable"]["old"]:
            yield f"{name}: root table {side} is {unit['rootTable'][side]}, foretold {found['rootTable']['old']}"
    if unit["outcome"] != "adopted" or unit["memory"]["bytes"] != 0:
        yield f"{name}: {unit['outcome']}, {unit['memory']['bytes']} bytes"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("found")
    parser.add_argument("report")
    parser.add_argument("inherit")
    parser.add_argument("--preserved", required=True)
    parser.add_argument("--unit", default="dmar0")
    args = parser.parse_args()
    found, report, inherit = (json.load(open(path)) for path in (args.found, args.report, args.inherit))
    old = {devfn(row["device"]): [number(word) for word in row["old"]] for row in found["contexts"] if row["old"]}
    devices = [device for device in report["devices"] if device["unit"] == args.unit]
    preserved = set(args.preserved.split(","))
    expected = {"adopt": old, "live-update": after_update(old, devices, preserved)}
    wrong = []
    for name, words in expected.items():
        policy = next(row for row in inherit["policies"] if row["policy"] == name)
        wrong += compare(name, next(row for row in policy["units"] if row["unit"] == args.unit), found, words)
    left = expected["live-update"]
    print(f"{len(old)} contexts, {len(left)} left by a live update, {len(wrong)} differences")
    for sentence in wrong:
        print(sentence)
    sys.exit(1 if wrong or not left or len(left) == len(old) else 0)


if __name__ == "__main__":
    main()
