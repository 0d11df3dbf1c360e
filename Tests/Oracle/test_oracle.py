#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the oracles on small tables made by hand: what no laboratory guest holds (nested, five levels, reserved types, damage).

usage: python3 -m unittest test_oracle   (in this folder)
"""
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest

import compare
import hardware

HERE = os.path.dirname(os.path.abspath(__file__))


class Memory:
    """Physical pages, written as an ELF core whose program headers sit behind the data."""

    def __init__(self):
        self.pages = {}

    def put(self, address, word):
        page = self.pages.setdefault(address & ~0xFFF, bytearray(4096))
        struct.pack_into("<Q", page, address & 0xFFF, word)

    def fill(self, address, *words):
        for number, word in enumerate(words):
            self.put(address + 8 * number, word)

    def write(self, path):
        body, headers = bytearray(4096), bytearray()
        for address in sorted(self.pages):
            headers += struct.pack("<IIQQQQQQ", 1, 7, len(body), 0, address, 4096, 4096, 0)
            body += self.pages[address]
        head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 4, 62, 1, 0, len(body), 0, 0, 64, 56, len(self.pages), 0, 0, 0)
        body[:len(head)] = head
        with open(path, "wb") as file:
            file.write(body + headers)


def document(memory, rtaddr):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "image.elf")
        memory.write(path)
        return hardware.walk(hardware.Image(path), {0x08: 0x1234, 0x10: 0x5678, 0x18: 1 << 63}, rtaddr)


def legacy(context, device=0x10):
    memory = Memory()
    memory.fill(0x1000, 0x2001)
    memory.fill(0x2000 + 16 * device, *context)
    return memory


class Legacy(unittest.TestCase):
    def test_runs_merge_and_access_is_the_and_of_the_path(self):
        memory = legacy((0x3001, 0x702))
        memory.put(0x3000, 0x4003)
        memory.put(0x4000, 0x5003)
        memory.put(0x5000, 0x6001)                        # read only above the first table
        memory.put(0x5008, 0x7003)
        memory.fill(0x6000, 0x10003, 0x11001, 0x12002, 0x20003)
        memory.put(0x6FF8, 0x30003)
        memory.put(0x7000, 0x31003)
        found = document(memory, 0x1000)
        self.assertEqual(found["contexts"], [{"unit": "dmar0", "device": "0000:00:02.0", "pasid": None, "translation": "second-stage", "domainID": 7,
                                              "levels": 4, "table": "0x3000", "faultProcessingDisabled": False, "raw": ["0x3001", "0x702"]}])
        mapping = found["domains"][0]["mapping"]
        self.assertEqual([tuple(run.values()) for run in mapping["runs"]],
                         [("0x0", "0x2000", "0x10000", "r"), ("0x3000", "0x1000", "0x20000", "r"), ("0x1ff000", "0x1000", "0x30000", "r"),
                          ("0x200000", "0x1000", "0x31000", "rw")])
        self.assertEqual((mapping["leaves"], mapping["bytes"]), (5, 0x5000))

    def test_superpages_merge_with_pages(self):
        memory = legacy((0x3001, 0x101))
        memory.put(0x3000, 0x4003)
        memory.fill(0x4000, 0x5003, 0x200083)
        memory.put(0x5FF8, 0x1FF003)
        found = document(memory, 0x1000)["domains"][0]
        self.assertEqual((found["levels"], found["mapping"]["leaves"]), (3, 2))
        self.assertEqual([tuple(run.values()) for run in found["mapping"]["runs"]], [("0x1ff000", "0x201000", "0x1ff000", "rw")])

    def test_five_levels(self):
        memory = legacy((0x3001, 0x103))
        memory.put(0x3008, 0x4003)
        for address in (0x4000, 0x5000, 0x6000):
            memory.put(address, address + 0x1003)
        memory.put(0x7000, 0x9002)
        self.assertEqual(document(memory, 0x1000)["domains"][0]["mapping"]["runs"],
                         [{"iova": "0x1000000000000", "length": "0x1000", "physical": "0x9000", "access": "w"}])

    def test_types(self):
        for low, high, translation, domains in ((0x9, 0x502, "pass-through", 1), (0xD, 0x502, "none", 0), (0x3001, 0x507, "none", 0)):
            found = document(legacy((low, high)), 0x1000)
            self.assertEqual((found["contexts"][0]["translation"], found["contexts"][0]["table"], found["contexts"][0]["levels"],
                              len(found["domains"])), (translation, None, None, domains))
        self.assertTrue(document(legacy((0x3003, 0x502)), 0x1000)["contexts"][0]["faultProcessingDisabled"])

    def test_damage_is_named(self):
        memory = legacy((0x3001, 0x702))
        memory.fill(0x3000, 0x4003, 0x99003, 0x83)
        memory.put(0x4000, 0x40001083)
        found = document(memory, 0x1000)
        self.assertEqual(len(found["anomalies"]), 3)
        self.assertEqual(found["domains"][0]["mapping"]["runs"][0]["physical"], "0x40000000")


class Scalable(unittest.TestCase):
    def memory(self, *pasid):
        memory = Memory()
        memory.fill(0x1000, 0, 0x2001)                    # bus 0, upper half only
        memory.fill(0x2000 + 32 * 0x7A, 0x3001)           # 00:1f.2
        memory.put(0x3008, 0x4001)                        # PASIDs 64 to 127
        memory.fill(0x4000 + 64 * 5, *pasid)
        return memory

    def test_context_without_pasid_entry(self):
        found = document(self.memory(0, 0), 0x1400)
        row = found["contexts"][0]
        self.assertEqual((row["device"], row["pasid"], row["translation"], row["domainID"], len(row["raw"])), ("0000:00:1f.2", None, "none", None, 4))
        self.assertEqual(found["domains"], [])

    def test_first_stage_is_canonical(self):
        memory = self.memory(0x41, 9, 0x5000)
        memory.put(0x5FF8, 0x6003)
        memory.put(0x6000, 0x40000081)
        found = document(memory, 0x1400)
        self.assertEqual((found["contexts"][0]["pasid"], found["contexts"][0]["translation"], found["contexts"][0]["levels"]), (69, "first-stage", 4))
        self.assertEqual(found["domains"][0]["mapping"]["runs"],
                         [{"iova": "0xffffff8000000000", "length": "0x40000000", "physical": "0x40000000", "access": "r"}])

    def test_nested(self):
        memory = self.memory(0xA000 | 0xC1 | 1 << 2, 9, 0x10000)
        memory.put(0xA000, 0xB003)                        # second stage, 3 levels: guest 0x10000.. is host 0x20000..
        memory.put(0xB000, 0xC003)
        for page in range(0x10, 0x16):
            memory.put(0xC000 + 8 * page, page + 0x10 << 12 | (1 if page == 0x15 else 3))
        memory.put(0x20000, 0x11003)
        memory.put(0x21000, 0x12003)
        memory.put(0x22000, 0x13003)
        memory.fill(0x23000, 0x14003, 0x15003, 0x16003)   # the last guest page has no second-stage leaf
        found = document(memory, 0x1400)
        row, domain = found["contexts"][0], found["domains"][0]
        self.assertEqual((row["translation"], row["table"], row["levels"], domain["stage"]), ("nested", "0x10000", 4, "first"))
        self.assertEqual([tuple(run.values()) for run in domain["mapping"]["runs"]], [("0x0", "0x1000", "0x24000", "rw"), ("0x1000", "0x1000", "0x25000", "r")])


class Compare(unittest.TestCase):
    def setUp(self):
        memory = legacy((0x3001, 0x702))
        memory.put(0x3000, 0x4003)
        memory.put(0x4000, 0x5003)
        memory.put(0x5000, 0x6003)
        memory.fill(0x6000, 0x10003, 0x20003)
        self.oracle = document(memory, 0x1000)
        self.report = json.loads(json.dumps(self.oracle))
        self.report["devices"] = [{"device": "0000:00:02.0", "unit": "dmar0", "domainID": 7, "aliases": [], "reservedRegions": [], "group": 0, "driver": None}]
        self.report["reservedRegions"] = []
        self.report["domains"][0].update(type="dma", kernelObject=None, iova={"allocated": [{"start": "0x2000", "end": "0x2fff", "state": "pending"}]})

    def run_compare(self, trace=None):
        with tempfile.TemporaryDirectory() as folder:
            names = {}
            for name, text in (("report", json.dumps(self.report)), ("oracle", json.dumps(self.oracle)), ("trace", trace or "")):
                names[name] = os.path.join(folder, name)
                with open(names[name], "w") as file:
                    file.write(text)
            command = [sys.executable, os.path.join(HERE, "compare.py"), names["report"], names["oracle"]] + (["--trace", names["trace"]] if trace else [])
            done = subprocess.run(command, capture_output=True, text=True)
            return done.returncode, json.loads(done.stdout)

    def test_equal(self):
        status, found = self.run_compare()
        self.assertEqual((status, found["runs"]["agreed"], found["unexplained"]), (0, 2, []))

    def test_one_run_differs(self):
        self.report["domains"][0]["mapping"]["runs"][1]["physical"] = "0x21000"
        status, found = self.run_compare()
        self.assertEqual((status, found["runs"]), (1, {"agreed": 1, "only-in-report": 1, "only-in-oracle": 1}))

    def test_trace(self):
        line = "vtd_dmar_translate dev 00:02.00 iova {:#x} -> gpa {:#x} mask 0xfff\n"
        flush = "vtd_inv_desc invalidate desc type iotlb high 0x0 low 0x700e2\n"
        root, after = "vtd_reg_dmar_root addr 0x1000 scalable 0\n", "vtd_reg_dmar_root addr 0x9000 scalable 0\n" + line.format(0x1000, 0x99000)
        good = root + line.format(0, 0x30000) + flush + line.format(0, 0x10000) + line.format(0x2000, 0x40000) + after
        status, found = self.run_compare(good)
        self.assertEqual((status, found["trace-dmar0"]["agreed"], found["trace-dmar0"]["gone"]), (0, 1, 1))
        status, found = self.run_compare(root + line.format(0x1000, 0x77000) + flush + after)
        self.assertEqual((status, found["trace-dmar0"]["remapped"]), (0, 1))
        status, found = self.run_compare(root + flush + line.format(0x1000, 0x77000) + after)
        self.assertEqual((status, found["trace-dmar0"]["different"]), (1, 1))
        status, found = self.run_compare(root + line.format(0x3000, 0x77000) + after)
        self.assertEqual((status, found["trace-dmar0"]["gone"]), (1, 1))

    def test_a_device_in_user_space_differs_from_its_groups_default(self):
        lines = ["LAB: group 0 type=DMA-FQ devs=0000:00:02.0  resv="]
        for driver, kind, wrong in (("vfio-pci", "unmanaged", 0), ("nvme", "unmanaged", 1), ("vfio-pci", "identity", 1)):
            self.report["units"][0]["domainIDs"] = {"used": [7]}
            self.report["devices"][0]["driver"] = driver
            self.report["domains"][0]["type"] = kind
            result = compare.Result(10, False)
            compare.compare_console(result, self.report, lines)
            self.assertEqual(len(result.unexplained), wrong, (driver, kind, result.unexplained))

    def test_kernels_that_list_no_regions(self):
        """Before 4.11 there is no such file for any group; a kernel with types has it, and an empty one is a difference."""
        msi = {"kind": "msi", "base": "0xfee00000", "end": "0xfeefffff", "devices": ["0000:00:02.0"]}
        other = "LAB: group 1 type= devs=0000:00:03.0  resv=0x00000000fee00000 0x00000000feefffff msi;"
        for kind, more, wrong in (("", [], 0), ("DMA", [], 1), ("", [other], 1)):
            self.report["units"][0]["domainIDs"] = {"used": [7]}
            self.report["domains"][0]["type"] = kind.lower() or None
            self.report["reservedRegions"] = [msi]
            self.report["devices"] = self.report["devices"][:1]
            result = compare.Result(10, False)
            compare.compare_console(result, self.report, [f"LAB: group 0 type={kind} devs=0000:00:02.0  resv=", *more])
            self.assertEqual(sum("msi 0xfee00000-0xfeefffff only in the report" in text for text in result.unexplained), wrong, (kind, more))

    def test_overlapping_regions_are_listed_as_one(self):
        isa, rmrr, apart = ("isa", 0, 0xffffff), ("rmrr", 0xf0000, 0xfffff), ("rmrr", 0x2000000, 0x2ffffff)
        for listed, regions, parts in (
                (("rmrr", 0, 0xffffff), {isa, rmrr}, {isa, rmrr}),
                (("rmrr", 0, 0x1ffffff), {isa, ("rmrr", 0xff0000, 0x1ffffff)}, {isa, ("rmrr", 0xff0000, 0x1ffffff)}),
                # Beside each other, with a gap, too short, of another type, alone.
                (("rmrr", 0, 0x1ffffff), {isa, ("rmrr", 0x1000000, 0x1ffffff)}, set()),
                (("rmrr", 0, 0x2ffffff), {isa, apart}, set()),
                (("rmrr", 0, 0x1ffffff), {isa, rmrr}, set()),
                (("rmrr", 0x1000, 0xffffff), {isa, rmrr}, set()),
                (("msi", 0, 0xffffff), {isa, rmrr}, set()),
                (("rmrr", 0, 0xffffff), {isa}, set())):
            self.assertEqual(compare.merged(listed, regions), parts, (listed, regions))
        self.report["units"][0]["domainIDs"] = {"used": [7]}
        self.report["reservedRegions"] = [
            {"kind": kind, "base": hex(low), "end": hex(high), "devices": ["0000:00:02.0"]} for kind, low, high in (isa, rmrr)]
        for line, wrong in (("0x0000000000000000 0x0000000000ffffff direct;", 0), ("0x0000000000000000 0x0000000000fffffe direct;", 3)):
            result = compare.Result(10, False)
            compare.compare_console(result, self.report, [f"LAB: group 0 type=DMA devs=0000:00:02.0  resv={line}"])
            self.assertEqual(sum("reserved region" in text for text in result.unexplained), wrong, result.unexplained)

    def test_console_of_the_first_kernel_only(self):
        with tempfile.NamedTemporaryFile("w", suffix=".log") as file:
            file.write("LAB: boot A\nLAB: group 0 type=DMA devs=0000:00:02.0  resv=\nLAB: boot B\nLAB: group 9 type=DMA devs=x  resv=\n")
            file.flush()
            self.assertEqual(len(compare.first_kernel(file.name)), 2)


if __name__ == "__main__":
    unittest.main()
