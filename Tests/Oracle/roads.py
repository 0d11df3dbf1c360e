#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Foretell what a live update and an adoption make of root and context tables, from the words alone, and compare.

usage: roads.py TAKEOVER.json REPORT.json INHERIT.json --preserved DEVICE,...

TAKEOVER.json is an output of inherited.py: the words of the tables at the panic, read from an image of the whole machine by nobody
but that script. REPORT.json tells which devices the kernel had and under which other source ids they speak. INHERIT.json is what
`iommuscope inherit --preserved DEVICE,... --format json` says under the policies `adopt` and `live-update`.

The rules are those of the series "iommu: Add live update state preservation" of June 2026. drivers/iommu/liveupdate.c and the VFIO
side of it refuse a device that the kernel itself has, whose group has others in it, or whose domain is no user's. Then, in
drivers/iommu/intel/liveupdate.c, the first 16 bytes of the context entry of every device that is not preserved, and of all its aliases,
are zeroed; in scalable mode bit 4 of the entries of preserved devices is cleared, not of their aliases'; root entries stay, since every
context table in use is handed over. A unit none of whose devices is preserved is switched off. An adoption changes nothing. Exit
status 1 if a word differs.
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


def accepted(report, devices, asked):
    """Of the devices that were asked for, those that nobody refuses."""
    types = {domain["kernelObject"]: domain["type"] for domain in report["domains"] if domain["kernelObject"]}
    groups = [device["group"] for device in report["devices"]]
    return {device["device"] for device in devices if device["device"] in asked
            and (device["driver"] == "vfio-pci" or device["driver"] is None)
            and types.get(device["domain"]) in ("unmanaged", "unknown", None) and device["domain"]
            and (device["group"] is None or groups.count(device["group"]) == 1)}


def switched_off(unit):
    """Sentences about a unit that hands nothing over and yet keeps something."""
    kept = [row["device"] for row in unit["contexts"] if row["new"]]
    if unit["outcome"] != "disabled" or unit["rootTable"]["new"] is not None or kept:
        yield f"{unit['unit']}: {unit['outcome']}, root {unit['rootTable']['new']}, contexts {kept}; foretold switched off"


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
    asked = set(args.preserved.split(","))
    preserved = accepted(report, devices, asked)
    left = after_update(old, devices, preserved) if preserved else {}

    def unit_under(name):
        policy = next(row for row in inherit["policies"] if row["policy"] == name)
        return next(row for row in policy["units"] if row["unit"] == args.unit)
    wrong = list(compare("adopt", unit_under("adopt"), found, old))
    wrong += compare("live-update", unit_under("live-update"), found, left) if preserved else switched_off(unit_under("live-update"))
    outcomes = {row["device"]: row["outcome"] for row in inherit["liveUpdate"]["devices"]}
    wrong += [f"{device} is {outcomes.get(device)}, foretold {'preserved' if device in preserved else 'refused'}"
              for device in sorted(asked) if outcomes.get(device) != ("preserved" if device in preserved else "refused")]
    print(f"{len(old)} contexts, {len(preserved)} of {len(asked)} devices preserved, {len(left)} contexts left by a live update, "
          f"{len(wrong)} differences")
    for sentence in wrong:
        print(sentence)
    sys.exit(1 if wrong or not old else 0)


if __name__ == "__main__":
    main()
