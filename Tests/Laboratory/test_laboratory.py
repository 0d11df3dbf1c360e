#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the matrix's own comparisons: each must agree where it should and must notice each kind of difference.

usage: python3 Tests/Laboratory/test_laboratory.py
"""
import argparse
import io
import json
import os
import stat
import struct
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "Oracle")]

import addresses    # noqa: E402
import allocator    # noqa: E402
import compare      # noqa: E402
import damaged      # noqa: E402
import debugfs      # noqa: E402
import guest        # noqa: E402
import matrix       # noqa: E402
import past         # noqa: E402
import support      # noqa: E402
import takeover     # noqa: E402
import torn         # noqa: E402

OLD, NEW = 0x1000, 0x9000
DEVICE = "0000:00:02.0"


def outcome(work):
    result = compare.Result(50, False)
    work(result)
    return result


def context(device, translation="second-stage", domain=5, table="0x3000"):
    return {"unit": "dmar0", "device": device, "pasid": None, "translation": translation, "domainID": domain, "levels": 4,
            "table": table, "faultProcessingDisabled": False, "raw": ["0x3001", "0x502"]}


def tables(*contexts, runs=(("0xf000", "0x1000", "0x5000"),)):
    rows = [{"iova": iova, "length": length, "physical": physical, "access": "rw"} for iova, length, physical in runs]
    return {"units": [{"name": "dmar0", "tableMode": "legacy"}], "contexts": list(contexts),
            "domains": [{"unit": "dmar0", "domainID": row["domainID"], "table": row["table"], "devices": [row["device"]],
                         "mapping": {"leaves": len(rows), "bytes": 0, "runs": rows}} for row in contexts]}


def forecast(device=DEVICE, reason=5, **fates):
    at = {"T1": "translated", "T2": "translated", "T3": "remapped", "T4": "remapped", **fates}
    return [{"device": device, "at": at, "faultReason": {"T1": None, "T2": None, "T3": reason, "T4": reason}, "verdict": "safe"}]


def translated(iova, physical, device="00:02.00"):
    return f"vtd_dmar_translate dev {device} iova {iova:#x} -> gpa {physical:#x} mask 0xfff"


def fault(address, reason, source=0x10):
    return f"vtd_dmar_fault sid {source:#x} fault {reason} addr {address:#x} write 1"


def root(address):
    return f"vtd_reg_dmar_root addr {address:#x} scalable 0"


class Record(unittest.TestCase):
    def test_events_belong_to_the_root_that_was_set(self):
        record = takeover.Record([fault(0x1000, 6), root(OLD), translated(0xf000, 0x5000), fault(0x2000, 6), root(NEW),
                                  translated(0xf123, 0x5123), fault(0x3000, 5)], OLD, NEW)
        self.assertTrue(record.found)
        self.assertEqual(record.before, [(DEVICE, "fault", 0x2000, 6)])
        self.assertEqual(record.after, [(DEVICE, "translated", 0xf000, 0x5000), (DEVICE, "fault", 0x3000, 5)])

    def test_a_superpage_is_reduced_to_the_page_that_was_asked_for(self):
        record = takeover.Record([root(NEW), "vtd_dmar_translate dev 00:02.00 iova 0x212345 -> gpa 0x600000 mask 0x1fffff"], OLD, NEW)
        self.assertEqual(record.after, [(DEVICE, "translated", 0x212000, 0x612000)])

    def test_an_earlier_boot_with_the_same_root_is_forgotten(self):
        record = takeover.Record([root(OLD), fault(0x1000, 6), root(0), root(OLD)], OLD, NEW)
        self.assertEqual((record.before, record.found), ([], False))


class FatesByTrace(unittest.TestCase):
    def found(self, *lines, predicted=None, old=None):
        record = takeover.Record([root(OLD), root(NEW), *lines], OLD, NEW)
        return outcome(lambda result: takeover.compare_trace(result, predicted or forecast(), old or tables(context(DEVICE)), record, compare.Mapped))

    def test_the_copy_translates_until_the_attach_and_old_addresses_fault_after_it(self):
        result = self.found(translated(0xf000, 0x5000), translated(0x8000, 0x7000), fault(0xf000, 5))
        self.assertEqual(result.unexplained, [])
        self.assertEqual(result.sections["fate-trace"]["old address translated as before"], 1)
        self.assertEqual(result.sections["fate-trace"]["old address refused after the attach, reason 0x05"], 1)

    def test_differences(self):
        self.assertIn("before the attach, forecast translated", self.found(fault(0xf000, 5)).unexplained[0])
        self.assertIn("reason 0x02 after the attach, forecast 0x05", self.found(translated(0x8000, 0x7000), fault(0xf000, 2)).unexplained[0])
        self.assertIn("new addresses after the takeover", self.found(translated(0x8000, 0x7000), predicted=forecast(T3="translated", T4="translated")).unexplained[0])
        self.assertIn("forecast blocked", self.found(translated(0xf000, 0x5000), predicted=forecast(T2="blocked")).unexplained[0])
        self.assertIn("no such device", self.found(translated(0xf000, 0x5000), predicted=forecast(device="0000:00:07.0")).unexplained[0])

    def test_a_fault_outside_the_old_mappings_says_nothing(self):
        self.assertEqual(self.found(fault(0x44000, 5)).unexplained, [])

    def test_pass_through_leads_to_the_address_itself(self):
        old = tables(context(DEVICE, "pass-through", 1, None))
        old["domains"][0]["mapping"] = None
        result = self.found(translated(0x5000, 0x5000), old=old, predicted=forecast(T2="pass-through", T3="pass-through", T4="pass-through"))
        self.assertEqual(result.unexplained, [])
        self.assertEqual(result.sections["fate-trace"]["old address translated as before"], 1)

    def test_devices_at_new_addresses_are_attached(self):
        def attached(*lines):
            record = takeover.Record([root(OLD), root(NEW), *lines], OLD, NEW)
            return takeover.compare_trace(compare.Result(9, False), forecast(), tables(context(DEVICE)), record, compare.Mapped)
        self.assertEqual(attached(translated(0xf000, 0x5000), fault(0x44000, 5)), set())
        self.assertEqual(attached(translated(0xf000, 0x5000), translated(0xf000, 0x7000)), {DEVICE})

    def test_a_trace_without_the_takeover_is_no_agreement(self):
        record = takeover.Record([root(OLD)], OLD, NEW)
        result = outcome(lambda result: takeover.compare_trace(result, forecast(), tables(), record, compare.Mapped))
        self.assertIn("no write of the crash kernel's root pointer", result.unexplained[0])


class FatesByTables(unittest.TestCase):
    def found(self, late, attached=(), **fates):
        return outcome(lambda result: takeover.compare_tables(result, forecast(**fates), tables(context(DEVICE)), late, set(attached)))

    def test_attached(self):
        self.assertEqual(self.found(tables(context(DEVICE, domain=9, table="0x8000"))).unexplained, [])
        self.assertIn("it is attached", self.found(tables(context(DEVICE, domain=9, table="0x8000")), T4="translated").unexplained[0])

    def test_kept(self):
        same = tables(context(DEVICE))
        self.assertEqual(self.found(same, T4="translated").unexplained, [])
        self.assertEqual(self.found(same).unexplained, [])
        self.assertEqual(self.found(same).sections["fate-tables"], {"its driver made no mapping in this guest": 1})
        self.assertIn("it is kept", self.found(same, attached=[DEVICE]).unexplained[0])
        self.assertIn("it is kept", self.found(same, T4="blocked").unexplained[0])

    def test_a_copy_that_leads_to_another_pasid_serves_no_request(self):
        late = tables({**context(DEVICE), "pasid": 0})
        self.assertEqual(self.found(late, T4="translated").unexplained, [])
        late["requesterPASIDs"] = {DEVICE: 8}
        self.assertEqual(self.found(late, T4="blocked").unexplained, [])
        self.assertIn("it is refused", self.found(late, T4="translated").unexplained[0])
        late["contexts"].append({**context(DEVICE), "pasid": 8})
        self.assertIn("it is kept", self.found(late, T4="blocked").unexplained[0])

    def test_absent_and_pass_through(self):
        self.assertIn("it is absent", self.found(tables()).unexplained[0])
        passing = tables(context(DEVICE, "pass-through", 1, None))
        self.assertIn("it is pass-through", self.found(passing).unexplained[0])
        self.assertEqual(self.found(passing, T4="pass-through").unexplained, [])


class Guesses(unittest.TestCase):
    def found(self, *kinds, **fates):
        guess = {"policies": [{"policy": "linux", "devices": forecast(**fates)}],
                 "outlook": {"concerns": [{"kind": kind, "devices": [DEVICE]} for kind in kinds]}}
        return outcome(lambda result: matrix.compare_guess(result, {"policy": "linux", "devices": forecast()}, guess)).unexplained

    def test_a_guess_may_differ_by_what_it_says_it_rests_on(self):
        passing = {"T3": "pass-through", "T4": "pass-through"}
        self.assertEqual(self.found(), [])
        self.assertEqual(self.found("identity-assumed", **passing), [])
        self.assertEqual(self.found("pass-through-assumed", **passing), [])
        self.assertIn("fate of 0000:00:02.0", self.found("old-transfers", **passing)[0])
        self.assertIn("fate of 0000:00:02.0", self.found("identity-assumed", T2="blocked", **passing)[0])


class DomainIDs(unittest.TestCase):
    def found(self, late, reserved=(0, 1, 5), first=6, used=3):
        return outcome(lambda result: takeover.compare_ids(result, "dmar0", tables(context(DEVICE)), late, list(reserved), first, used)).unexplained

    def test_ids(self):
        self.assertEqual(self.found(tables(context(DEVICE, domain=6, table="0x8000"))), [])
        self.assertEqual(self.found(tables(context(DEVICE))), [])
        self.assertIn("has it reserved", self.found(tables(context("0000:00:03.0", table="0x8000")))[0])
        self.assertIn("first free one is 7", self.found(tables(context(DEVICE, domain=6, table="0x8000")), first=7)[0])
        self.assertIn("counted 9", self.found(None, used=9)[0])
        self.assertEqual(self.found(None, used=1), [])      # the reserved ids 0 and 1 are counted by one side only


class Allocators(unittest.TestCase):
    def found(self, nodes, unallocated=(), runs=(("0xf000", "0x2000", "0x5000"),), regions=()):
        oracle = tables(context(DEVICE), runs=runs)
        report = tables(context(DEVICE), runs=())
        report["domains"][0]["iova"] = {"allocated": [{"start": hex(a), "end": hex(b), "state": state} for a, b, state in nodes],
                                        "unallocated": [{"start": hex(a), "end": hex(b)} for a, b in unallocated]}
        report["reservedRegions"] = [{"base": hex(a), "end": hex(b), "devices": [DEVICE]} for a, b in regions]
        return outcome(lambda result: allocator.compare_allocators(result, report, oracle)).unexplained

    def test_states(self):
        self.assertEqual(self.found([(0xf000, 0x10fff, "live"), (0x20000, 0x20fff, "cached")]), [])
        self.assertIn("is live, the hardware maps none", self.found([(0xf000, 0x10fff, "live"), (0x20000, 0x20fff, "live")])[0])
        for state in allocator.EMPTY:
            self.assertIn(f"is {state}, the hardware maps some", self.found([(0xf000, 0x10fff, state)])[0])

    def test_reserved(self):
        window = (0x80000, 0xfffff, "reserved")
        self.assertEqual(self.found([(0xf000, 0x10fff, "live"), window]), [])
        self.assertEqual(self.found([(0xf000, 0x10fff, "reserved"), window], regions=[(0xf000, 0x10fff)]), [])
        self.assertIn("no firmware region is there", self.found([(0xf000, 0x10fff, "reserved")])[0])
        self.assertIn("no firmware region is there", self.found([(0xf000, 0x10fff, "reserved")], regions=[(0xf000, 0xffff)])[0])

    def test_unallocated(self):
        self.assertEqual(self.found([(0xf000, 0xffff, "live")], [(0x10000, 0x10fff)]), [])
        self.assertIn("mapped outside all nodes", self.found([(0xf000, 0xffff, "live")])[0])
        self.assertIn("mapped outside all nodes", self.found([(0xf000, 0x10fff, "live")], [(0x10000, 0x10fff)])[0])

    def test_outside(self):
        self.assertEqual(allocator.outside([(0, 10), (20, 30)], [(2, 4), (8, 22), (29, 40)]), [(0, 2), (4, 8), (22, 29)])


class Addresses(unittest.TestCase):
    ORACLE = tables(context(DEVICE), runs=(("0xf000", "0x2000", "0x5000"), ("0x11000", "0x1000", "0x9000"), ("0x20000", "0x1000", "0x100000000")))

    def setUp(self):
        for row in self.ORACLE["domains"]:
            row["levels"] = 4

    def owners(self, *rows):
        reaches = [{"translation": "second-stage", "iova": hex(iova), "iovaEnd": hex(iova + length - 1), "physical": hex(physical), "access": access,
                    "devices": [{"device": DEVICE, "pasid": None}]} for iova, length, physical, access in rows]
        return outcome(lambda result: addresses.compare_owners(result, {"ranges": [{"reaches": reaches}]}, self.ORACLE)).unexplained

    def test_owners(self):
        whole = [(0xf000, 0x1000, 0x5000, "rw"), (0x10000, 0x1000, 0x6000, "rw"), (0x11000, 0x1000, 0x9000, "rw"), (0x20000, 0x1000, 1 << 32, "rw")]
        self.assertEqual(self.owners(*whole), [])
        self.assertIn("only in the walk", self.owners(*whole[:3])[0])
        self.assertIn("only in the answer", self.owners(*whole, (0x30000, 0x1000, 0x5000, "r"))[0])
        self.assertEqual(addresses.everything(self.ORACLE), ["0x0-0xffffffff", "0x100000000-0x1ffffffff"])

    def test_translations(self):
        (device, pasid, asked, runs), = addresses.questions(self.ORACLE)
        self.assertEqual((device, pasid, asked), (DEVICE, None, [0xefff, 0xf000, 0x10fff, 0x11000, 0x11fff, 0x12000, 0x1ffff, 0x20000, 0x20fff, 0x21000]))

        def found(change=lambda rows: None):
            rows = [{"iova": hex(address), "outcome": "not-mapped", "physical": None} if addresses.lookup(runs, address) is None else
                    {"iova": hex(address), "outcome": "mapped", "physical": hex(addresses.lookup(runs, address))} for address in asked]
            change(rows)
            return outcome(lambda result: addresses.compare_translations(result, device, asked, runs, {"translations": rows})).unexplained
        self.assertEqual(found(), [])
        self.assertIn("the walk has 0x5000", found(lambda rows: rows[1].update(outcome="interrupt", physical=None))[0])
        self.assertIn("the walk has no page", found(lambda rows: rows[0].update(outcome="mapped", physical="0x1"))[0])
        self.assertIn("has no answer", found(lambda rows: rows.pop())[0])


class Faults(unittest.TestCase):
    def found(self, rows, *lines, console=False):
        record = takeover.Record([root(OLD), *lines, root(NEW)], OLD, NEW)
        document = {"log": {"faults": len(rows)}, "faults": rows}
        return outcome(lambda result: matrix.compare_faults(result, document, record, console)).unexplained

    def test_faults(self):
        row = {"device": DEVICE, "iova": "0x2000", "kind": "read", "reason": {"code": "0x6"}}
        self.assertEqual(self.found([row], fault(0x2040, 6)), [])
        self.assertEqual(self.found([]), [])
        self.assertIn("raised none before", self.found([row])[0])
        self.assertIn("raised none there", self.found([row], fault(0x7000, 6))[0])
        self.assertIn("reason 0x6 in the log, the unit raised 0x2", self.found([row], fault(0x2000, 2))[0])
        self.assertIn("found none in the log", self.found([], fault(0x2000, 6), console=True)[0])


class Past(unittest.TestCase):
    def queue(self, *raw, taken=((1, 0), (2, 0), (3, 7), (4, 0), (9, 9))):
        rows = [{"unit": "dmar0", "age": len(raw) - number, "raw": [hex(low), hex(high)]} for number, (low, high) in enumerate(raw)]
        result = outcome(lambda result: past.compare_queue(result, {"invalidations": rows[::-1]}, list(taken)))
        return result.unexplained, result.sections.get("queue")

    def test_the_queue_is_a_stretch_of_what_the_unit_took(self):
        self.assertEqual(self.queue((2, 0), (3, 7), (4, 0)), ([], {"descriptors agreed": 3, "taken later, by the crash kernel": 1}))
        self.assertIn("the newest 1 agree at best", self.queue((3, 0), (4, 0))[0][0])
        self.assertIn("the newest 0 agree at best", self.queue((4, 0), (5, 0))[0][0])
        self.assertEqual(self.queue(), ([], None))

    def test_descriptors_end_with_the_new_root(self):
        line = "vtd_inv_desc invalidate desc type wait high 0x7 low 0x25"
        self.assertEqual(past.descriptors([root(OLD), line, "vtd_inv_desc_wait_sw x", root(NEW), line], NEW), [(0x25, 7)])

    def test_events(self):
        console = ["LAB: trace", "# tracer: nop", "    init-1       [000] d.s2.    26.408122: qi_submit: iotlb_inv dmar0: 0xa00e2  0x0",
                   "[   26.669337] DMAR: DRHD: handling fault status reg 2", "LAB: trace end", "[ 27.000000] x: y: z"]
        row = {"time": 26408121791, "name": "qi_submit", "text": "iotlb_inv dmar0: 0xa00e2 0x0"}

        def found(*rows):
            return outcome(lambda result: past.compare_events(result, {"events": list(rows)}, console)).unexplained
        self.assertEqual(found(row), [])
        self.assertIn("the ring has not", found({**row, "text": "iotlb_inv dmar0: 0xb00e2 0x0"})[0])
        self.assertIn("the ring has not", found({**row, "time": 26408120000})[0])
        self.assertIn("newer than the last", found(row, {**row, "time": 27000000000})[0])


class Findings(unittest.TestCase):
    REPORT = {"findings": [{"rule": "a.b", "severity": "warning", "device": None, "unit": "dmar0", "message": "m"}]}

    def test_a_clean_guest_has_none(self):
        self.assertEqual(outcome(lambda result: matrix.compare_findings(result, {"findings": []}, None)).unexplained, [])
        self.assertEqual(outcome(lambda result: matrix.compare_findings(result, self.REPORT, None)).unexplained, ["warning a.b dmar0: m"])

    def test_a_planted_fault_allows_its_rules_and_may_demand_them(self):
        planted = {"planted": "p", "findings": ["a.b"], "required": ["c.d"]}
        self.assertEqual(outcome(lambda result: matrix.compare_findings(result, self.REPORT, planted)).unexplained,
                         ["no finding c.d, although the guest was given a reason for it: p"])


class Guests(unittest.TestCase):
    CONSOLE = """Command line: console=ttyS0 intel_iommu=on iommu.strict=1
smp: Brought up 1 node, 2 CPUs
iommu: DMA domain TLB invalidation policy: strict mode
LAB: boot Linux version 6.1.0-1-amd64 (cc) #1 SMP
LAB: group 0 type=DMA devs=0000:00:02.0  resv=
[   20.1] Kernel panic - not syncing: sysrq triggered crash
Command line: elfcorehdr=0x1e000000 console=ttyS0 labrole=crash intel_iommu=on
LAB: boot Linux version 6.1.0-1-amd64 (cc) #1 SMP
LAB: crash /sys/class/iommu/dmar0/intel-iommu/domains_used = 7
"""

    def folder(self, **files):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name, text in files.items():
            with open(os.path.join(folder.name, name.replace("__", ".").replace("_d_", "-")), "w") as file:
                file.write(text)
        return folder.name

    def test_console(self):
        registers = json.dumps({"0x8": hex(38 << 16 | 1 << 7), "0x20": "0x1000"})
        one = guest.Guest(self.folder(console__log=self.CONSOLE, crash__vtd_d_regs__json=registers))
        self.assertEqual((one.release, one.banners[0]), ("6.1.0-1-amd64", "Linux version 6.1.0-1-amd64 (cc) # SMP"))
        self.assertEqual(one.crash_command_line, "elfcorehdr=0x1e000000 console=ttyS0 labrole=crash intel_iommu=on")
        self.assertEqual((one.panic, one.crash_domains_used()), ("sysrq triggered crash", {"dmar0": 7}))

        def panic(release, text):
            report = {"dump": {"release": release, "panic": text}}
            return outcome(lambda result: matrix.compare_panic(result, report, one)).unexplained
        self.assertEqual(panic("6.1.0-1-amd64", "sysrq triggered crash"), [])
        self.assertIn("panic is None", panic("6.1.0-1-amd64", None)[0])
        self.assertIn("release is 5.4", panic("5.4", "sysrq triggered crash")[0])
        self.assertEqual(len([line for line in one.first if "LAB: boot" in line]), 1)
        self.assertEqual(guest.label(one.mode(tables(context(DEVICE)))), "legacy second strict 39-bit caching-mode 2 cpus")
        self.assertEqual(guest.missing(one), ["crash.elf", "live.vtd-regs.json", "qemu-trace.log"])

    def test_the_version_line_of_a_vmlinux(self):
        path = os.path.join(self.folder(), "vmlinux")
        with open(path, "wb") as file:
            file.write(b"x" * 5000 + b"Linux version %s (%s)\0 Linux version 6.1.0-1-amd64 (cc) #1 SMP\n\0")
        self.assertEqual(guest.banners(path), {"Linux version 6.1.0-1-amd64 (cc) # SMP"})
        with open(path, "ab") as file:
            file.write(b"\0Linux version 6.1.0-1-amd64 (cc) #1 SMP Fri Nov 27\0")
        self.assertEqual(guest.banners(path), {"Linux version 6.1.0-1-amd64 (cc) # SMP", "Linux version 6.1.0-1-amd64 (cc) # SMP Fri Nov 27"})


class Whole(unittest.TestCase):
    """The matrix over one small machine, with a program that says what it is told to."""

    def machine(self, folder):
        pages = {OLD: {0: 0x2001}, 0x2000: {0x20: 0x3001, 0x21: 0x502}, 0x3000: {0: 0x4003}, 0x4000: {0: 0x5003}, 0x5000: {0: 0x6003},
                 0x6000: {0xf: 0x20003}, NEW: {0: 0xa001}, 0xa000: {0x20: 0x3001, 0x21: 0x502}}
        body, headers = bytearray(4096), b""
        for address, words in pages.items():
            headers += struct.pack("<IIQQQQQQ", 1, 7, len(body), 0, address, 4096, 4096, 0)
            page = bytearray(4096)
            for index, word in words.items():
                struct.pack_into("<Q", page, 8 * index, word)
            body += page
        head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 4, 62, 1, 0, len(body), 0, 0, 64, 56, len(pages), 0, 0, 0)
        body[:len(head)] = head
        with open(os.path.join(folder, "crash.elf"), "wb") as file:
            file.write(body + headers)
        for moment, address in (("live", OLD), ("crash", NEW)):
            with open(os.path.join(folder, f"{moment}.vtd-regs.json"), "w") as file:
                json.dump({"0x8": "0x2f0000", "0x10": "0x0", "0x18": hex(1 << 63), "0x20": hex(address)}, file)
        with open(os.path.join(folder, "console.log"), "w") as file:
            file.write("LAB: boot Linux version 6.1.0 (cc)\nLAB: /sys/class/iommu/dmar0/intel-iommu/domains_used = 1\n"
                       "LAB: group 0 type=DMA-FQ devs=0000:00:02.0  resv=0x00000000fee00000 0x00000000feefffff msi;\nLAB: boot Linux version 6.1.0 (cc)\n")
        with open(os.path.join(folder, "qemu-trace.log"), "w") as file:
            file.write("\n".join([root(OLD), translated(0xf000, 0x20000), root(NEW), translated(0xf000, 0x20000)]) + "\n")
        open(os.path.join(folder, "vmcore"), "w").close()

    def documents(self):
        row = {"unit": "dmar0", "device": DEVICE, "pasid": None, "translation": "second-stage", "domainID": 5, "levels": 4, "table": "0x3000",
               "faultProcessingDisabled": False, "raw": ["0x3001", "0x502"]}
        domain = {"unit": "dmar0", "domainID": 5, "type": "dma-fq", "kernelObject": "0x1", "stage": "second", "table": "0x3000", "levels": 4,
                  "devices": [DEVICE], "inFlight": True, "mapping": {"leaves": 1, "bytes": 4096, "runs": [
                      {"iova": "0xf000", "length": "0x1000", "physical": "0x20000", "access": "rw"}]},
                  "iova": {"allocated": [{"start": "0xf000", "end": "0xffff", "state": "live"}], "unallocated": []}}
        report = {"dump": {"format": "elf", "release": "6.1.0", "typesFrom": "btf", "panic": None},
                  "units": [{"name": "dmar0", "segment": 0, "capability": "0x2f0000", "extendedCapability": "0x0", "tableMode": "legacy",
                             "rootTable": "0x1000", "translationEnabled": True, "interruptRemappingEnabled": False, "rootFrom": "kernel",
                             "domainIDs": {"supported": 65536, "used": [5]}}],
                  "contexts": [row], "domains": [domain],
                  "devices": [{"device": DEVICE, "unit": "dmar0", "domainID": 5, "group": 0, "driver": "e1000e"}],
                  "reservedRegions": [{"kind": "msi", "base": "0xfee00000", "end": "0xfeefffff", "devices": []}], "findings": []}
        inherit = {"policies": [{"policy": "linux", "verdict": "safe", "devices": forecast(), "units": [
            {"unit": "dmar0", "roots": [{"bus": 0, "half": None, "old": "0x2001", "new": "+0x1001"}],
             "contexts": [{"device": DEVICE, "old": ["0x3001", "0x502"], "new": ["0x3001", "0x502"]}],
             "domainIDs": {"reserved": [0, 5], "firstFree": 1}}]}]}
        owners = {"ranges": [{"reaches": [{"translation": "second-stage", "iova": "0xf000", "iovaEnd": "0xffff", "physical": "0x20000", "access": "rw",
                                           "devices": [{"device": DEVICE, "pasid": None}]}]}]}
        translate = {"translations": [{"iova": hex(address), "outcome": "mapped" if 0xf000 <= address < 0x10000 else "not-mapped",
                                       "physical": hex(address + 0x11000)} for address in (0xefff, 0xf000, 0xffff, 0x10000)]}
        return {"report": report, "inherit": inherit, "history": {"events": [], "invalidations": []}, "owners": owners, "translate": translate, "faults": {"log": {"faults": 0}, "faults": []}}

    def matrix(self, change=lambda documents: None, containers=("vmcore",)):
        documents = self.documents()
        change(documents)

        class Tool:
            def run(self, verb, *arguments):
                return documents[verb], 0, "", 0.0
        with tempfile.TemporaryDirectory() as folder:
            place = os.path.join(folder, "one")
            os.mkdir(place)
            self.machine(place)
            return matrix.survey(Tool(), guest.guests(folder), {}, containers, 20)

    def test_a_real_program_is_run(self):
        with tempfile.TemporaryDirectory() as folder:
            binary = os.path.join(folder, "program")
            with open(binary, "w") as file:
                file.write(f"#!{sys.executable}\nimport json, sys\nprint('a warning', file=sys.stderr)\n"
                           "json.dump(sys.argv[1:-1], open(sys.argv[-1], 'w'))\nsys.exit(1)\n")
            os.chmod(binary, os.stat(binary).st_mode | stat.S_IXUSR)
            document, status, said, _ = matrix.Tool(binary, 60).run("translate", "dump", "0x1000")
        self.assertEqual((document, status, said), (["translate", "dump", "0x1000", "--format", "json", "--output"], 1, "a warning"))

    def test_agreement_in_every_section(self):
        document = self.matrix(containers=())
        self.assertEqual([row for cell in document["cells"] for row in cell["disagreements"]], [])
        self.assertEqual([cell["container"] for cell in document["cells"]], ["vmcore", "crash.elf"])
        self.assertEqual(set(document["cells"][0]["compared"]), set(matrix.SECTIONS) - {"guess"})
        text = io.StringIO()
        matrix.show(document, True, text)
        self.assertIn("contexts 1, runs 1, traced pages 1", text.getvalue())
        self.assertIn("2 cells, 2 without a disagreement", text.getvalue())

    def test_each_section_notices(self):
        def wrong(section, change):
            found = {row["section"] for cell in self.matrix(change)["cells"] for row in cell["disagreements"]}
            self.assertIn(section, found)
        wrong("tables", lambda d: d["report"]["contexts"][0].update(domainID=6))
        wrong("tables", lambda d: d["report"]["domains"][0]["mapping"]["runs"][0].update(physical="0x21000"))
        wrong("guest", lambda d: d["report"]["devices"][0].update(group=3))
        wrong("guest", lambda d: d["report"]["reservedRegions"].clear())
        wrong("trace", lambda d: d["report"]["domains"][0]["mapping"]["runs"][0].update(physical="0x21000"))
        wrong("allocator", lambda d: d["report"]["domains"][0]["iova"]["allocated"][0].update(state="cached"))
        wrong("addresses", lambda d: d["translate"]["translations"][1].update(physical="0x1"))
        wrong("addresses", lambda d: d["owners"]["ranges"].clear())
        wrong("words", lambda d: d["inherit"]["policies"][0]["units"][0]["contexts"][0].update(new=["0x3001", "0x602"]))
        wrong("fates", lambda d: d["inherit"]["policies"][0]["devices"][0]["at"].update(T2="blocked"))
        wrong("faults", lambda d: d["faults"]["log"].update(faults=1))
        wrong("history", lambda d: d["history"]["invalidations"].append({"unit": "dmar0", "age": 1, "raw": ["0x25", "0x7"]}))
        wrong("findings", lambda d: d["report"]["findings"].append({"rule": "a.b", "severity": "info", "message": "m"}))

    def test_carved_tables_are_compared_and_are_not_enough(self):
        def carved(root="0x1000", domain=5):
            def change(documents):
                documents["report"]["units"][0].update(rootFrom="carved", name="carved0", rootTable=root)
                documents["report"]["contexts"][0].update(unit="carved0", domainID=domain)
            cell, = self.matrix(change)["cells"]
            return [row["text"] for row in cell["disagreements"]], set(cell["compared"])
        self.assertEqual(carved(), (["the kernel's structures could not be read; nothing but carved tables was compared"], {"tables"}))
        self.assertIn("was not carved", carved(root="0x9000")[0][1])
        self.assertEqual(len(carved(domain=6)[0]), 2)

    def test_a_document_without_its_keys_is_a_disagreement(self):
        found = {row["section"] for cell in self.matrix(lambda d: d["report"].pop("findings"))["cells"] for row in cell["disagreements"]}
        self.assertEqual(found, {"findings"})

    def test_a_program_that_fails_is_a_disagreement(self):
        with tempfile.TemporaryDirectory() as folder:
            place = os.path.join(folder, "one")
            os.mkdir(place)
            self.machine(place)
            document = matrix.survey(matrix.Tool("/bin/false", 60), guest.guests(folder), {}, (), 20)
        self.assertEqual(document["totals"], {"guests": 1, "cells": 2, "clean": 0, "disagreements": 2})

    def test_the_support_table_has_a_row_for_each_kernel_and_mode(self):
        document = self.matrix(containers=())
        (row,) = support.rows(document)
        self.assertEqual(row[:4], ("6.1.0", "legacy second lazy", "ELF, image", "own"))
        self.assertEqual((row[4], row[5], row[-1]), ("1", "1", "none"))
        found = support.put("a\n" + support.BEGIN + "old\n" + support.END + "b\n", support.table(document))
        self.assertTrue(found.startswith("a\n") and found.endswith("b\n") and "old" not in found)
        self.assertIn("1 guests, 2 cells, of which 2 have no disagreement.", found)


class Torn(unittest.TestCase):
    def report(self, **changes):
        row = {**context(DEVICE), "pasid": None}
        node = {"start": "0xf000", "end": "0xffff", "state": "live"}
        domain = {"domainID": 5, "table": "0x3000", "kernelObject": "0x1", "iova": {"allocated": [node], "unallocated": []},
                  "mapping": {"leaves": 2, "runs": [{"iova": "0xf000", "length": "0x2000", "physical": "0x5000", "access": "rw"}]}}
        return {"dump": {"panic": "p", "release": "6.1", "crashTime": 1}, "contexts": [row], "domains": [domain], "reservedRegions": [],
                "units": [{"name": "dmar0", "registerBase": "0xfed90000", "rootFrom": "kernel", "rootTable": "0x1000", "tableMode": "legacy",
                           "translationEnabled": True, "capability": "0x0", "extendedCapability": "0x0"}],
                "devices": [{"device": DEVICE, "unit": "dmar0", "domainID": 5, "group": 0, "driver": "e1000e"}], "findings": [],
                "faults": None, "observations": [], "notJudged": [], "cuts": [], **changes}

    def found(self, **changes):
        return torn.lies(torn.Whole(self.report()), self.report(**changes))

    def test_a_part_may_lack_and_may_not_add(self):
        self.assertEqual(self.found(), ([], {}))
        self.assertEqual(self.found(contexts=[])[1], {"contexts": 1})
        self.assertIn("is not in the whole dump", self.found(contexts=[context("0000:00:03.0")])[0][0])
        mapping = lambda *run: [{**self.report()["domains"][0], "mapping": {"leaves": 1, "runs": [
            dict(zip(("iova", "length", "physical", "access"), run))]}}]
        self.assertEqual(self.found(domains=mapping("0x10000", "0x1000", "0x6000", "rw")), ([], {"leaves": 1}))
        for run in (("0x10000", "0x1000", "0x5000", "rw"), ("0xf000", "0x1000", "0x5000", "r"), ("0xf000", "0x3000", "0x5000", "rw")):
            self.assertIn("run", self.found(domains=mapping(*run))[0][0])
        device = {**self.report()["devices"][0], "group": None}
        self.assertEqual(self.found(devices=[device])[1], {"device group": 1})
        self.assertIn("group 3", self.found(devices=[{**device, "group": 3}])[0][0])

    def test_only_admissions_are_new_findings(self):
        finding = {"rule": "dump.incomplete", "device": None, "message": "m"}
        self.assertEqual(self.found(findings=[finding])[0], [])
        self.assertIn("domain.references", self.found(findings=[{**finding, "rule": "domain.references"}])[0][0])
        self.assertTrue(torn.announced(self.report(findings=[finding])))
        self.assertFalse(torn.announced(self.report()))

    def test_cuts_are_within_the_file(self):
        points = torn.points(100000, 50, __import__("random").Random(1))
        self.assertTrue(len(points) >= 45 and points == sorted(points, reverse=True) and 0 <= points[-1] and points[0] < 100000)

    def test_the_stream_format(self):
        with tempfile.TemporaryDirectory() as folder:
            source, target = os.path.join(folder, "a"), os.path.join(folder, "b")
            with open(source, "wb") as file:
                file.write(b"KDUMP" * 1000)
            torn.flatten(source, target, 4096)
            with open(target, "rb") as file:
                data = file.read()
        self.assertEqual(data[:12] + data[4096:4112], b"makedumpfile" + struct.pack(">qq", 0, 4096))
        self.assertEqual(data[-16:], struct.pack(">qq", -1, -1))


class Debugfs(unittest.TestCase):
    def test_lines(self):
        ours = debugfs.sections("==> a <==\n Base: 0x1000\tHead: ?\tTail: ?\nx\n\n==> b <==\ny\n")
        self.assertEqual(ours, {"a": [" Base: 0x1000\tHead: ?\tTail: ?", "x"], "b": ["y"]})
        self.assertEqual(list(debugfs.differences(ours["a"], [" Base: 0x1000\tHead: 12\tTail: 12", "x"])), [])
        self.assertEqual(len(list(debugfs.differences(ours["a"], [" Base: 0x2000\tHead: 12\tTail: 12", "x"]))), 1)
        self.assertEqual(len(list(debugfs.differences(["y"], ["y", "z"]))), 1)
        self.assertFalse(debugfs.same("a?b", "axb"))


class Damage(unittest.TestCase):
    def test_the_ways_of_damage_are_those_of_the_fleet(self):
        fleet = damaged.fleet()
        self.assertEqual((fleet.PAGE, len(fleet.VERBS)), (4096, 7))

    def test_the_pages_that_peers_are_asked_for_are_those_of_tables(self):
        report = {"units": [{"rootTable": "0x2000"}, {"rootTable": None}],
                  "contexts": [{"entry": "0x3010"}, {"entry": "0x3020"}], "domains": [{"table": "0x1000"}, {"table": None}]}
        self.assertEqual(damaged.tables(report), [0x1000, 0x2000, 0x3000])
        self.assertEqual(damaged.tables(report, limit=1), [0x1000])

    def test_what_the_log_alone_says_is_held_against_the_log(self):
        peer = damaged.Makedumpfile(argparse.Namespace(), None)
        peer.sound, peer.words = ("filtered", "log"), ""
        for answer, outcome in (((0, ("log",), ""), "same"), ((0, ("other",), ""), "silent"), ((0, ("other",), "error"), "said"),
                                ((1, (None,), ""), "refused"), ((0, (None, "log"), ""), "refused"), ((-11, None, ""), "signal 11")):
            peer.ask = lambda path, answer=answer: answer
            self.assertEqual(peer.judge("dump"), outcome)


if __name__ == "__main__":
    unittest.main()
