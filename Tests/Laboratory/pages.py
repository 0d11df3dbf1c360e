#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Take the pages of a dump away one by one and hold what is said without each against what the whole dump says.

usage: pages.py IOMMUSCOPE EXTRACT [--vmlinux FILE] [--first N] [--stride N] [--list]

EXTRACT is what `iommuscope extract` made of a dump: an ELF file of the pages that its report needs and no others. Beside the lies
that torn.py looks for in reports, none of these may be told without the page:

  an allocator's range has another state, and its domain does not say that such a state could not be told (`iova.uncertain`)
  a device is safer than with the page, under any policy of `inherit`
  a driver that can write the dump is not among the writers, or the outlook is better, and no concern says that something is unknown
  the report or the forecast differs in anything, and no observation, cut or rule that was not judged says that something is missing

Exit status: 0 no lie, 1 some (each is printed), 2 the whole dump could not be reported.
"""
import argparse
import collections
import json
import os
import struct
import sys
import tempfile

from torn import Tool, Whole, announced, lies

SAFETY = {"safe": 0, "risky": 1, "unsafe": 2}
ANSWERS = {"probably": 0, "doubtful": 1, "no": 2}
LOAD = 1


class Extract:
    """An ELF file whose segments of memory lie behind one another, and copies of it that lack one page."""

    PAGE = 4096

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        self.at, = struct.unpack_from("<Q", self.data, 0x20)
        size, self.count = struct.unpack_from("<HH", self.data, 0x36)
        if size != 56 or self.count in (0, 0xffff):
            sys.exit(f"pages: {path}: not what `extract` writes for a few thousand pages")
        self.headers = [list(struct.unpack_from("<IIQQQQQQ", self.data, self.at + 56 * index)) for index in range(self.count)]

    def pages(self):
        for kind, _, _, _, physical, held, _, _ in self.headers:
            if kind == LOAD:
                yield from range(physical, physical + held, self.PAGE)

    def without(self, page, path):
        """Write a copy whose table of segments, now at its end, leaves out one page."""
        headers = []
        for header in self.headers:
            kind, flags, offset, virtual, physical, held, size, align = header
            if kind != LOAD or not physical <= page < physical + held:
                headers.append(header)
                continue
            for start, end in ((physical, page), (page + self.PAGE, physical + held)):
                if start < end:
                    moved = start - physical
                    headers.append([kind, flags, offset + moved, virtual + moved if virtual else 0, start, end - start, end - start, align])
        with open(path, "wb") as file:
            file.write(self.data)
            file.write(b"".join(struct.pack("<IIQQQQQQ", *header) for header in headers))
            file.seek(0x20)
            file.write(struct.pack("<Q", len(self.data)))
            file.seek(0x38)
            file.write(struct.pack("<H", len(headers)))


def changed_states(whole, part):
    """Ranges of allocators whose state is another one, where the domain does not say that it may be."""
    for row in part["domains"]:
        space = row["iova"] or {"allocated": []}
        for node in space["allocated"]:
            other = whole.nodes.get((row["kernelObject"], node["start"]))
            if other and other["state"] != node["state"] and other["state"] not in (space.get("uncertain") or []):
                # Without its table a range has no leaf that could be seen; the walk counts what it could not read.
                if other["state"] == "live" and (not row["walk"] or row["walk"]["unreadable"]):
                    continue
                yield f"node {node['start']} of domain {row['domainID']}: {node['state']}, whole {other['state']}"


def calmer(whole, part):
    """What a forecast says that is better than what the whole dump's says, of devices of which it does not say that it lacks something."""
    unread = {device for row in part["outlook"]["concerns"] if row["kind"] == "tables-unread" for device in row["devices"]}
    for before, after in zip(whole["policies"], part["policies"]):
        devices = {row["device"]: row for row in after["devices"]}
        lost = 0
        for row in before["devices"]:
            other = devices.get(row["device"])
            if other is None:
                lost += 1
            elif SAFETY[other["verdict"]] < SAFETY[row["verdict"]] and (other["verdict"] == "safe" or row["device"] not in unread):
                yield f"{before['policy']}: {row['device']} is {other['verdict']}, whole {row['verdict']}: {other['reason']}"
        if lost and not part["outlook"]["concerns"]:
            yield f"{before['policy']}: {lost} devices are missing without a word"
    before, after = whole["outlook"], part["outlook"]
    unknown = [row for row in after["concerns"] if row["kind"] in ("unknown-state", "tables-unread")]
    if ANSWERS[after["answer"]] < ANSWERS[before["answer"]]:
        yield f"outlook {after['answer']}, whole {before['answer']}"
    writers = lambda outlook: {device for row in outlook["writers"] for device in row["devices"]}
    if (missing := writers(before) - writers(after)) and not unknown:
        yield f"no longer writers: {', '.join(sorted(missing))}"


def facts(document):
    """A document without what a page that is missing always changes: the dump's own figures and what is said of the absence."""
    return {key: value for key, value in document.items() if key not in ("dump", "observations", "notJudged", "cuts", "changedAfterPanic")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("extract")
    parser.add_argument("--vmlinux", help="of a kernel whose dump has no types")
    parser.add_argument("--first", type=lambda text: int(text, 0), default=0, help="start at this physical address")
    parser.add_argument("--stride", type=int, default=1, help="take away every Nth page")
    parser.add_argument("--list", action="store_true", help="print what each page's absence changes")
    args = parser.parse_args()
    tool, extract, out = Tool(args.binary, args.vmlinux), Extract(args.extract), collections.Counter()
    whole = {}
    for verb, more in (("report", []), ("inherit", ["--policy", "all"])):
        status, stdout, stderr = tool.run(verb, [args.extract, *more], "json")
        if status != 0:
            print(f"pages: {args.extract}: {stderr}", file=sys.stderr)
            sys.exit(2)
        whole[verb] = json.loads(stdout)
    reported = Whole(whole["report"])
    with tempfile.TemporaryDirectory(prefix="pages-") as folder:
        copy = os.path.join(folder, "lacking")
        for page in [page for page in extract.pages() if page >= args.first][::args.stride]:
            extract.without(page, copy)
            wrong = []
            status, stdout, stderr = tool.run("report", copy, "json")
            if status not in (0, 2) or status == 2 and not stderr.strip():
                wrong.append(f"report ended with {status}: {stderr[-300:]}")
            elif status == 2:
                out["refused"] += 1
            else:
                part = json.loads(stdout)
                more, absent = lies(reported, part)
                wrong += more + list(changed_states(reported, part))
                same = facts(part) == facts(whole["report"])
                out["same" if same else "different"] += 1
                if (absent or not same) and not announced(part):
                    wrong.append(f"lacks {dict(absent)} or differs in " + ", ".join(
                        key for key in facts(part) if part[key] != whole["report"][key]) + ", and does not say so")
                if args.list and absent:
                    print(f"{page:#x}: {dict(absent)}")
            status, stdout, stderr = tool.run("inherit", [copy, "--policy", "all"], "json")
            if status not in (0, 2) or status == 2 and not stderr.strip():
                wrong.append(f"inherit ended with {status}: {stderr[-300:]}")
            elif status == 0:
                wrong += list(calmer(whole["inherit"], json.loads(stdout)))
            if wrong:
                out["lies"] += 1
                print(f"without {page:#x}: " + "\n  ".join(wrong[:5]) + (f"\n  and {len(wrong) - 5} more" if len(wrong) > 5 else ""))
    print(f"{os.path.basename(args.extract)}: " + ", ".join(f"{count} {name}" for name, count in sorted(out.items())))
    sys.exit(1 if out["lies"] else 0)


if __name__ == "__main__":
    main()
