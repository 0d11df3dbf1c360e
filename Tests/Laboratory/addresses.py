#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`owners` and `translate` against the leaves of the independent walk, by brute force.

`owners` is asked for all memory at once: the rows of each device, put together, must be its runs and nothing else. `translate` is
asked at the edges of runs: the first and the last byte, and one byte beyond each, mapped or not.
"""
CHUNK = 1 << 32                                            # bytes that one range of `owners` may have
EDGES = 40                                                 # runs per device whose edges are asked for


def joined(rows):
    """Rows (iova, length, physical, access), merged where they are contiguous on both sides with one access."""
    out = []
    for iova, length, physical, access in sorted(rows):
        if out and out[-1][3] == access and out[-1][0] + out[-1][1] == iova and out[-1][2] + out[-1][1] == physical:
            out[-1] = (out[-1][0], out[-1][1] + length, out[-1][2], access)
        else:
            out.append((iova, length, physical, access))
    return out


def hardware_runs(oracle):
    """{(device, pasid): runs} of every context that is walked."""
    found, tables = {}, {(row["domainID"], row["table"], row["levels"]): row for row in oracle["domains"]}
    for row in oracle["contexts"]:
        if row["translation"] in ("none", "pass-through"):
            continue
        runs = tables[row["domainID"], row["table"], row["levels"]]["mapping"]["runs"]
        found[row["device"], row["pasid"]] = [(int(run["iova"], 16), int(run["length"], 16), int(run["physical"], 16), run["access"]) for run in runs]
    return found


def everything(oracle):
    """Ranges for `owners` that cover 4 GiB and all that any run leads to."""
    chunks = {0} | {address // CHUNK for runs in hardware_runs(oracle).values() for _, length, physical, _ in runs for address in (physical, physical + length - 1)}
    return [f"{number * CHUNK:#x}-{(number + 1) * CHUNK - 1:#x}" for number in sorted(chunks)]


def text(row):
    return f"{row[0]:#x}+{row[1]:#x} -> {row[2]:#x} {row[3]}"


def compare_owners(result, document, oracle):
    ours, theirs = {}, hardware_runs(oracle)
    for part in document["ranges"]:
        for row in part["reaches"]:
            if row["translation"] == "pass-through":
                continue
            iova = int(row["iova"], 16)
            run = (iova, int(row["iovaEnd"], 16) + 1 - iova, int(row["physical"], 16), row["access"])
            for device in row["devices"]:
                ours.setdefault((device["device"], device["pasid"]), []).append(run)
    for key in sorted(ours.keys() | theirs.keys(), key=str):
        left, right = set(joined(ours.get(key, ()))), set(joined(theirs.get(key, ())))
        result.count("owners", "runs agreed", len(left & right))
        result.count("owners", "devices")
        for row in sorted(left - right):
            result.fail(f"owners: {key[0]} {text(row)} only in the answer")
        for row in sorted(right - left):
            result.fail(f"owners: {key[0]} {text(row)} only in the walk")


def edges(runs, width=64):
    """Addresses worth asking for, each once, ascending."""
    asked = set()
    for iova, length, _, _ in runs[:EDGES]:
        asked |= {iova, iova + length - 1, iova + length, iova - 1}
    return sorted(address for address in asked if 0 <= address < 1 << width) or [0x1000]


def lookup(runs, address):
    return next((physical + address - iova for iova, length, physical, _ in runs if iova <= address < iova + length), None)


def questions(oracle):
    """(device, pasid, addresses) for `translate`: every device of a distinct table."""
    seen = set()
    for row in oracle["contexts"]:
        key = (row["domainID"], row["table"])
        if row["translation"] not in ("none", "pass-through") and key not in seen:
            seen.add(key)
            runs = hardware_runs(oracle)[row["device"], row["pasid"]]
            yield row["device"], row["pasid"], edges(runs), runs


def compare_translations(result, device, asked, runs, document):
    answers = {int(row["iova"], 16): row for row in document["translations"]}
    for address in asked:
        row, truth = answers.get(address), lookup(runs, address)
        said = int(row["physical"], 16) if row and row["outcome"] == "mapped" else None
        if row is None:
            result.fail(f"translate: {device} {address:#x} has no answer")
        elif said != truth:
            result.fail(f"translate: {device} {address:#x} is {row['outcome']} {row['physical']}, the walk has {hex(truth) if truth is not None else 'no page'}")
        else:
            result.count("translate", "mapped agreed" if truth is not None else "not mapped agreed")
