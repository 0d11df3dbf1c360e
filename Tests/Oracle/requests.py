#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold `translate` and `owners` against a walk of their own, address by address, and against QEMU's trace.

usage: requests.py IOMMUSCOPE DUMP IMAGE.elf REGISTERS.json [--vmlinux FILE] [--trace FILE] [--each N] [--seed N]

IMAGE.elf and REGISTERS.json as in hardware.py: the whole machine, and the registers whose RTADDR names the dump's tables. For each
device with a context N addresses are asked: mapped ones, their neighbours, the interrupt range, the edges of the widths, random
ones. What the tables say is worked out here from the specification, one address at a time, with nothing of iommuscope's and not
the walk of hardware.py. `--trace`: lines `vtd_dmar_translate …` of QEMU's trace; the last one of each page of a device must lead
where `translate` says, or the page was unmapped since.
"""
import argparse
import json
import random
import re
import struct
import subprocess
import sys

from hardware import Image

ADDRESS = 0x000F_FFFF_FFFF_F000
WINDOW = range(0xFEE0_0000, 0xFEF0_0000)


class Unit:
    def __init__(self, image, registers, width):
        word = lambda offset: int(registers[hex(offset)], 16)
        self.image, self.cap, self.ecap, self.rtaddr = image, word(8), word(16), word(32)
        self.on = word(0x18) >> 63 & 1                # GSTS.TES, the upper half of the word at 0x18
        self.mgaw = (self.cap >> 16 & 63) + 1
        self.haw = width
        self.scalable = self.rtaddr >> 10 & 3 == 1

    def word(self, address):
        page = self.image.page(address & ~0xFFF)
        return None if page is None else struct.unpack_from("<Q", page, address & 0xFFF)[0]

    def pointer_bad(self, word):
        return bool(word & ADDRESS & ~((1 << self.haw) - 1))

    def entry(self, bus, devfn):
        """(kind, table, levels) of requests without PASID, or the ending above."""
        root = (self.rtaddr & ~0xFFF) + 16 * bus
        if not self.scalable:
            low, high = self.word(root), self.word(root + 8)
            if not low & 1:
                return "no-context", 0, 0
            if low & 0xFFE or high or self.pointer_bad(low):
                return "no-context", 0, 0
            at = (low & ~0xFFF) + 16 * devfn
            low, high = self.word(at), self.word(at + 8)
            kind, levels = low >> 2 & 3, (high & 7) + 2
            if not low & 1 or low & 0xFF0 or high & 0xFFFF_FFFF_FF00_0080 or kind == 3:
                return "no-context", 0, 0
            if kind == 2:
                return "pass-through", 0, 0
            return ("second", low & ~0xFFF, levels) if self.cap >> 8 >> (levels - 2) & 1 else ("no-context", 0, 0)
        half = self.word(root + 8 * (devfn >> 7))
        if not half & 1 or half & 0xFFE:
            return "no-context", 0, 0
        at = (half & ~0xFFF) + 32 * (devfn & 127)
        context = [self.word(at + 8 * i) for i in range(4)]
        if not context[0] & 1 or context[0] & 0x1E0 or context[1] & ~0x1F_FFFF or context[2] or context[3]:
            return "no-context", 0, 0
        pasid = context[1] & 0xF_FFFF
        directory = self.word((context[0] & ~0xFFF) + 8 * (pasid >> 6))
        if not directory & 1 or directory & 0xFFC:
            return "no-context", 0, 0
        at = (directory & ~0xFFF) + 64 * (pasid & 63)
        entry = [self.word(at + 8 * i) for i in range(8)]
        if not entry[0] & 1:
            return "no-context", 0, 0
        kind = entry[0] >> 6 & 7
        if kind == 1:
            return "first", entry[2] & ~0xFFF, (entry[2] >> 2 & 3) + 4
        if kind == 2:
            return "second", entry[0] & ~0xFFF, (entry[0] >> 2 & 7) + 2
        return ("pass-through", 0, 0) if kind == 4 else ("no-context", 0, 0)

    def resolve(self, bus, devfn, iova):
        """(outcome, physical, access), as a unit would have it."""
        if iova in WINDOW:
            return "interrupt", None, None
        if not self.on:
            return "untranslated", iova, "rw"
        kind, table, levels = self.entry(bus, devfn)
        if kind == "no-context":
            return "no-context", None, None
        if kind == "pass-through":
            return ("pass-through", iova, "rw") if iova >> self.mgaw == 0 else ("beyond-width", None, None)
        width = 12 + 9 * levels
        if kind == "second":
            if iova >> min(width, self.mgaw):
                return "beyond-width", None, None
        else:
            upper = iova >> (width - 1)
            if upper not in (0, (1 << (65 - width)) - 1):
                return "beyond-width", None, None
            if upper == 0 and iova >> self.mgaw:
                return "beyond-width", None, None
        rights = 3
        for level in range(levels, 0, -1):
            word = self.word((table & ~0xFFF) + 8 * (iova >> (3 + 9 * level) & 511))
            if word is None:
                return "unreadable", None, None
            leaf = level == 1 or level <= 3 and word >> 7 & 1
            if kind == "second":
                if not word & 3:
                    return "not-mapped", None, None
                reserved = 1 << 62
                if not leaf:
                    reserved |= 1 << 11 | (1 << 7 if level > 3 else 0)
                elif not self.scalable and not self.ecap >> 7 & 1:
                    reserved |= 1 << 11
            else:
                if word & 5 != 5:
                    return "not-mapped", None, None
                reserved = 1 << 7 if level > 3 else 0
            offset = (1 << (3 + 9 * level)) - 1
            if leaf and level > 1:
                reserved |= offset & ~0xFFF & ~(0x1000 if kind == "first" else 0)
            if word & reserved or self.pointer_bad(word):
                return "not-mapped", None, None
            rights &= word & 3
            if leaf:
                if not rights:
                    return "not-mapped", None, None
                physical = word & ADDRESS & ~offset | iova & offset
                if physical in WINDOW:
                    return "not-mapped", None, None
                return "mapped", physical, {1: "r", 2: "w", 3: "rw"}[rights]
            table = word & ADDRESS


def questions(runs, mgaw, count, rng):
    """Addresses worth asking of one device."""
    asked = [0, 0xFEE0_0000, 0xFEEF_FFFF, 0xFEDF_FFFF, 0xFEF0_0000, 1 << mgaw, (1 << mgaw) - 1, 1 << 39, 1 << 47, 1 << 48, 1 << 57,
             (1 << 64) - 1, (1 << 64) - (1 << 47)]
    while len(asked) < count:
        if runs and rng.random() < 0.7:
            run = rng.choice(runs)
            start, length = int(run["iova"], 16), int(run["length"], 16)
            asked.append(rng.choice([start, start + length - 1, start + length, start - 1, start + rng.randrange(length)]) % (1 << 64))
        else:
            asked.append(rng.getrandbits(rng.choice([20, 32, 38, 39, 48, 64])))
    return asked[:count]


def main():
    parser = argparse.ArgumentParser()
    for name in ("iommuscope", "dump", "image", "registers"):
        parser.add_argument(name)
    parser.add_argument("--vmlinux")
    parser.add_argument("--trace")
    parser.add_argument("--each", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    extra = ["--vmlinux", options.vmlinux] if options.vmlinux else []

    def ask(*arguments):
        done = subprocess.run([options.iommuscope, *arguments, *extra, "--format", "json", "--quiet"], capture_output=True)
        if done.returncode not in (0, 1):
            sys.exit(done.stderr.decode())
        return json.loads(done.stdout)

    report = ask("report", options.dump)
    width = report["units"][0].get("hostAddressWidth") or 52
    unit = Unit(Image(options.image), json.load(open(options.registers)), width)
    rng = random.Random(options.seed)
    wrong, translated, reversed_, outcomes, reach = [], 0, 0, {}, []
    last = {}
    if options.trace:
        form = re.compile(r"dmar_translate dev (\w+):(\w+)\.(\w+) iova (0x\w+) -> gpa (0x\w+)")
        roots = 0
        for line in open(options.trace, errors="replace"):
            roots += line.startswith("vtd_reg_dmar_root")
            if roots > 1:                             # the crash kernel's from here on
                break
            found = form.search(line)
            if found:
                last[f"0000:{found[1]}:{found[2]}.{int(found[3], 16)}", int(found[4], 16) & ~0xFFF] = int(found[5], 16) & ~0xFFF
    for context in report["contexts"]:
        if not context["servesRequestsWithoutPASID"]:
            continue
        device = context["device"]
        bus, rest = device.split(":")[1:]
        slot, function = rest.split(".")
        devfn = int(slot, 16) << 3 | int(function)
        runs = next((d["mapping"]["runs"] for d in report["domains"] if d["table"] == context["table"] and d["mapping"]), [])
        addresses = questions(runs, unit.mgaw, options.each, rng)
        for row in ask("translate", options.dump, "--device", device, *map(hex, addresses))["translations"]:
            iova = int(row["iova"], 16)
            outcome, physical, access = unit.resolve(int(bus, 16), devfn, iova)
            said = row["outcome"], row["physical"] and int(row["physical"], 16), row["access"]
            translated += 1
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            if said != (outcome, physical, access):
                wrong.append(f"{device} {iova:#x}: translate {said}, the tables {(outcome, physical, access)}")
            if outcome == "mapped":
                reach.append((device, iova, physical, access))
    rng.shuffle(reach)
    reach = reach[:200]
    if reach:
        answers = ask("owners", options.dump, *[hex(physical) for _, _, physical, _ in reach])["ranges"]
        for (device, iova, physical, access), answer in zip(reach, answers):
            reversed_ += 1
            if not any(int(way["iova"], 16) == iova and way["access"] == access and way["reachable"]
                       and any(who["device"] == device for who in way["devices"]) for way in answer["reaches"]):
                wrong.append(f"owners of {physical:#x}: no reachable way of {device} through {iova:#x}")
            for way in answer["reaches"]:       # and each way that is listed is one of the tables
                if way["translation"] in ("pass-through", "untranslated"):
                    continue
                for who in way["devices"]:
                    bus, rest = who["device"].split(":")[1:]
                    devfn = int(rest.split(".")[0], 16) << 3 | int(rest.split(".")[1])
                    outcome = unit.resolve(int(bus, 16), devfn, int(way["iova"], 16))
                    if not who["pasid"] and (outcome[0] == "mapped") != way["reachable"]:
                        wrong.append(f"owners of {physical:#x}: {who['device']} through {way['iova']} is {outcome}")
    seen = agreed = gone = moved = 0
    by_device = {}
    for (name, page), target in last.items():
        by_device.setdefault(name, []).append((page, target))
    known = {c["device"] for c in report["contexts"]}
    for name, pages in by_device.items():
        if name not in known:
            continue
        for row in ask("translate", options.dump, "--device", name, *[hex(p) for p, _ in pages[-400:]])["translations"]:
            target = dict(pages)[int(row["iova"], 16)]
            seen += 1
            if row["outcome"] == "mapped" and int(row["physical"], 16) == target:
                agreed += 1
            elif row["outcome"] == "mapped":
                moved += 1
            else:
                gone += 1
    print(f"{options.dump}: {translated} translations, {reversed_} owners, {len(wrong)} wrong; {outcomes}; findings "
          f"{[f['rule'] for f in report['findings']]}; trace: {seen} pages, {agreed} alike, {moved} mapped anew and {gone} unmapped since")
    for line in wrong[:20]:
        print("  " + line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
