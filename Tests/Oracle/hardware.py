#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Walk the VT-d tables of a whole-machine memory image, as the hardware would.

usage: hardware.py IMAGE.elf REGISTERS.json [--root WORD | --root-of OTHER.json] [--output FILE]

IMAGE.elf is an ELF core of guest-physical memory, as QEMU's `dump-guest-memory` writes it. REGISTERS.json maps register
offsets to register words, 64 bits every 8 bytes: {"0x8": "0x…", "0x20": "0x…", …}. Both are taken while the machine is
stopped. Nothing here knows of an operating system: the root pointer comes from the RTADDR register and everything else
from the tables.

The crash kernel of a kdump replaces the root pointer by a copy of its own. The panicked kernel's tables are still in memory then,
and RTADDR of a register file taken before the panic says where: `--root-of live.vtd-regs.json` walks these. `--root` takes the
same thing as a number, either a bare RTADDR word or `ADDRESS,scalable`.

The result is one JSON document. `contexts` has the rows of the `report` document's `contexts`, `domains` those keys of its
`domains` that the hardware knows (unit, domainID, stage, table, levels, devices, mapping with its runs), and `units` those
that the registers hold. `requesterPASIDs` has, in scalable mode, the PASID under which requests without PASID of each device are
looked up. `anomalies` names what the walk met that a correct table cannot hold.
"""
import argparse
import json
import mmap
import struct
import sys

PAGE = 4096
ADDRESS = (1 << 52) - 1 & ~(PAGE - 1)
EMPTY = bytes(PAGE)
PT_LOAD = 1
PN_XNUM = 0xFFFF


class Image:
    """Physical memory out of the PT_LOAD segments of a 64-bit ELF core."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self.bytes[:6] != b"\x7fELF\x02\x01":
            sys.exit(f"{path}: not a little-endian 64-bit ELF file")
        e_phoff, e_shoff = struct.unpack_from("<QQ", self.bytes, 32)
        e_phentsize, e_phnum = struct.unpack_from("<HH", self.bytes, 54)
        if e_phnum == PN_XNUM:                     # the real count is in sh_info of section 0
            e_phnum = struct.unpack_from("<I", self.bytes, e_shoff + 44)[0]
        self.segments = []
        for number in range(e_phnum):              # the headers are where e_phoff says, not always at 64
            kind, _, offset, _, physical, size, _, _ = struct.unpack_from("<IIQQQQQQ", self.bytes, e_phoff + number * e_phentsize)
            if kind == PT_LOAD and size:
                self.segments.append((physical, physical + size, offset))
        self.segments.sort()

    def page(self, address):
        """The 4 KiB at a page-aligned address, or None if the image lacks any of it."""
        for start, end, offset in self.segments:
            if start <= address and address + PAGE <= end:
                begin = offset + address - start
                page = self.bytes[begin:begin + PAGE]
                return page if len(page) == PAGE else None
        return None


def words(page):
    return struct.unpack("<512Q", page)


class Runs:
    """Leaves given in ascending order, merged into runs that are contiguous on both sides."""

    def __init__(self):
        self.rows, self.leaves = [], 0

    def add(self, iova, size, physical, access):
        self.leaves += 1
        if self.rows:
            last = self.rows[-1]
            if last[3] == access and last[0] + last[1] == iova and last[2] + last[1] == physical:
                last[1] += size
                return
        self.rows.append([iova, size, physical, access])

    def document(self):
        return {"leaves": self.leaves, "bytes": sum(row[1] for row in self.rows),
                "runs": [{"iova": hex(i), "length": hex(n), "physical": hex(p), "access": a} for i, n, p, a in self.rows]}


RIGHTS = {1: "r", 2: "w", 3: "rw"}


class Walker:
    def __init__(self, image, unit, segment, ecap=None):
        self.image, self.unit, self.segment = image, unit, segment
        self.has_requester_pasid = ecap is None or bool(ecap >> 49 & 1)    # ECAP.RPS; without it PASID 0, whatever the field holds
        self.contexts, self.domains, self.anomalies, self.requesters = [], {}, [], {}
        self.tables_read = 0

    def note(self, text):
        self.anomalies.append(text)

    def table(self, address, what):
        page = self.image.page(address)
        if page is None:
            self.note(f"{what} at {address:#x} is not in the image")
            return None
        self.tables_read += 1
        return page

    # Page tables -----------------------------------------------------------------------------------------------------------------

    def second_stage(self, top, levels, emit, translate=None):
        self._descend(top, levels, 0, 3, emit, second_entry, translate, "second-stage table")

    def first_stage(self, top, levels, emit, translate=None):
        width = 12 + 9 * levels

        def canonical(iova, size, physical, access):
            if iova >> (width - 1) & 1:
                iova |= (1 << 64) - (1 << width)
            emit(iova, size, physical, access)

        self._descend(top, levels, 0, 3, canonical, first_entry, translate, "first-stage table")

    def _descend(self, address, level, base, rights, emit, decode, translate, what):
        if translate:
            host = translate(address)
            if host is None:
                self.note(f"{what} at guest address {address:#x} has no second-stage translation")
                return
            address = host
        page = self.table(address, f"{what} (level {level})")
        if page is None or page == EMPTY:
            return
        shift = 12 + 9 * (level - 1)
        for index, entry in enumerate(words(page)):
            if not entry:
                continue
            granted = decode(entry)
            if not granted:
                continue
            granted &= rights
            iova = base + (index << shift)
            if level == 1 or (level <= 3 and entry & 0x80):
                size = 1 << shift
                physical = entry & ADDRESS
                if level == 1 or not physical & (size - 1):
                    if granted:
                        emit(iova, size, physical, RIGHTS[granted])
                else:
                    self.note(f"{what} at {address:#x}[{index}]: superpage {entry:#x} is not aligned")
                    if granted:
                        emit(iova, size, physical & ~(size - 1), RIGHTS[granted])
            else:
                if entry & 0x80:
                    self.note(f"{what} at {address:#x}[{index}]: page-size bit in {entry:#x} at level {level}")
                    continue
                self._descend(entry & ADDRESS, level - 1, iova, granted, emit, decode, translate, what)

    def mapping(self, stage, top, levels, second=None):
        """The runs of one table; `second` is (top, levels) of the second stage below a nested first stage."""
        runs = Runs()
        if stage == "second":
            self.second_stage(top, levels, runs.add)
        elif second is None:
            self.first_stage(top, levels, runs.add)
        else:
            host = []
            self.second_stage(*second, lambda *leaf: host.append(leaf))

            def translate(address):
                for iova, size, physical, _ in host:
                    if iova <= address < iova + size:
                        return physical + address - iova
                return None

            def through(iova, size, guest, access):
                while size:
                    part = next((leaf for leaf in host if leaf[0] <= guest < leaf[0] + leaf[1]), None)
                    if part is None:               # no second-stage leaf: this 4 KiB is not reachable
                        step = PAGE
                    else:
                        step = min(size, part[0] + part[1] - guest)
                        both = {"r": 1, "w": 2, "rw": 3}
                        left = both[access] & both[part[3]]
                        if left:
                            runs.add(iova, step, part[2] + guest - part[0], RIGHTS[left])
                    iova, guest, size = iova + step, guest + step, size - step

            self.first_stage(top, levels, through, translate)
        return runs.document()

    # Contexts --------------------------------------------------------------------------------------------------------------------

    def row(self, device, pasid, translation, domain, levels, table, disabled, raw, second=None):
        walked = translation not in ("none", "pass-through")
        self.contexts.append({"unit": self.unit, "device": device, "pasid": pasid, "translation": translation, "domainID": domain,
                              "levels": levels if walked else None, "table": hex(table) if walked else None,
                              "faultProcessingDisabled": disabled, "raw": [hex(word) for word in raw]})
        if translation == "none":
            return
        stage = {"second-stage": "second", "first-stage": "first", "nested": "first"}.get(translation)
        key = (domain, table if walked else None, levels if walked else None, stage, second)
        if key not in self.domains:
            self.domains[key] = {"unit": self.unit, "domainID": domain, "stage": stage, "table": hex(table) if walked else None,
                                 "levels": levels if walked else None, "devices": [],
                                 "mapping": self.mapping(stage, table, levels, second) if walked else None}
        if device not in self.domains[key]["devices"]:
            self.domains[key]["devices"].append(device)

    def name(self, bus, devfn):
        return f"{self.segment:04x}:{bus:02x}:{devfn >> 3:02x}.{devfn & 7}"

    def legacy(self, root):
        page = self.table(root, "root table")
        if page is None:
            return
        entries = words(page)
        for bus in range(256):
            if entries[2 * bus + 1]:
                self.note(f"root entry of bus {bus:02x}: upper half {entries[2 * bus + 1]:#x} is not 0")
            if not entries[2 * bus] & 1:
                continue
            contexts = self.table(entries[2 * bus] & ADDRESS, f"context table of bus {bus:02x}")
            if contexts is None:
                continue
            slots = words(contexts)
            for devfn in range(256):
                low, high = slots[2 * devfn:2 * devfn + 2]
                if not low & 1:
                    continue
                kind, width = low >> 2 & 3, high & 7
                translation = ("second-stage", "second-stage", "pass-through", "none")[kind]
                device = self.name(bus, devfn)
                if translation == "second-stage" and not 1 <= width <= 3:
                    self.note(f"{device}: address width {width} is reserved")
                    translation = "none"
                self.row(device, None, translation, high >> 8 & 0xFFFF, width + 2, low & ADDRESS, bool(low & 2), (low, high))

    def scalable(self, root):
        page = self.table(root, "root table")
        if page is None:
            return
        entries = words(page)
        for bus in range(256):
            for half in range(2):
                word = entries[2 * bus + half]
                if not word & 1:
                    continue
                contexts = self.table(word & ADDRESS, f"{('lower', 'upper')[half]} context table of bus {bus:02x}")
                if contexts is None:
                    continue
                slots = words(contexts)
                for slot in range(128):
                    raw = slots[4 * slot:4 * slot + 4]
                    if raw[0] & 1:
                        self.scalable_context(self.name(bus, half << 7 | slot), raw)

    def scalable_context(self, device, raw):
        # RID_PASID: the PASID of requests that carry none
        self.requesters[device] = raw[1] & 0xFFFFF if self.has_requester_pasid else 0
        directory, count = raw[0] & ADDRESS, 1 << (raw[0] >> 9 & 7) + 7
        found = False
        for first in range(0, count, 512):
            page = self.table(directory + first * 8, f"PASID directory of {device}")
            if page is None or page == EMPTY:
                continue
            for index, entry in enumerate(words(page)[:count - first]):
                if not entry & 1:
                    continue
                table = self.table(entry & ADDRESS, f"PASID table of {device}")
                if table is None or table == EMPTY:
                    continue
                slots = words(table)
                for slot in range(64):
                    pasid = slots[8 * slot:8 * slot + 8]
                    if pasid[0] & 1:
                        found = True
                        self.pasid(device, (first + index) * 64 + slot, pasid)
        if not found:
            self.row(device, None, "none", None, None, None, bool(raw[0] & 2), raw)

    def pasid(self, device, number, raw):
        kind, width, domain = raw[0] >> 6 & 7, raw[0] >> 2 & 7, raw[1] & 0xFFFF
        first, first_levels, second = raw[2] & ADDRESS, 4 + (raw[2] >> 2 & 3), raw[0] & ADDRESS
        translation = {1: "first-stage", 2: "second-stage", 3: "nested", 4: "pass-through"}.get(kind, "none")
        if translation in ("second-stage", "nested") and not 1 <= width <= 3:
            self.note(f"{device} PASID {number}: address width {width} is reserved")
            translation = "none"
        if translation in ("first-stage", "nested") and first_levels > 5:
            self.note(f"{device} PASID {number}: first-stage paging mode {first_levels - 4} is reserved")
            translation = "none"
        by_first = translation in ("first-stage", "nested")
        self.row(device, number, translation, domain, first_levels if by_first else width + 2, first if by_first else second,
                 bool(raw[0] & 2), raw, (second, width + 2) if translation == "nested" else None)


def second_entry(entry):
    """Second stage: no present bit, an entry is there if it may be read or written."""
    return entry & 3


def first_entry(entry):
    """First stage is x86 paging: present means readable, bit 1 adds writing."""
    return (1 | entry & 2) if entry & 1 else 0


def registers(path):
    with open(path) as file:
        return {int(offset, 0): int(word, 0) for offset, word in json.load(file).items()}


def walk(image, regs, rtaddr, unit="dmar0", segment=0):
    mode = ("legacy", "scalable", "extended", "abort")[rtaddr >> 10 & 3]
    walker = Walker(image, unit, segment, regs.get(0x10))
    if mode in ("legacy", "scalable"):
        getattr(walker, mode)(rtaddr & ADDRESS)
    else:
        sys.exit(f"translation table mode {mode} is not supported")
    cap, ecap, status = regs.get(0x08), regs.get(0x10), regs.get(0x18, 0) >> 32
    order = sorted(walker.contexts, key=lambda c: (c["device"], c["pasid"] is None, c["pasid"] or 0))
    domains = sorted(walker.domains.values(), key=lambda d: (d["domainID"], d["table"] is None, int(d["table"] or "0", 16)))
    return {"schema": "iommuscope-oracle/1", "source": "hardware",
            "units": [{"name": unit, "segment": segment, "capability": hex(cap) if cap is not None else None,
                       "extendedCapability": hex(ecap) if ecap is not None else None, "tableMode": mode,
                       "translationEnabled": bool(status >> 31 & 1), "interruptRemappingEnabled": bool(status >> 25 & 1),
                       "rootTable": hex(rtaddr & ADDRESS)}],
            "contexts": order, "domains": domains, "requesterPASIDs": walker.requesters, "anomalies": walker.anomalies,
            "totals": {"contexts": len(order), "tables": walker.tables_read,
                       "leaves": sum(d["mapping"]["leaves"] for d in domains if d["mapping"]),
                       "runs": sum(len(d["mapping"]["runs"]) for d in domains if d["mapping"])}}


def root_word(text):
    address, _, mode = text.partition(",")
    if mode not in ("", "legacy", "scalable"):
        raise argparse.ArgumentTypeError(f"unknown mode {mode}")
    return int(address, 0) | (0x400 if mode == "scalable" else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", help="whole-machine ELF core")
    parser.add_argument("registers", help="register file taken with the image")
    root = parser.add_mutually_exclusive_group()
    root.add_argument("--root", type=root_word, metavar="WORD", help="RTADDR word to use, or ADDRESS,scalable")
    root.add_argument("--root-of", metavar="JSON", help="take RTADDR from another register file")
    parser.add_argument("--unit", default="dmar0", help="name of the unit in the output")
    parser.add_argument("--segment", type=lambda v: int(v, 0), default=0, help="PCI segment of the unit")
    parser.add_argument("--output", metavar="FILE", help="write there instead of standard output")
    args = parser.parse_args()
    regs = registers(args.registers)
    rtaddr = args.root if args.root is not None else registers(args.root_of)[0x20] if args.root_of else regs[0x20]
    document = walk(Image(args.image), regs, rtaddr, args.unit, args.segment)
    with open(args.output, "w") if args.output else sys.stdout as out:
        json.dump(document, out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main()
