#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The states of a report's IOVA allocators against the leaves that an independent walk found.

A `live` node holds at least one leaf. A node that is `unmapped`, `cached`, `pending` or `flushed` holds none: Linux clears the
entries before it queues or caches a range. A `reserved` node that is mapped is a firmware region of one of the domain's devices: host
bridge windows and the interrupt window are kept free of mappings, so a mapped range elsewhere is an ordinary one. Every leaf outside
all nodes stands in `unallocated`, and nothing else does.
"""
import bisect

EMPTY = ("unmapped", "cached", "pending", "flushed")


class Leaves:
    """Mapped IOVA ranges [start, end), ascending."""

    def __init__(self, runs):
        self.ranges = merged(sorted((int(run["iova"], 16), int(run["iova"], 16) + int(run["length"], 16)) for run in runs))
        self.starts = [start for start, _ in self.ranges]

    def touches(self, start, end):
        """Whether any byte of [start, end) is mapped."""
        at = bisect.bisect_left(self.starts, end) - 1
        return at >= 0 and self.ranges[at][1] > start


def merged(ranges):
    out = []
    for start, end in ranges:
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def outside(ranges, holes):
    """What of `ranges` no hole covers; both ascending, half-open, merged."""
    out = []
    for start, end in ranges:
        for low, high in holes:
            if high <= start or low >= end:
                continue
            if low > start:
                out.append((start, low))
            start = max(start, high)
            if start >= end:
                break
        if start < end:
            out.append((start, end))
    return out


def compare_allocators(result, report, oracle):
    tables = {(row["unit"], row["domainID"], row["table"]): row for row in oracle["domains"]}
    result.count("allocator", "agreed", 0)
    for domain in report["domains"]:
        key, nodes = (domain["unit"], domain["domainID"], domain["table"]), (domain["iova"] or {}).get("allocated")
        if nodes is None or key not in tables or tables[key]["mapping"] is None:
            continue
        leaves, name = Leaves(tables[key]["mapping"]["runs"]), f"{domain['unit']} domain {domain['domainID']}"
        result.count("allocator", "domains")
        firmware = merged(sorted((int(row["base"], 16), int(row["end"], 16) + 1) for row in report["reservedRegions"]
                                 if row["base"] is not None and set(row["devices"]) & set(tables[key]["devices"])))
        for node in nodes:
            start, end = int(node["start"], 16), int(node["end"], 16) + 1
            mapped = leaves.touches(start, end)
            result.count("allocator states", node["state"])
            if node["state"] == "live" and not mapped or node["state"] in EMPTY and mapped:
                result.fail(f"{name}: {node['start']}-{node['end']} is {node['state']}, the hardware maps {'some' if mapped else 'none'} of it")
            elif node["state"] == "reserved" and any(leaves.touches(*part) for part in outside([(start, end)], firmware)):
                result.fail(f"{name}: {node['start']}-{node['end']} is reserved, the hardware maps some of it and no firmware region is there")
            else:
                result.count("allocator", "agreed")
        covered = merged(sorted((int(node["start"], 16), int(node["end"], 16) + 1) for node in nodes))
        bare = outside(leaves.ranges, covered)
        told = merged(sorted((int(row["start"], 16), int(row["end"], 16) + 1) for row in domain["iova"]["unallocated"] or ()))
        if bare == told:
            result.count("allocator", "unallocated agreed", len(bare))
        else:
            result.fail(f"{name}: mapped outside all nodes {[(hex(a), hex(b)) for a, b in bare[:4]]}, the report says {[(hex(a), hex(b)) for a, b in told[:4]]}")
