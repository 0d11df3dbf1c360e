#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Walk the VT-d tables of a Linux crash dump with drgn, from the kernel's own structures.

usage: drgn_walk.py DUMP VMLINUX [--tables-only] [--output FILE]

Needs drgn 0.3 (`pip install drgn==0.3.0`). The units come from `dmar_drhd_units`, the root pointer and the mode from
`struct intel_iommu`; then root, context and PASID tables and the first- or second-stage page tables are read from physical
memory. The result has the same `units`, `contexts` and `domains` as that of hardware.py. `kernel`, left out with --tables-only,
has the kernel's view next to it: domain-ids in use per unit, for every PCI function its group, driver and domain, and for
every domain the ranges in the IOVA allocator's tree with their states (reserved, pending, flushed, cached, live, unmapped: the first
that applies, as the report defines them) and the mapped ranges that are in none of them.

Read for kernels 5.10, 6.1, 6.12 and 7.3; which fields exist decides, not the version.
"""
import argparse
import json
import struct
import sys

import drgn
from drgn.helpers.linux.cpumask import for_each_possible_cpu
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.mm import virt_to_phys
from drgn.helpers.linux.pci import for_each_pci_dev, for_each_pci_root_bus, pci_name
from drgn.helpers.linux.percpu import per_cpu_ptr
from drgn.helpers.linux.rbtree import rbtree_inorder_for_each_entry
from drgn.helpers.linux.xarray import xa_for_each, xa_is_value, xa_load, xa_to_value

POINTER = 0x000FFFFFFFFFF000
ZERO = b"\0" * 4096
QUADS = struct.Struct("<512Q").unpack
ACCESS = ("", "r", "w", "rw")
DOMAIN_TYPES = {0: "blocked", 1: "unmanaged", 3: "dma", 4: "identity", 0xB: "dma-fq", 0x10: "sva", 0x40: "nested"}


class Tables:
    """The table walk: pages are read whole, and a table that several contexts share is walked once."""

    def __init__(self, prog):
        self.read, self.missing, self.pages, self.walked = prog.read, [], 0, {}

    def page(self, address, what):
        try:
            data = self.read(address, 4096, True)
        except drgn.FaultError:
            self.missing.append(f"{what} at {address:#x}")
            return ZERO
        self.pages += 1
        return data

    def mapping(self, stage, table, levels):
        key = (stage, table, levels)
        if key not in self.walked:
            runs, self.count = [], 0
            walk = self.second if stage == "second" else self.first
            walk(table, levels, 0, 3, runs)
            if stage == "first":
                half, offset = 1 << 11 + 9 * levels, (1 << 64) - (1 << 12 + 9 * levels)
                for run in runs:
                    if run[0] >= half:
                        run[0] += offset
            self.walked[key] = {"leaves": self.count, "bytes": sum(run[1] for run in runs),
                                "runs": [{"iova": hex(a), "length": hex(n), "physical": hex(p), "access": ACCESS[r]} for a, n, p, r in runs]}
        return self.walked[key]

    def second(self, address, level, base, rights, runs):
        data = self.page(address, f"second-stage table, level {level},")
        if data == ZERO:
            return
        shift = 3 + 9 * level
        if level == 1:
            self.leaves(QUADS(data), base, rights, runs)
            return
        for index, entry in enumerate(QUADS(data)):
            granted = entry & rights
            if granted:
                if entry & 0x80 and level <= 3:
                    self.leaf(base + (index << shift), 1 << shift, entry & POINTER & -(1 << shift), granted, runs)
                else:
                    self.second(entry & POINTER, level - 1, base + (index << shift), granted, runs)

    def leaves(self, entries, base, rights, runs):
        last = runs[-1] if runs else [0, 0, 0, 0]
        next_iova, next_physical, access, count = last[0] + last[1], last[2] + last[1], last[3], 0
        for index, entry in enumerate(entries):
            granted = entry & rights
            if granted:
                iova, physical = base + (index << 12), entry & POINTER
                count += 1
                if iova == next_iova and physical == next_physical and granted == access:
                    last[1] += 4096
                else:
                    last = [iova, 4096, physical, granted]
                    runs.append(last)
                    access = granted
                next_iova, next_physical = iova + 4096, physical + 4096
        self.count += count

    def leaf(self, iova, size, physical, access, runs):
        self.count += 1
        if runs:
            last = runs[-1]
            if last[3] == access and last[0] + last[1] == iova and last[2] + last[1] == physical:
                last[1] += size
                return
        runs.append([iova, size, physical, access])

    def first(self, address, level, base, rights, runs):
        data = self.page(address, f"first-stage table, level {level},")
        if data == ZERO:
            return
        shift = 3 + 9 * level
        if level == 1:
            present = [entry | 1 if entry & 1 else 0 for entry in QUADS(data)]
            self.leaves(present, base, rights, runs)
            return
        for index, entry in enumerate(QUADS(data)):
            if entry & 1:
                granted = (1 | entry & 2) & rights
                if entry & 0x80 and level <= 3:
                    self.leaf(base + (index << shift), 1 << shift, entry & POINTER & -(1 << shift), granted, runs)
                else:
                    self.first(entry & POINTER, level - 1, base + (index << shift), granted, runs)


class Unit:
    def __init__(self, prog, drhd, tables):
        self.iommu, self.tables, self.contexts, self.domains = drhd.iommu, tables, [], {}
        iommu = self.iommu
        self.name = iommu.name.string_().decode()
        self.segment = drhd.segment.value_()
        self.ecap = iommu.ecap.value_()
        self.scalable = "intel_iommu_sm" in prog and prog["intel_iommu_sm"].value_() != 0 and self.ecap >> 43 & 1 == 1
        self.root = virt_to_phys(iommu.root_entry).value_() if iommu.root_entry else None
        gcmd = iommu.gcmd.value_()
        self.row = {"name": self.name, "segment": self.segment, "registerBase": hex(drhd.reg_base_addr.value_()),
                    "capability": hex(iommu.cap.value_()), "extendedCapability": hex(self.ecap),
                    "tableMode": "scalable" if self.scalable else "legacy", "translationEnabled": bool(gcmd >> 31 & 1),
                    "interruptRemappingEnabled": bool(gcmd >> 25 & 1), "rootTable": hex(self.root) if self.root else None}

    def walk(self):
        if self.root is None:
            return
        entries = QUADS(self.tables.page(self.root, "root table"))
        for bus in range(256):
            for half in (0, 1) if self.scalable else (0,):
                word = entries[2 * bus + half]
                if word & 1:
                    data = self.tables.page(word & POINTER, f"context table of bus {bus:02x}")
                    if data != ZERO:
                        (self.scalable_table if self.scalable else self.legacy_table)(bus, half, QUADS(data))

    def device(self, bus, devfn):
        return f"{self.segment:04x}:{bus:02x}:{devfn >> 3:02x}.{devfn & 7}"

    def legacy_table(self, bus, _, slots):
        for devfn in range(256):
            low = slots[2 * devfn]
            if low & 1:
                high = slots[2 * devfn + 1]
                kind = ("second-stage", "second-stage", "pass-through", "none")[low >> 2 & 3]
                self.add(self.device(bus, devfn), None, kind, high >> 8 & 0xFFFF, (high & 7) + 2, low & POINTER, low, (low, high))

    def scalable_table(self, bus, half, slots):
        for slot in range(128):
            raw = slots[4 * slot:4 * slot + 4]
            if not raw[0] & 1:
                continue
            device, present = self.device(bus, half * 128 + slot), False
            size = 1024 << (raw[0] >> 9 & 7)
            for offset in range(0, size, 4096):
                data = self.tables.page((raw[0] & POINTER) + offset, f"PASID directory of {device}")
                if data == ZERO:
                    continue
                for index, entry in enumerate(struct.unpack(f"<{min(size, 4096) // 8}Q", data[:min(size, 4096)])):
                    if entry & 1:
                        present |= self.pasid_table(device, (offset // 8 + index) * 64, entry & POINTER)
            if not present:
                self.add(device, None, "none", None, None, None, raw[0], raw)

    def pasid_table(self, device, first, address):
        data, present = self.tables.page(address, f"PASID table of {device}"), False
        if data == ZERO:
            return False
        slots = QUADS(data)
        for slot in range(64):
            raw = slots[8 * slot:8 * slot + 8]
            if raw[0] & 1:
                present = True
                kind = {1: "first-stage", 2: "second-stage", 3: "nested", 4: "pass-through"}.get(raw[0] >> 6 & 7, "none")
                if kind in ("first-stage", "nested"):
                    levels, table = 4 + (raw[2] >> 2 & 3), raw[2] & POINTER
                else:
                    levels, table = (raw[0] >> 2 & 7) + 2, raw[0] & POINTER
                self.add(device, first + slot, kind, raw[1] & 0xFFFF, levels, table, raw[0], raw)
        return present

    def add(self, device, pasid, kind, domain, levels, table, low, raw):
        if kind in ("none", "pass-through"):
            levels = table = None
        self.contexts.append({"unit": self.name, "device": device, "pasid": pasid, "translation": kind, "domainID": domain,
                              "levels": levels, "table": hex(table) if table is not None else None,
                              "faultProcessingDisabled": bool(low & 2), "raw": [hex(word) for word in raw]})
        if kind == "none":
            return
        stage = {"second-stage": "second", "first-stage": "first", "nested": "first"}.get(kind)
        key = (domain, table, levels, stage)
        if key not in self.domains:
            # A nested first stage needs a guest's tables; none of the kernels here has one without VFIO.
            mapping = self.tables.mapping(stage, table, levels) if kind in ("second-stage", "first-stage") else None
            self.domains[key] = {"unit": self.name, "domainID": domain, "stage": stage, "table": hex(table) if table is not None else None,
                                 "levels": levels, "devices": [], "mapping": mapping}
        if device not in self.domains[key]["devices"]:
            self.domains[key]["devices"].append(device)


class Kernel:
    """What Linux believes: domain-ids, devices, domains and their IOVA allocators."""

    def __init__(self, prog, units, tables):
        self.prog, self.tables, self.units = prog, tables, {unit.iommu.value_(): unit for unit in units}
        self.domains, self.missing = {}, tables.missing
        self.ops = prog["intel_iommu_ops"].address_of_().value_()
        self.members = []
        self.attempt("PCI functions", self.collect, prog)

    def document(self):
        devices = [self.attempt("device", self.device, pci, info) for pci, info in self.members]
        return {"domainIDs": {unit.name: self.attempt("domain-ids", self.ids, unit.iommu) for unit in self.units.values()},
                "devices": sorted((row for row in devices if row), key=lambda row: row["device"]),
                "domains": sorted(self.domains.values(), key=lambda row: (row["domainID"] is None, row["domainID"] or 0, row["kernelObject"])),
                "reservedRegions": self.attempt("reserved regions", self.rmrrs)}

    def attempt(self, what, function, *arguments):
        """A filtered dump may lack pages: what depends on them is null and named, the rest goes on."""
        try:
            return function(*arguments)
        except drgn.FaultError as error:
            self.missing.append(f"{what}: {error}")
            return None

    def collect(self, prog):
        for pci in for_each_pci_dev(prog):
            info = self.attempt("device information", self.info, pci)
            if info is not None:
                self.members.append((pci, info))

    def has(self, kind, member):
        return self.prog.type(kind).has_member(member)

    def ids(self, iommu):
        used = []
        if self.has("struct intel_iommu", "domain_ids"):
            size = 1 << 4 + 2 * (iommu.cap.value_() & 7)
            bits = int.from_bytes(self.prog.read(iommu.domain_ids.value_(), size // 8), "little")
            base = 0
        else:
            bits, base = 0, 0
            for index, entry in xa_for_each(iommu.domain_ida.xa.address_of_()):
                if xa_is_value(entry):
                    word = xa_to_value(entry).value_()
                else:
                    word = int.from_bytes(self.prog.read(entry.value_(), 128), "little")
                bits |= word << index * 1024
        while bits:
            low = bits & -bits
            used.append(base + low.bit_length() - 1)
            bits ^= low
        return used

    def info(self, pci):
        """The driver's `struct device_domain_info` of a PCI function, or None."""
        iommu = pci.dev.iommu
        if not iommu or not iommu.priv or not iommu.iommu_dev or iommu.iommu_dev.ops.value_() != self.ops:
            return None
        if iommu.priv.value_() >= (1 << 64) - 4095:        # a sentinel of kernels before 5.16
            return None
        return drgn.cast("struct device_domain_info *", iommu.priv)

    def device(self, pci, info):
        dev = pci.dev
        group = dev.iommu_group
        unit = self.units.get(info.iommu.value_())
        domain, attached = info.domain, group.domain if group else None
        row = {"device": pci_name(pci), "unit": unit.name if unit else None,
               "domainID": None, "group": group.id.value_() if group else None,
               "groupType": DOMAIN_TYPES.get(group.default_domain.type.value_()) if group and group.default_domain else None,
               "driver": dev.driver.name.string_().decode() if dev.driver else None}
        if domain:
            row["domainID"] = self.domain(domain, info.iommu)
        elif attached and attached.type.value_() == 4:
            row["domainID"] = 1                            # identity without a domain object: FLPT_DEFAULT_DID
        return row

    def domain(self, domain, iommu):
        key = (domain.value_(), iommu.value_())
        if key not in self.domains:
            self.domains[key] = {"unit": self.units[iommu.value_()].name, "domainID": self.attempt("domain-id", self.did, domain, iommu),
                                 "type": self.attempt("domain type", lambda: DOMAIN_TYPES.get(domain.domain.type.value_(), "unknown")),
                                 "kernelObject": hex(domain.value_()),
                                 **(self.attempt("top of table", self.top, domain) or {"table": None, "levels": None})}
            self.domains[key]["allocated"] = self.attempt("IOVA allocator", self.allocated, domain, self.domains[key]["table"])
            self.domains[key]["unallocated"] = self.unallocated(self.domains[key])
        return self.domains[key]["domainID"]

    def did(self, domain, iommu):
        if self.has("struct dmar_domain", "iommu_did"):
            seq = iommu.seq_id.value_()
            return domain.iommu_did[seq].value_() if domain.iommu_refcnt[seq].value_() else None
        entry = xa_load(domain.iommu_array.address_of_(), iommu.seq_id)
        return drgn.cast("struct iommu_domain_info *", entry).did.value_() if entry else None

    def top(self, domain):
        if self.has("struct dmar_domain", "pgd"):
            table = virt_to_phys(domain.pgd).value_() if domain.pgd else None
            return {"table": hex(table) if table is not None else None, "levels": domain.agaw.value_() + 2 if table is not None else None}
        if not domain.domain.type.value_() & 1:
            return {"table": None, "levels": None}
        first = domain.domain.ops.value_() == self.prog["intel_fs_paging_domain_ops"].address_of_().value_()
        common = domain.fspt.x86_64_pt.common if first else domain.sspt.vtdss_pt.common
        word = common.top_of_table.value_()
        return {"table": hex(virt_to_phys(self.prog, word & ~7).value_()), "levels": (word & 7) + 1}

    def allocated(self, domain, table):
        """The ranges in the domain's IOVA tree with their states, or None where it has no allocator."""
        cookie = None
        if self.has("struct dmar_domain", "iovad") and "reserved_iova_list" in self.prog:
            iovad = domain.iovad                           # up to 5.10 the driver has an allocator of its own
        else:
            if self.has("struct iommu_domain", "cookie_type"):
                if domain.domain.cookie_type.value_() != 1:
                    return None
            if not domain.domain.iova_cookie:
                return None
            cookie = drgn.cast("struct iommu_dma_cookie *", domain.domain.iova_cookie)
            if self.has("struct iommu_dma_cookie", "type") and cookie.type.value_() != 0:
                return None
            iovad = cookie.iovad
        granule = iovad.granule.value_()
        if not granule:
            return None
        reserved, pending, flushed, cached = self.reserved(domain, cookie is None), set(), set(), self.cached(iovad)
        holder = cookie if cookie is not None and self.has("struct iommu_dma_cookie", "fq_flush_finish_cnt") else iovad
        done = holder.fq_flush_finish_cnt.counter.value_()
        for queue in self.queues(holder):
            size = queue.mod_mask.value_() + 1 if self.has("struct iova_fq", "mod_mask") else len(queue.entries)
            at, tail = queue.head.value_(), queue.tail.value_()
            while at != tail:
                entry = queue.entries[at]
                (pending if entry.counter.value_() >= done else flushed).add(entry.iova_pfn.value_())
                at = (at + 1) % size
        runs = [(int(run["iova"], 16), int(run["iova"], 16) + int(run["length"], 16)) for run in self.runs(table)]
        anchor, rows = iovad.anchor.address_of_().value_(), []
        for node in rbtree_inorder_for_each_entry("struct iova", iovad.rbroot.address_of_(), "node"):
            if node.value_() == anchor:
                continue
            low, high = node.pfn_lo.value_(), node.pfn_hi.value_()
            start, end = low * granule, (high + 1) * granule - 1
            if any(a <= end and start <= b for a, b in reserved):
                state = "reserved"
            elif low in pending:
                state = "pending"
            elif low in flushed:
                state = "flushed"
            elif low in cached:
                state = "cached"
            else:
                state = "live" if any(a <= end and start < b for a, b in runs) else "unmapped"
            rows.append({"start": hex(start), "end": hex(end), "state": state})
        return rows

    def unallocated(self, row):
        """Mapped ranges in no node of the tree, neighbours joined."""
        if row["allocated"] is None:
            return None
        nodes, found = [(int(node["start"], 16), int(node["end"], 16)) for node in row["allocated"]], []
        for run in self.runs(row["table"]):
            start, end = int(run["iova"], 16), int(run["iova"], 16) + int(run["length"], 16) - 1
            for low, high in nodes:                        # ascending, without overlaps
                if high < start or low > end:
                    continue
                if low > start:
                    found.append([start, low - 1])
                start = high + 1
            if start <= end:
                found.append([start, end])
        joined = []
        for start, end in found:
            if joined and joined[-1][1] + 1 == start:
                joined[-1][1] = end
            else:
                joined.append([start, end])
        return [{"start": hex(start), "end": hex(end)} for start, end in joined]

    def runs(self, table):
        """Runs of a table by its address, whichever stage the contexts walk it as."""
        for (_, address, _), mapping in self.tables.walked.items():
            if address is not None and hex(address) == table:
                return mapping["runs"]
        return []

    def queues(self, holder):
        """The flush queues of an allocator: one per CPU, or one for all."""
        if self.has("struct iommu_dma_cookie", "percpu_fq"):
            if not holder.fq_domain:
                return []
            if holder.options.qt.value_() == 1:
                return [holder.single_fq]
            queue = holder.percpu_fq
        else:
            queue = holder.fq
        return [per_cpu_ptr(queue, cpu) for cpu in for_each_possible_cpu(self.prog)] if queue else []

    def cached(self, iovad):
        """First page numbers of the ranges in the allocator's free caches."""
        found = set()
        if not iovad.rcaches:
            return found
        chained = self.prog.type("struct iova_rcache").member("depot").type.kind == drgn.TypeKind.POINTER
        for bin in range(6):
            cache = iovad.rcaches[bin]
            full, magazines = [], []
            if chained:
                magazine = cache.depot
                while magazine:
                    full.append(magazine)
                    magazine = magazine.next
            else:
                magazines += [cache.depot[slot] for slot in range(cache.depot_size.value_())]
            if cache.cpu_rcaches:
                for cpu in for_each_possible_cpu(self.prog):
                    own = per_cpu_ptr(cache.cpu_rcaches, cpu)
                    magazines += [magazine for magazine in (own.loaded, own.prev) if magazine]
            for magazine in full:                          # the count is overlaid by the link
                found.update(magazine.pfns.value_())
            for magazine in magazines:
                found.update(magazine.pfns.value_()[:magazine.size.value_()])
        return found

    def reserved(self, domain, own):
        """Ranges that the kernel keeps out of the domain's allocator."""
        ranges = [(0xFEE00000, 0xFEEFFFFF)]
        if own:
            template = self.prog["reserved_iova_list"]
            for node in rbtree_inorder_for_each_entry("struct iova", template.rbroot.address_of_(), "node"):
                if node.value_() != template.anchor.address_of_().value_():
                    ranges.append((node.pfn_lo.value_() << 12, (node.pfn_hi.value_() << 12) + 0xFFF))
        else:
            for bus in for_each_pci_root_bus(self.prog):
                bridge = drgn.container_of(bus.bridge, "struct pci_host_bridge", "dev")
                for window in list_for_each_entry("struct resource_entry", bridge.windows.address_of_(), "node"):
                    if window.res.flags.value_() & 0x200:  # IORESOURCE_MEM
                        ranges.append((window.res.start.value_() - window.offset.value_(), window.res.end.value_() - window.offset.value_()))
        names = set()
        for pci, info in self.members:
            if info.domain.value_() == domain.value_():
                names.add(pci_name(pci))
                if pci.member_("class").value_() >> 8 == 0x0601:
                    ranges.append((0, 0xFFFFFF))
        for row in self.rmrrs():
            if names & set(row["devices"]):
                ranges.append((int(row["base"], 16), int(row["end"], 16)))
        return ranges

    def rmrrs(self):
        rows = []
        for unit in list_for_each_entry("struct dmar_rmrr_unit", self.prog["dmar_rmrr_units"].address_of_(), "list"):
            devices = []
            for index in range(unit.devices_cnt.value_()):
                scope = unit.devices[index]
                if scope.dev:
                    devices.append(scope.dev.kobj.name.string_().decode())
            rows.append({"kind": "rmrr", "base": hex(unit.base_address.value_()), "end": hex(unit.end_address.value_()), "devices": sorted(devices)})
        return sorted(rows, key=lambda row: int(row["base"], 16))


def walk(prog, tables_only=False):
    tables = Tables(prog)
    units = [Unit(prog, drhd, tables) for drhd in list_for_each_entry("struct dmar_drhd_unit", prog["dmar_drhd_units"].address_of_(), "list") if drhd.iommu]
    units.sort(key=lambda unit: (unit.segment, int(unit.row["registerBase"], 16)))
    for unit in units:
        unit.walk()
    contexts = [row for unit in units for row in sorted(unit.contexts, key=lambda c: (c["device"], c["pasid"] is None, c["pasid"] or 0))]
    domains = [row for unit in units for row in sorted(unit.domains.values(), key=lambda d: (d["domainID"], d["table"] is None, int(d["table"] or "0", 16)))]
    document = {"schema": "iommuscope-oracle/1", "source": "drgn", "units": [unit.row for unit in units], "contexts": contexts, "domains": domains,
                "anomalies": tables.missing,
                "totals": {"contexts": len(contexts), "tables": tables.pages, "leaves": sum(d["mapping"]["leaves"] for d in domains if d["mapping"]),
                           "runs": sum(len(d["mapping"]["runs"]) for d in domains if d["mapping"])}}
    if not tables_only:
        document["kernel"] = Kernel(prog, units, tables).document()
    return document


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", help="vmcore in any format that drgn reads")
    parser.add_argument("vmlinux", help="the matching kernel image with DWARF")
    parser.add_argument("--tables-only", action="store_true", help="leave out the kernel's view")
    parser.add_argument("--output", metavar="FILE", help="write there instead of standard output")
    args = parser.parse_args()
    prog = drgn.Program()
    prog.set_core_dump(args.dump)
    prog.load_debug_info([args.vmlinux])
    document = walk(prog, args.tables_only)
    with open(args.output, "w") if args.output else sys.stdout as out:
        json.dump(document, out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main()
