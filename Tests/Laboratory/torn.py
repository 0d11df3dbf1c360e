#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cut a real dump short in many places and hold each report against that of the whole dump.

usage: torn.py IOMMUSCOPE DUMP [--vmlinux FILE] [--cuts N] [--form plain|flattened|holes|mute] [--seed N]
                [--parts FILE … | --remains FILE …]

Each torn file must end in an answer or in a message, never in a signal or a hang, and its report must not lie:

  contexts, runs, devices, regions and allocator nodes are those of the whole dump or are absent; what a row leaves out is null
  what is absent is announced: by an observation, a rule that was not judged or an error of the dump, and the text's first lines
  do not say that nothing was found without saying what could not be judged
  findings that the whole dump does not have are those that say that something could not be read

`plain` truncates the file, `flattened` turns it into makedumpfile's stream format before that, `holes` overwrites stretches of the
file's second half with zeros, as a file system does that lost blocks; `mute` cuts a dump that has lost its VMCOREINFO before, in the
notes and in memory. `--parts` names the files of a split dump (makedumpfile --split): every set of them with some missing is read.
`--remains` names what a run that failed left of the dump (makedumpfile -L), each read as it is.

Exit status: 0 no lie, 1 some (each is printed), 2 the whole dump could not be reported.
"""
import argparse
import collections
import itertools
import json
import mmap
import os
import random
import struct
import subprocess
import sys
import tempfile

SIGNATURE = b"makedumpfile"
# Rules that say that something could not be read, and so speak on a torn dump only.
ADMISSIONS = ("kernel.unreadable", "context.tables-unreadable", "domain.tables-unreadable", "dump.incomplete", "dump.truncated",
              "dump.filtered-out", "dump.kernel-unread", "dump.corrupt")


def flatten(source, target, block=1 << 20):
    """makedumpfile's stream format: a header of 4 KiB, then blocks with their place; big-endian."""
    with open(source, "rb") as file, open(target, "wb") as out:
        out.write(struct.pack(">16sqq", SIGNATURE, 1, 1).ljust(4096, b"\0"))
        offset = 0
        while data := file.read(block):
            out.write(struct.pack(">qq", offset, len(data)) + data)
            offset += len(data)
        out.write(struct.pack(">qq", -1, -1))


def silence(path):
    """Take every VMCOREINFO note out of a file whose pages are not packed: those in its notes and the kernel's own."""
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        at = -1
        while (at := data.find(b"VMCOREINFO\0", at + 1)) >= 0:
            data[at:at + 11] = bytes(11)


class Tool:
    def __init__(self, binary, vmlinux, timeout=300):
        self.binary, self.more, self.timeout = os.path.abspath(binary), ["--vmlinux", vmlinux] if vmlinux else [], timeout

    def run(self, verb, paths, form):
        paths = [paths] if isinstance(paths, str) else paths
        try:
            done = subprocess.run([self.binary, verb, *paths, "--format", form, *self.more], stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=self.timeout)
        except subprocess.TimeoutExpired:
            return "timeout", b"", ""
        return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def number(text):
    return int(text, 16)


class Whole:
    """What the whole dump's report knows, in the form in which a part of it is looked up."""

    def __init__(self, report):
        self.report = report
        self.contexts = {self.context(row): row for row in report["contexts"]}
        self.runs = {}
        for row in report["domains"]:
            for run in (row["mapping"] or {"runs": []})["runs"]:
                found = number(run["iova"]), number(run["length"]), number(run["physical"]), run["access"]
                for domain in {row["domainID"], None}:         # a domain whose id was not read still has its table
                    self.runs.setdefault((domain, row["table"]), []).append(found)
        self.devices = {row["device"]: row for row in report["devices"]}
        self.findings = {self.finding(row) for row in report["findings"]}
        self.nodes = {}
        for row in report["domains"]:
            for node in (row["iova"] or {"allocated": []})["allocated"]:
                self.nodes[row["kernelObject"], node["start"]] = node
        self.units = {row["registerBase"]: row for row in report["units"]}

    @staticmethod
    def context(row):
        return row["device"], row["pasid"], tuple(row["raw"])

    @staticmethod
    def finding(row):
        return row["rule"], row["device"]

    def has_run(self, key, run):
        first, length, physical, access = number(run["iova"]), number(run["length"]), number(run["physical"]), run["access"]
        return any(access == a and iova <= first and first + length <= iova + n and physical - first == p - iova
                   for iova, n, p, a in self.runs.get(key, ()))


def lies(whole, part):
    """(texts of what the part says and the whole does not, counts of what the part lacks)."""
    wrong, absent = [], collections.Counter()
    for row in part["contexts"]:
        other = whole.contexts.get(Whole.context(row))
        if other is None and row["pasid"] is None and row["translation"] == "none" and not row["refusal"]:
            # What leads on from it was not found, and nothing is claimed of it.
            absent["PASID entries"] += 1
            continue
        if other is None:
            wrong.append(f"context of {row['device']} PASID {row['pasid']} {row['raw']} is not in the whole dump")
            continue
        for field in ("translation", "domainID", "levels", "table"):
            if row[field] != other[field]:
                wrong.append(f"context of {row['device']}: {field} {row[field]}, whole {other[field]}")
    absent["contexts"] = len(whole.report["contexts"]) - len(part["contexts"])
    leaves = lambda report: sum(row["mapping"]["leaves"] for row in report["domains"] if row["mapping"])
    absent["leaves"] = leaves(whole.report) - leaves(part)
    for row in part["domains"]:
        for run in (row["mapping"] or {"runs": []})["runs"]:
            if not whole.has_run((row["domainID"], row["table"]), run):
                wrong.append(f"run {run} of domain {row['domainID']} is not in the whole dump")
        for node in (row["iova"] or {"allocated": []})["allocated"]:
            other = whole.nodes.get((row["kernelObject"], node["start"]))
            if other is None or other["end"] != node["end"]:
                wrong.append(f"node {node} of domain {row['domainID']} is not in the whole dump")
            elif other["state"] != node["state"]:
                absent[f"state {other['state']} became {node['state']}"] += 1
    for row in part["devices"]:
        other = whole.devices.get(row["device"])
        if other is None:
            wrong.append(f"device {row['device']} is not in the whole dump")
            continue
        for field in ("unit", "domainID", "group", "driver"):
            if row[field] is None and other[field] is not None:
                absent[f"device {field}"] += 1
            elif row[field] != other[field]:
                wrong.append(f"device {row['device']}: {field} {row[field]}, whole {other[field]}")
    absent["devices"] = len(whole.devices) - len(part["devices"])
    absent["regions"] = len(whole.report["reservedRegions"]) - len(part["reservedRegions"])
    for row in part["units"]:
        other = whole.units.get(row["registerBase"])
        if row["rootFrom"] != "carved" and other is None:
            wrong.append(f"unit {row['name']} at {row['registerBase']} is not in the whole dump")
        elif other is not None:
            for field in ("rootTable", "tableMode", "translationEnabled", "capability", "extendedCapability"):
                # A register of nothing but zeros is one that could not be read, and without any there is no mode.
                blank = row["capability"] == row["extendedCapability"] == "0x0" and row["rootTable"] is None
                if row[field] is None or row[field] == "0x0" != other[field] and field in ("capability", "extendedCapability") \
                        or field == "tableMode" and blank:
                    absent[f"unit {field}"] += 1
                elif row[field] != other[field]:
                    wrong.append(f"unit {row['name']}: {field} {row[field]}, whole {other[field]}")
    absent["units"] = len(whole.report["units"]) - len(part["units"])
    for row in part["findings"]:
        if Whole.finding(row) not in whole.findings and row["rule"] not in ADMISSIONS:
            wrong.append(f"finding {row['rule']} of {row['device']}: {row['message']}")
    lost = {Whole.finding(row) for row in part["findings"]}
    absent["findings"] = len(whole.findings - lost)
    for key in ("panic", "release", "crashTime"):
        if part["dump"][key] is None and whole.report["dump"][key] is not None:
            absent[f"dump {key}"] += 1
        elif part["dump"][key] != whole.report["dump"][key]:
            wrong.append(f"dump {key}: {part['dump'][key]}, whole {whole.report['dump'][key]}")
    faults = lambda report: report["faults"] and report["faults"].get("total", report["faults"].get("count"))
    if faults(part) != faults(whole.report):
        absent["faults"] += 1
    return wrong, +absent


def announced(part):
    """Whether a report says that it is not whole."""
    return bool(part["observations"] or part["notJudged"] or part["cuts"] or any(row["rule"] in ADMISSIONS for row in part["findings"]))


def points(size, count, generator):
    """Where to cut: thick at the start, where headers are, and even over the rest."""
    found = {0, 1, 15, 64, 4095, 4096, 4097, 8192, size - 1, size - 8, size - 4096}
    while len(found) < count:
        even = generator.random() < 0.6
        found.add(generator.randrange(size) if even else int(size ** generator.uniform(0.3, 1)))
    return sorted((at for at in found if 0 <= at < size), reverse=True)


def examine(tool, whole, path, label, out):
    status, stdout, stderr = tool.run("report", path, "json")
    if status == 2:
        out["refused"] += 1
        if not stderr.strip():
            print(f"{label}: refused without a word")
            out["lies"] += 1
        return
    if status != 0:
        print(f"{label}: ended with {status}: {stderr[-300:]}")
        out["lies"] += 1
        return
    part = json.loads(stdout)
    wrong, absent = lies(whole, part)
    carved = bool(part["units"]) and all(row["rootFrom"] == "carved" for row in part["units"])
    out["carved" if carved else "kernel" if part["units"] else "nothing"] += 1
    said = announced(part)
    if absent and not said:
        wrong.append(f"lacks {dict(absent)} and does not say so")
    if absent:
        out["incomplete"] += 1
        status, stdout, _ = tool.run("report", path, "text")
        head = " ".join(stdout.decode(errors="replace").split("\n\n")[0].split())
        if status != 0:
            wrong.append(f"as text it ended with {status}")
        elif "no finding" in head.lower() and "not judged" not in head.lower():
            wrong.append(f"lacks {dict(absent)}, and the summary says: {head[-400:]}")
    else:
        out["complete"] += 1
    if wrong:
        out["lies"] += 1
        print(f"{label}: " + f"\n{' ' * len(label)}  ".join(wrong[:6]) + (f" (and {len(wrong) - 6} more)" if len(wrong) > 6 else ""))


def finish(args, out):
    kind = "parts" if args.parts else "remains" if args.remains else args.form
    print(f"{os.path.basename(os.path.dirname(args.dump))}/{os.path.basename(args.dump)} {kind}: " + ", ".join(f"{count} {name}" for name, count in sorted(out.items())))
    sys.exit(1 if out["lies"] else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("dump")
    parser.add_argument("--vmlinux")
    parser.add_argument("--cuts", type=int, default=60)
    parser.add_argument("--form", choices=("plain", "flattened", "holes", "mute"), default="plain")
    more = parser.add_mutually_exclusive_group()
    more.add_argument("--parts", nargs="+", default=[])
    more.add_argument("--remains", nargs="+", default=[])
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    tool, generator = Tool(args.binary, args.vmlinux), random.Random(args.seed)
    status, stdout, stderr = tool.run("report", args.dump, "json")
    if status != 0:
        print(f"torn: {args.dump}: {stderr}", file=sys.stderr)
        sys.exit(2)
    whole, out = Whole(json.loads(stdout)), collections.Counter()
    if args.parts or args.remains:
        incomplete = [rest for count in range(1, len(args.parts)) for rest in itertools.combinations(args.parts, count)]
        for files in generator.sample(incomplete, min(args.cuts, len(incomplete))) + [[file] for file in args.remains]:
            examine(tool, whole, list(files), " ".join(map(os.path.basename, files)), out)
        return finish(args, out)
    with tempfile.TemporaryDirectory(prefix="torn-") as folder:
        copy = os.path.join(folder, "torn")
        if args.form == "flattened":
            flatten(args.dump, copy)
        else:
            subprocess.run(["cp", "--sparse=always", args.dump, copy], check=True)
            os.chmod(copy, 0o600)
        if args.form == "mute":
            silence(copy)
        size = os.path.getsize(copy)
        if args.form == "holes":
            original = open(args.dump, "rb")
            for turn in range(args.cuts):
                length = 1 << generator.randrange(9, 24)
                at = generator.randrange(4096, max(4097, size - length))
                with open(copy, "r+b") as file:
                    file.seek(at)
                    file.write(bytes(min(length, size - at)))
                examine(tool, whole, copy, f"hole {at:#x}+{length:#x}", out)
                with open(copy, "r+b") as file:
                    original.seek(at)
                    file.seek(at)
                    file.write(original.read(length))
        else:
            for at in points(size, args.cuts, generator):
                os.truncate(copy, at)
                examine(tool, whole, copy, f"cut at {at:#x} of {size:#x}", out)
    finish(args, out)


if __name__ == "__main__":
    main()
