#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Show what a crash kernel made of the root and context tables that it found: the old and the new ones, side by side.

usage: inherited.py IMAGE.elf OLD.json NEW.json [--compare INHERIT.json] [--output FILE]

IMAGE.elf is an image taken when the crash kernel has switched the root pointer: the panicked kernel's tables and the copy are both
in it. OLD.json is a register file from before the panic and NEW.json the one taken with the image; RTADDR of each is the root.
The rows have the form of the `inherit` document's `roots` and `contexts` (contexts: 2 words in legacy mode, 4 in scalable mode, null
for an absent side), with real addresses.

With --compare, the rows of policy `linux` in the output of `iommuscope inherit --format json` are compared with them. A pointer that
the prediction writes as `"+0x…"` stands for an address that only the crash kernel knew: its low 12 bits must agree and the same
page must stand for the same address everywhere. Exit status 1 if anything differs.
"""
import argparse
import json
import sys

import hardware


def tables(image, rtaddr):
    """(roots by (bus, half), contexts by (bus, devfn)) of one root pointer."""
    scalable = rtaddr >> 10 & 1
    page = image.page(rtaddr & hardware.ADDRESS)
    if page is None:
        sys.exit(f"root table {rtaddr:#x} is not in the image")
    roots, contexts, entries, width = {}, {}, hardware.words(page), 4 if scalable else 2
    for bus in range(256):
        for half in range(2 if scalable else 1):
            word = entries[2 * bus + half]
            if word:
                roots[bus, half] = word
            if not word & 1:
                continue
            page = image.page(word & hardware.ADDRESS)
            if page is None:
                continue
            slots = hardware.words(page)
            for slot in range(512 // width):
                raw = slots[width * slot:width * (slot + 1)]
                if raw[0] & 1:
                    contexts[bus, half << 7 | slot] = raw
    return roots, contexts


def document(image, old, new, segment=0):
    before, after = tables(image, old), tables(image, new)
    halves = ("lower", "upper") if new >> 10 & 1 else (None,)

    def text(words):
        return None if words is None else [hex(word) for word in words]
    return {"rootTable": {"old": hex(old & hardware.ADDRESS), "new": hex(new & hardware.ADDRESS)},
            "roots": [{"bus": bus, "half": halves[half] if half < len(halves) else "upper", "old": hex(before[0].get((bus, half), 0)),
                       "new": hex(after[0].get((bus, half), 0))} for bus, half in sorted(before[0].keys() | after[0].keys())],
            "contexts": [{"device": f"{segment:04x}:{bus:02x}:{devfn >> 3:02x}.{devfn & 7}", "old": text(before[1].get((bus, devfn))),
                          "new": text(after[1].get((bus, devfn)))} for bus, devfn in sorted(before[1].keys() | after[1].keys())]}


def differences(found, predicted):
    """Compare with one unit of a prediction; yields sentences."""
    pages = {}

    def same(ours, theirs):
        if ours is None or theirs is None:
            return ours is theirs
        if not ours.startswith("+"):
            return int(ours, 16) == int(theirs, 16)
        offset, word = int(ours[1:], 16), int(theirs, 16)
        if offset & 0xFFF != word & 0xFFF:
            return False
        return pages.setdefault(offset & ~0xFFF, word & ~0xFFF) == word & ~0xFFF

    def words(ours, theirs):
        if ours is None or theirs is None:
            return ours is theirs
        return len(ours) == len(theirs) and all(same(a, b) for a, b in zip(ours, theirs))

    for name, key, equal in (("roots", lambda row: (row["bus"], row["half"]), same), ("contexts", lambda row: row["device"], words)):
        ours, theirs = ({key(row): row for row in rows[name]} for rows in (predicted, found))
        for place in sorted(ours.keys() | theirs.keys(), key=str):
            left, right = ours.get(place), theirs.get(place)
            if left is None or right is None:
                yield f"{name} {place} only {'in the image' if left is None else 'predicted'}"
                continue
            for side in ("old", "new"):
                if not equal(left[side], right[side]):
                    yield f"{name} {place}: {side} is {right[side]}, predicted {left[side]}"
    if len(set(pages.values())) != len(pages):
        yield "two predicted pages stand for one page of the image"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--found", metavar="JSON", help="an earlier output of this program, in place of image and registers")
    parser.add_argument("image", nargs="?", help="whole-machine ELF core, taken when the crash kernel has copied the tables")
    parser.add_argument("old", nargs="?", help="register file from before the panic")
    parser.add_argument("new", nargs="?", help="register file taken with the image")
    parser.add_argument("--compare", metavar="JSON", help="output of `iommuscope inherit --format json`")
    parser.add_argument("--unit", default="dmar0", help="the unit to compare")
    parser.add_argument("--output", metavar="FILE", help="write there instead of standard output")
    args = parser.parse_args()
    if args.found:
        with open(args.found) as file:
            found = json.load(file)
    elif not args.new:
        parser.error("expected an image and two register files, or --found")
    else:
        found = document(
            hardware.Image(args.image), hardware.registers(args.old)[0x20], hardware.registers(args.new)[0x20])
    status = 0
    if args.compare:
        with open(args.compare) as file:
            prediction = json.load(file)
        policy = next(row for row in prediction["policies"] if row["policy"] == "linux")
        unit = next(row for row in policy["units"] if row["unit"] == args.unit)
        wrong = list(differences(found, unit))
        found = {"roots": len(found["roots"]), "contexts": len(found["contexts"]), "unexplained": wrong}
        status = 1 if wrong else 0
    with open(args.output, "w") if args.output else sys.stdout as out:
        json.dump(found, out, indent=1)
        out.write("\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
