#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`history` against what really happened before the panic.

The descriptors of the invalidation queue are those that the emulated unit took from it, in that order. The trace events are those
that the guest printed from its own `trace` file before it panicked (lines between `LAB: trace` and `LAB: trace end`).
"""
import re

DESCRIPTOR = re.compile(r"vtd_inv_desc invalidate desc type \S+ high 0x([0-9a-f]+) low 0x([0-9a-f]+)")
EVENT = re.compile(r"\s(\d+)\.(\d{6}): (\w+): (.*)")


def descriptors(lines, new):
    """(low, high) of every descriptor that the unit took before the root pointer became `new`."""
    taken = []
    for line in lines:
        if line.startswith("vtd_inv_desc invalidate"):
            match = DESCRIPTOR.match(line)
            if match:
                taken.append((int(match[2], 16), int(match[1], 16)))
        elif line.startswith("vtd_reg_dmar_root") and int(line.split()[2], 16) & ~0xFFF == new:
            break
    return taken


def compare_queue(result, document, taken):
    """Every descriptor that the report gives an age, oldest first, is a stretch of what the unit took."""
    for unit in sorted({row["unit"] for row in document["invalidations"]}):
        rows = sorted((row for row in document["invalidations"] if row["unit"] == unit and row["age"]), key=lambda row: -row["age"])
        ours = [(int(row["raw"][0], 16), int(row["raw"][1], 16)) for row in rows]
        if not ours:
            continue
        # The oldest slot may be the one that the driver was filling when it stopped: it is not required to be old.
        ends = [end for end in range(len(taken), len(ours) - 1, -1) if taken[end - 1] == ours[-1] and taken[end - len(ours):end] == ours]
        if ends:
            result.count("queue", "descriptors agreed", len(ours))
            result.count("queue", "taken later, by the crash kernel", len(taken) - ends[0])
        else:
            longest = max((agreement(taken, end, ours) for end in range(1, len(taken) + 1)), default=0)
            result.fail(f"{unit}: the {len(ours)} descriptors of the queue are no stretch of the {len(taken)} that the unit took; the newest {longest} agree at best")


def agreement(taken, end, ours):
    count = 0
    while count < min(end, len(ours)) and taken[end - 1 - count] == ours[-1 - count]:
        count += 1
    return count


def printed(lines):
    """(microseconds, event, text) of the guest's own trace file."""
    inside, events = False, []
    for line in lines:
        if "LAB: trace end" in line:
            inside = False
        elif inside:
            match = EVENT.search(line)
            if match and not line.startswith("["):
                events.append((int(match[1]) * 1_000_000 + int(match[2]), match[3], " ".join(match[4].split())))
        elif "LAB: trace" in line:
            inside = True
    return events


def compare_events(result, document, lines):
    """Every event that the guest printed is there with its time, name and text, and none is newer than the last of them."""
    told = printed(lines)
    if not told:
        if document["events"]:
            result.count("events", "in the ring, none printed by the guest", len(document["events"]))
        return
    # The kernel rounds to the nearest microsecond.
    ours = {((row["time"] + 500) // 1000, row["name"], " ".join(row["text"].split())) for row in document["events"]}
    for event in told:
        if event in ours:
            result.count("events", "agreed")
        else:
            result.fail(f"the guest's trace has {event[1]} at {event[0]} us: {event[2]}; the ring has not")
    newer = [event for event in ours if event[0] > told[-1][0]]
    if newer:
        result.fail(f"{len(newer)} events of the ring are newer than the last that the guest printed, first {min(newer)}")
