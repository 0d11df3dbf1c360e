#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare a report with independent witnesses of the same machine.

usage: compare.py REPORT.json HARDWARE.json [--console FILE] [--trace FILE] [--kernel DRGN.json] [--incomplete] [--output FILE]

REPORT.json is what `iommuscope report --format json` wrote. HARDWARE.json is the output of hardware.py for the same moment: the
panicked kernel's root table in the image that the crash kernel left. Every context and every run must agree.

  --console   the guest's console: domain-ids in use, groups with their types and devices, reserved regions
  --trace     QEMU's trace of the emulated unit: every address that it translated before the crash kernel switched the root pointer
  --kernel    the output of drgn_walk.py: domain-ids, devices, domains and the ranges in the IOVA allocators with their states

The trace goes on while the crash kernel runs. It is used from the last write of the report's root pointer up to the next
root-pointer write. Drivers map an IOVA many times, so only its last translation counts. If it is still mapped it must lead to the
same page, unless the trace holds an invalidation that covers it afterwards: then the IOVA was unmapped and mapped anew after its last
use. If it is no longer mapped it is `gone`: either invalidated, or still waiting for that in a flush queue. Addresses that faulted
are counted by whether they are mapped now; no conclusion is drawn from that.

Prints one JSON document with the counts of every comparison, `explanations` for what differs for a known reason and `unexplained`
for the rest. Exit status 0 if nothing is unexplained, 1 otherwise, 2 if a file could not be read.
"""
import argparse
import bisect
import json
import re
import sys

CONTEXT_FIELDS = ("translation", "domainID", "levels", "table", "faultProcessingDisabled", "raw")
UNIT_FIELDS = ("capability", "extendedCapability", "tableMode", "rootTable", "translationEnabled", "interruptRemappingEnabled")
ISA_END = 0xFFFFFF


class Result:
    def __init__(self, limit, incomplete):
        self.incomplete = incomplete
        self.sections, self.explanations, self.unexplained, self.limit, self.dropped = {}, [], [], limit, 0

    def count(self, section, name, by=1):
        counts = self.sections.setdefault(section, {})
        counts[name] = counts.get(name, 0) + by

    def explain(self, text):
        if text not in self.explanations:
            self.explanations.append(text)

    def fail(self, text):
        if len(self.unexplained) < self.limit:
            self.unexplained.append(text)
        else:
            self.dropped += 1

    def pair(self, section, ours, theirs, what):
        """Compare two mappings key by key."""
        for name in ("agreed", "different", "only-in-report", "only-in-oracle"):
            self.count(section, name, 0)
        for key in sorted(ours.keys() | theirs.keys(), key=str):
            if key not in theirs:
                self.count(section, "only-in-report")
                self.fail(f"{what} {key} only in the report: {ours[key]}")
            elif key not in ours:
                self.count(section, "only-in-oracle")
                self.fail(f"{what} {key} only in the oracle: {theirs[key]}")
            elif ours[key] == theirs[key]:
                self.count(section, "agreed")
            else:
                self.count(section, "different")
                self.fail(f"{what} {key}: report {ours[key]}, oracle {theirs[key]}")

    def document(self):
        if self.dropped:
            self.unexplained.append(f"… and {self.dropped} more")
        return {**self.sections, "explanations": self.explanations, "unexplained": self.unexplained}


def read(path):
    with open(path) as file:
        return json.load(file)


def number(text):
    return None if text is None else int(text, 16)


# Tables ------------------------------------------------------------------------------------------------------------------------------

def compare_units(result, report, oracle):
    def table(document):
        return {(unit["name"], field): unit[field] for unit in document["units"] for field in UNIT_FIELDS}
    result.pair("units", table(report), table(oracle), "unit")


def compare_contexts(result, report, oracle):
    def table(document):
        return {(row["unit"], row["device"], row["pasid"]): {field: row[field] for field in CONTEXT_FIELDS} for row in document["contexts"]}
    result.pair("contexts", table(report), table(oracle), "context")
    for name, document in (("report", report), ("oracle", oracle)):
        if len(document["contexts"]) != len(table(document)):
            result.fail(f"{name} has two rows of one context")


def domain_rows(document, used):
    return {(row["unit"], row["domainID"], row["table"]): row for row in document["domains"]
            if row["unit"] is not None and row["domainID"] is not None and (row["unit"], row["domainID"], row["table"]) in used}


def context_keys(document):
    return {(row["unit"], row["domainID"], row["table"]) for row in document["contexts"] if row["translation"] != "none"}


def compare_domains(result, report, oracle):
    used = context_keys(report) | context_keys(oracle)
    ours, theirs = domain_rows(report, used), domain_rows(oracle, used)

    def table(rows):
        return {key: {"stage": row["stage"], "levels": row["levels"], "devices": sorted(row["devices"]),
                      "leaves": row["mapping"] and row["mapping"]["leaves"], "bytes": row["mapping"] and row["mapping"]["bytes"]}
                for key, row in rows.items()}
    result.pair("domains", table(ours), table(theirs), "domain")
    for name in ("agreed", "only-in-report", "only-in-oracle"):
        result.count("runs", name, 0)
    for key in sorted(ours.keys() & theirs.keys(), key=str):
        left, right = ours[key]["mapping"], theirs[key]["mapping"]
        if left is None or right is None:
            if left is not right:
                result.fail(f"domain {key}: mapping is {'null' if left is None else 'present'} in the report only")
            continue
        left, right = ([(run["iova"], run["length"], run["physical"], run["access"]) for run in side["runs"]] for side in (left, right))
        result.count("runs", "agreed", len(set(left) & set(right)))
        for run in left:
            if run not in set(right):
                result.count("runs", "only-in-report")
                result.fail(f"domain {key}: run {run} only in the report")
        for run in right:
            if run not in set(left):
                result.count("runs", "only-in-oracle")
                result.fail(f"domain {key}: run {run} only in the oracle")
        if set(left) == set(right) and left != right:
            result.fail(f"domain {key}: the runs are the same but in another order, or one is repeated")


# Console -----------------------------------------------------------------------------------------------------------------------------

def first_kernel(path):
    """The console up to the crash kernel's first line."""
    with open(path, errors="replace") as file:
        lines = file.read().splitlines()
    boots = [index for index, line in enumerate(lines) if "LAB: boot " in line]
    return lines[:boots[1]] if len(boots) > 1 else lines


def device_domain(report, device):
    """Rows of `domains` that hold the device's requests without PASID, by its contexts first, then by the kernel's belief."""
    for row in report["contexts"]:
        if row["device"] == device and row["pasid"] in (None, 0) and row["translation"] != "none":
            for domain in report["domains"]:
                if (domain["unit"], domain["domainID"], domain["table"]) == (row["unit"], row["domainID"], row["table"]):
                    return domain
    return next((domain for domain in report["domains"] if device in domain["devices"]), None)


def merged(whole, regions):
    """The regions that Linux lists as this one, or nothing: it joins those that overlap, when they are of one type
    (drivers/iommu/iommu.c, iommu_insert_resv_region); to it the floppy's region and an RMRR both are `direct`."""
    _, low, high = whole
    parts = {row for row in regions if row[0] in ("isa", "rmrr") and low <= row[1] and row[2] <= high}
    reached = low - 1
    for _, first, last in sorted(parts, key=lambda row: row[1:]):
        # Where the first begins, and behind that where the next one overlaps.
        if first != low and first > reached:
            return set()
        reached = max(reached, last)
    return parts if whole[0] == "rmrr" and len(parts) > 1 and reached == high else set()


def compare_console(result, report, lines):
    text = "\n".join(lines)
    groups, regions = {}, {}
    for group, kind, devices, reserved in re.findall(r"LAB: group (\d+) type=(\S*) devs=(.*?)  ?resv=(.*)", text):
        members = devices.split()
        for device in members:
            groups[device] = {"group": int(group), "type": kind.lower() or None}
        found = set()
        for low, high, what in re.findall(r"0x([0-9a-f]+) 0x([0-9a-f]+) ([\w-]+)", reserved):
            low, high = int(low, 16), int(high, 16)
            name = {"msi": "msi", "reserved": "other"}.get(what)
            found.add((name or ("isa" if (low, high) == (0, ISA_END) and what == "direct-relaxable" else "rmrr"), low, high))
        regions[int(group)] = (members, found)
    # Kernels before 4.20 have no such file; they attach devices when a driver first maps something, and list no floppy's region.
    has_types = not groups or any(row["type"] for row in groups.values())
    # Those before 4.11 do not list the regions either; since then every group has the range of the MSIs.
    has_regions = has_types or any(found for _, found in regions.values())
    unplugged = set()
    for device in groups:
        if not any(row["device"] == device for row in report["devices"]) and not any(row["device"] == device for row in report["contexts"]):
            unplugged.add(device)
            result.explain(f"{device} was on the console but is neither a device nor a context at the panic: it was taken away in between")
            result.count("groups", "taken-away")
    away = sum(1 for members, _ in regions.values() if members and not set(members) - unplugged)
    for unit, used in re.findall(r"LAB: /sys/class/iommu/(\w+)/intel-iommu/domains_used = (\d+)", text):
        row = next((row for row in report["units"] if row["name"] == unit), None)
        ids = row["domainIDs"]["used"] if row else None
        if ids is None:
            result.fail(f"{unit}: no domain-ids in the report, the console has {used}")
        elif len(ids) == int(used):
            result.count("domainIDs", "agreed", len(ids))
        elif len(set(ids) - {0, 1}) == int(used) or len(set(ids) | {0, 1}) == int(used):
            result.count("domainIDs", "agreed", len(set(ids) - {0, 1}))
            result.explain(f"{unit}: the console counts {used} domain-ids and the report {len(ids)}; the reserved ids 0 and 1 are counted by one only")
        elif len(ids) + away == int(used):
            result.count("domainIDs", "agreed", len(ids))
            result.explain(f"{unit}: the console counted {used} domain-ids, the report has {len(ids)}: {away} group(s) were taken away in between")
        elif not has_types and len(ids) > int(used):
            result.count("domainIDs", "agreed", int(used))
            result.explain(f"{unit}: the console counted {used} domain-ids before the network came up, the report has {len(ids)}")
        else:
            result.fail(f"{unit}: {len(ids)} domain-ids in the report {ids}, {used} on the console")
    ours = {}
    if result.incomplete:
        known = {row["device"] for row in report["devices"] if row["group"] is not None}
        for device in sorted(groups.keys() - known - unplugged):
            result.explain(f"{device}: the dump lacks what links the device to its group")
            result.count("groups", "unknown")
            unplugged.add(device)
    for row in report["devices"]:
        if row["group"] is not None:
            domain = device_domain(report, row["device"])
            kind = domain["type"] if domain else None
            if kind in ("unmanaged", "blocked") and (row["driver"] or "").startswith("vfio"):
                # sysfs tells the type of the group's default domain; a driver of user space holds the device in another one.
                result.explain(f"{row['device']}: {row['driver']} holds it in an {kind} domain, the console tells the group's default domain")
                kind = groups.get(row["device"], {}).get("type")
            ours[row["device"]] = {"group": row["group"], "type": kind if has_types else None}
    for device, row in ours.items():
        if row["type"] == "dma" and groups.get(device, {}).get("type") == "dma-fq":
            row["type"] = "dma (console: dma-fq)"
    result.pair("groups", ours, {device: row for device, row in groups.items() if device not in unplugged}, "group of")
    if not has_regions:
        result.explain("the kernel lists no reserved regions: those of the report are not compared with the console")
        regions = {}
    for group, (members, found) in sorted(regions.items()):
        members = [device for device in members if device not in unplugged or result.incomplete]
        if not members:
            continue
        reported = set()
        for row in report["reservedRegions"]:
            if set(row["devices"]) & set(members) or (row["kind"] == "msi" and not row["devices"]):
                reported.add((row["kind"], number(row["base"]), number(row["end"])))
        result.count("reservedRegions", "agreed", len(reported & found))
        for whole in sorted(found - reported):
            if parts := merged(whole, reported):
                result.explain(f"group {group}: the kernel lists overlapping regions as one, {whole[1]:#x}-{whole[2]:#x}")
                result.count("reservedRegions", "agreed", len(parts - found))
                found, reported = found - {whole}, reported - (parts - found)
        shown = {f"{kind} {low:#x}-{high:#x}" for kind, low, high in reported}, {f"{kind} {low:#x}-{high:#x}" for kind, low, high in found}
        for text in sorted(shown[0] - shown[1]):
            if text.startswith("isa ") and not has_types:
                result.explain(f"group {group}: the kernel maps {text} and does not list it")
                continue
            result.fail(f"group {group}: reserved region {text} only in the report")
        for text in sorted(shown[1] - shown[0]):
            result.fail(f"group {group}: reserved region {text} only on the console")


# Trace -------------------------------------------------------------------------------------------------------------------------------

class Trace:
    """Last translation of every (device, IOVA page), and the invalidations, between two root-pointer writes."""

    TRANSLATE = re.compile(r"vtd_dmar_translate dev ([0-9a-f]+):([0-9a-f]+)\.([0-9a-f]+) iova 0x([0-9a-f]+) -> gpa 0x([0-9a-f]+) mask 0x([0-9a-f]+)")
    ROOT = re.compile(r"vtd_reg_dmar_root addr 0x([0-9a-f]+)")
    FAULT = re.compile(r"vtd_dmar_fault sid 0x([0-9a-f]+) fault \S+ addr 0x([0-9a-f]+)")
    DESCRIPTOR = re.compile(r"vtd_inv_desc invalidate desc type (\S+) high 0x([0-9a-f]+) low 0x([0-9a-f]+)")

    def __init__(self, path, root, segment):
        with open(path, errors="replace") as file:
            lines = file.read().splitlines()
        writes = [(index, int(self.ROOT.search(line)[1], 16) & ~0xFFF) for index, line in enumerate(lines) if line.startswith("vtd_reg_dmar_root")]
        ours = [index for index, address in writes if address == root]
        self.found = bool(ours)
        begin = ours[-1] if ours else 0
        end = next((index for index, _ in writes if index > begin), len(lines))
        self.begin, self.end, self.events, self.faults, self.faulted = begin, end, 0, 0, set()
        self.last, self.whole, self.everything, self.pages = {}, {}, -1, {}
        for index in range(begin, end):
            line = lines[index]
            if line.startswith("vtd_dmar_translate"):
                match = self.TRANSLATE.match(line)
                if match:
                    bus, slot, function, iova, physical, mask = (int(part, 16) for part in match.groups())
                    self.events += 1
                    self.last[bus, slot, function, iova & ~0xFFF] = (index, physical & ~0xFFF | iova & mask & ~0xFFF, mask)
            elif line.startswith("vtd_inv_desc invalidate"):
                match = self.DESCRIPTOR.match(line)
                if match:
                    self.descriptor(index, match[1], int(match[2], 16), int(match[3], 16))
            elif line.startswith("vtd_dmar_fault") or line.startswith("vtd_err_dmar"):
                self.faults += 1
                match = self.FAULT.match(line)
                if match:
                    source = int(match[1], 16)
                    self.faulted.add((source >> 8, source >> 3 & 31, source & 7, int(match[2], 16) & ~0xFFF))
        self.name = lambda bus, slot, function: f"{segment:04x}:{bus:02x}:{slot:02x}.{function}"

    def descriptor(self, index, kind, high, low):
        domain, granularity = low >> 16 & 0xFFFF, low >> 4 & 3
        code = low & 0xF
        if code not in (2, 6):                        # IOTLB and PASID-based IOTLB
            return
        if granularity == 1 and code == 2:
            self.everything = index
        elif granularity == 2:
            self.whole[domain] = index
        elif granularity == 3:
            order = high & 0x3F
            start = high & ~0xFFF & ~((1 << order + 12) - 1)
            self.pages.setdefault(domain, []).append((index, start, start + (1 << order + 12)))

    def invalidated(self, after, iova, domains):
        """Whether an invalidation that covers the address came after that line."""
        if self.everything > after or any(self.whole.get(domain, -1) > after for domain in domains):
            return True
        for domain in domains:
            for index, start, end in reversed(self.pages.get(domain, ())):
                if index < after:
                    break
                if start <= iova < end:
                    return True
        return False


class Mapped:
    def __init__(self, runs):
        self.runs = sorted((number(run["iova"]), number(run["length"]), number(run["physical"])) for run in runs)
        self.starts = [run[0] for run in self.runs]

    def lookup(self, iova):
        at = bisect.bisect_right(self.starts, iova) - 1
        if at >= 0 and iova < self.runs[at][0] + self.runs[at][1]:
            return self.runs[at][2] + iova - self.runs[at][0]
        return None


def state_of(domain, iova):
    allocator = domain.get("iova")
    if not allocator:
        return "no allocator"
    if allocator.get("allocated") is None:
        return "allocator unknown"
    for row in allocator["allocated"]:
        if number(row["start"]) <= iova <= number(row["end"]):
            return row["state"]
    return "not allocated"


def compare_trace(result, report, path, open_trace=Trace):
    for unit in report["units"]:
        trace = open_trace(path, number(unit["rootTable"]), unit["segment"] or 0)
        section = f"trace-{unit['name']}"
        result.sections[section] = {"first": trace.begin + 1, "last": trace.end, "translations": trace.events, "faults": trace.faults,
                                    "faulted-pages": len(trace.faulted),
                                    "pages": len(trace.last), "agreed": 0, "gone": 0, "remapped": 0, "different": 0}
        if not trace.found:
            result.fail(f"the trace has no write of root pointer {unit['rootTable']}")
            continue
        kernel_ids = {row["device"]: row["domainID"] for row in report["devices"]}
        domains = {}
        for (bus, slot, function, iova), (index, physical, _) in sorted(trace.last.items()):
            device = trace.name(bus, slot, function)
            if device not in domains:
                context = next((row for row in report["contexts"] if row["device"] == device and row["unit"] == unit["name"]
                                and row["pasid"] in (None, 0)), None)
                domain = device_domain(report, device) if context else None
                mapped = Mapped(domain["mapping"]["runs"]) if domain and domain["mapping"] else None
                ids = {context["domainID"]} if context else set()
                if kernel_ids.get(device) is not None:
                    ids.add(kernel_ids[device])
                domains[device] = (context, domain, mapped, ids)
            context, domain, mapped, ids = domains[device]
            if context is None:
                result.count(section, "gone")
                result.count(section, "gone: device has no context any more")
                continue
            if context["translation"] == "pass-through":
                now = iova
            else:
                now = mapped.lookup(iova) if mapped else None
            if now == physical:
                result.count(section, "agreed")
            elif now is None:
                result.count(section, "gone")
                if trace.invalidated(index, iova, ids):
                    result.count(section, "gone: invalidated")
                else:
                    state = state_of(domain, iova) if domain else "no domain"
                    result.count(section, f"gone: not yet invalidated, allocator says {state}")
                    if result.incomplete and state == "allocator unknown":
                        result.explain(f"{device}: the dump lacks pages of the IOVA allocator, unmapped ranges have no state")
                    elif state != "pending":
                        result.fail(f"trace: {device} {iova:#x} is unmapped and was not invalidated, but the allocator says {state}")
            elif trace.invalidated(index, iova, ids):
                result.count(section, "remapped")
            else:
                result.count(section, "different")
                result.fail(f"trace: {device} {iova:#x} led to {physical:#x} in line {index + 1}, was not invalidated after, and leads to {now:#x} in the report")
        for bus, slot, function, iova in trace.faulted:
            domain = device_domain(report, trace.name(bus, slot, function))
            mapped = Mapped(domain["mapping"]["runs"]) if domain and domain["mapping"] else None
            result.count(section, "faulted: mapped now" if mapped and mapped.lookup(iova) is not None else "faulted: not mapped")
        if result.sections[section]["remapped"]:
            result.explain(f"{unit['name']}: {result.sections[section]['remapped']} IOVA pages lead elsewhere than at their last use; the trace has the invalidation in between")


# Kernel ------------------------------------------------------------------------------------------------------------------------------

def kernel_row(row, allocator):
    allocated, unallocated = allocator.get("allocated"), allocator.get("unallocated")
    joined = []
    for node in unallocated or ():                         # neighbours joined, whichever way they were split
        if joined and number(node["start"]) == joined[-1][1] + 1:
            joined[-1][1] = number(node["end"])
        else:
            joined.append([number(node["start"]), number(node["end"])])
    return {"domainID": row["domainID"], "type": row["type"], "table": row["table"],
            "allocated": None if allocated is None else [(node["start"], node["end"], node["state"]) for node in allocated],
            "unallocated": None if unallocated is None else [(hex(start), hex(end)) for start, end in joined]}


def compare_kernel(result, report, oracle):
    kernel = oracle["kernel"]
    result.pair("kernel-domainIDs", {row["name"]: [i for i in row["domainIDs"]["used"] or [] if i > 1] for row in report["units"]},
                {name: [i for i in ids or [] if i > 1] for name, ids in kernel["domainIDs"].items()}, "domain-ids of")
    fields = ("unit", "domainID", "group", "driver")
    result.pair("kernel-devices", {row["device"]: {field: row[field] for field in fields} for row in report["devices"] if row["unit"] is not None},
                {row["device"]: {field: row[field] for field in fields} for row in kernel["devices"]}, "device")
    ours, theirs, used = {}, {}, context_keys(report)
    for row in kernel["domains"]:
        theirs[row["unit"], row["kernelObject"]] = kernel_row(row, row)
    for row in report["domains"]:
        if row["kernelObject"] is None or row["unit"] is None:
            continue
        key, mine = (row["unit"], row["kernelObject"]), kernel_row(row, row["iova"] or {})
        believed = theirs.get(key)
        if believed and (row["unit"], row["domainID"], row["table"]) in used:
            # The row follows the hardware. Where a context differs from the kernel's belief the tables were compared already.
            for field in ("domainID", "table"):
                if mine[field] != believed[field]:
                    if field == "table" and mine[field] is None:
                        result.explain(f"kernel domain {key[1]}: the contexts pass through, its own table {believed[field]} is not used")
                    else:
                        result.explain(f"kernel domain {key[1]}: the contexts have {field} {mine[field]}, the kernel has {believed[field]}")
                    result.count("kernel-domains", "context-differs")
                    mine[field] = believed[field]
        if key in ours and ours[key] != mine:
            result.fail(f"kernel domain {key}: two rows that disagree: {ours[key]} and {mine}")
        ours[key] = mine
    # The report may also hold domains that no device refers to; the oracle starts at the devices.
    for key in sorted(ours.keys() - theirs.keys()):
        result.count("kernel-domains", "only-in-report")
        result.explain(f"kernel domain {key[1]} on {key[0]} is reached without a device")
    result.pair("kernel-domains", {key: row for key, row in ours.items() if key in theirs}, theirs, "kernel domain")
    result.pair("kernel-rmrrs", {(row["base"], row["end"]): sorted(row["devices"]) for row in report["reservedRegions"] if row["kind"] == "rmrr"},
                {(row["base"], row["end"]): row["devices"] for row in kernel["reservedRegions"] or []}, "RMRR")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", help="JSON of `iommuscope report`")
    parser.add_argument("hardware", help="JSON of hardware.py (or of drgn_walk.py)")
    parser.add_argument("--console", metavar="FILE", help="console of the guest")
    parser.add_argument("--trace", metavar="FILE", help="QEMU's trace of the emulated unit")
    parser.add_argument("--kernel", metavar="JSON", help="JSON of drgn_walk.py")
    parser.add_argument("--incomplete", action="store_true", help="the dump lacks pages of the kernel's objects: unknown groups and allocators are explained")
    parser.add_argument("--limit", type=int, default=50, help="unexplained differences to list (default 50)")
    parser.add_argument("--output", metavar="FILE", help="write there instead of standard output")
    args = parser.parse_args()
    try:
        report, oracle = read(args.report), read(args.hardware)
        kernel = read(args.kernel) if args.kernel else None
        console = first_kernel(args.console) if args.console else None
    except (OSError, ValueError) as error:
        print(f"compare: {error}", file=sys.stderr)
        sys.exit(2)
    result = Result(args.limit, args.incomplete)
    compare_units(result, report, oracle)
    compare_contexts(result, report, oracle)
    compare_domains(result, report, oracle)
    if console is not None:
        compare_console(result, report, console)
    if args.trace:
        compare_trace(result, report, args.trace)
    if kernel:
        compare_kernel(result, report, kernel)
    with open(args.output, "w") if args.output else sys.stdout as out:
        json.dump(result.document(), out, indent=1, ensure_ascii=False)
        out.write("\n")
    sys.exit(1 if result.unexplained else 0)


if __name__ == "__main__":
    main()
