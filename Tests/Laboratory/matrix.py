#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold every dump of a laboratory against the machine it came from, and print what was compared, cell by cell.

usage: matrix.py IOMMUSCOPE FOLDER [--kernels FOLDER] [--guest NAME …] [--container NAME …] [--output JSON] [--all]

FOLDER has one folder a guest, as `guest.py` describes. Each dump of a guest is a cell. It is reported with what the dump brings
itself and, where KERNELS/*/vmlinux holds the guest's kernel, with that vmlinux too. A cell compares:

  tables       units, contexts, domains and runs with an independent walk of the whole machine's memory (Oracle/hardware.py)
  guest        panic text, domain-ids, groups, types and reserved regions with what the guest said on its console
  trace        every address that the emulated unit translated before the panic with the report's runs and allocator states
  allocator    nodes and states of the IOVA allocators with the leaves of the independent walk
  addresses    `owners` of all memory and `translate` at the edges of runs with the same leaves
  words        the words that `inherit` foretells with those that the crash kernel wrote (Oracle/inherited.py)
  fates        what `inherit` foretells for each device with the crash kernel's later tables and with the trace after the takeover
  guess        the same forecast without the crash kernel's command line given; where it differs it must say on which word it rests
  ids          domain-ids that the crash kernel counted and handed out with those that the forecast has reserved and free
  faults       the faults that `faults` found in the log with those that the emulated unit raised
  history      the invalidation queue with what the emulated unit took from it, trace events with those that the guest printed
  findings     a guest with no planted fault has no finding

Exit status: 0 nothing disagrees, 1 something does (every disagreement is printed), 2 nothing could be compared.
"""
import argparse
import fnmatch
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "Oracle")]

import addresses    # noqa: E402
import allocator    # noqa: E402
import compare      # noqa: E402
import guest as laboratory    # noqa: E402
import hardware     # noqa: E402
import inherited    # noqa: E402
import past         # noqa: E402
import takeover     # noqa: E402

SECTIONS = ("tables", "guest", "trace", "allocator", "addresses", "words", "fates", "guess", "ids", "faults", "history", "findings")


# Kinds of concerns by which a forecast says that it takes the crash kernel's command line for the crashed kernel's.
ASSUMPTIONS = ("pass-through-assumed", "identity-assumed")


class Tool:
    """The program under test."""

    def __init__(self, binary, timeout):
        self.binary, self.timeout = binary, timeout

    def run(self, verb, *arguments):
        """(document or None, exit status, what it said on standard error, seconds)."""
        with tempfile.TemporaryDirectory() as folder:
            output, start = os.path.join(folder, "document"), time.monotonic()
            try:
                done = subprocess.run([self.binary, verb, *arguments, "--format", "json", "--output", output],
                                      stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=self.timeout)
            except subprocess.TimeoutExpired:
                return None, "timeout", "", self.timeout
            seconds = time.monotonic() - start
            if done.returncode not in (0, 1) or not os.path.exists(output):    # 1: `translate` met an address that is not mapped
                return None, done.returncode, done.stderr.strip(), seconds
            return laboratory.read(output), done.returncode, done.stderr.strip(), seconds


class Truth:
    """The witnesses of one guest, each read once."""

    def __init__(self, guest):
        self.guest, self.hardware, self.late = guest, guest.truth(), guest.after()
        image, old, new = hardware.Image(guest.path("crash.elf")), guest.registers("live")[laboratory.RTADDR], guest.registers("crash")[laboratory.RTADDR]
        self.taken_over = old & hardware.ADDRESS != new & hardware.ADDRESS
        self.words = inherited.document(image, old, new) if self.taken_over else None
        with open(guest.path("qemu-trace.log"), errors="replace") as lines:
            self.record = takeover.Record(lines, old & hardware.ADDRESS, new & hardware.ADDRESS)
        with open(guest.path("qemu-trace.log"), errors="replace") as lines:
            self.descriptors = past.descriptors(lines, new & hardware.ADDRESS)

    @functools.lru_cache(maxsize=2)
    def trace(self, path, root, segment):
        return compare.Trace(path, root, segment)


def section(cell, name, work):
    """Run one comparison; whatever it raises is a disagreement with its place, never a lost cell."""
    result = compare.Result(cell["limit"], cell["incomplete"])
    try:
        work(result)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, StopIteration) as error:
        result.fail(f"the comparison failed: {type(error).__name__}: {error}")
    document = result.document()
    cell["compared"][name] = {key: value for key, value in document.items() if key not in ("explanations", "unexplained")}
    cell["explanations"] += [{"section": name, "text": text} for text in document["explanations"]]
    cell["disagreements"] += [{"section": name, "text": text} for text in document["unexplained"]]


def compare_findings(result, report, planted):
    allowed = (*planted.get("findings", ()), *planted.get("required", ())) if planted else ()
    result.count("findings", "in the report", len(report["findings"]))
    for finding in report["findings"]:
        if not any(fnmatch.fnmatchcase(finding["rule"], rule) for rule in allowed):
            result.fail(f"{finding['severity']} {finding['rule']} {finding.get('device') or finding.get('unit') or ''}: {finding['message']}")
    for rule in planted.get("required", ()) if planted else ():
        if not any(fnmatch.fnmatchcase(finding["rule"], rule) for finding in report["findings"]):
            result.fail(f"no finding {rule}, although the guest was given a reason for it: {planted['planted']}")


def compare_carved(result, report, oracle):
    """Without the kernel's structures only tables are left: that is one disagreement, and the carved contexts are compared."""
    result.fail("the kernel's structures could not be read; nothing but carved tables was compared")
    root = oracle["units"][0]["rootTable"]
    unit = next((unit for unit in report["units"] if unit["rootTable"] == root), None)
    if unit is None:
        result.fail(f"the root table {root} was not carved")
        return
    rows = [{**row, "unit": oracle["units"][0]["name"]} for row in report["contexts"] if row["unit"] == unit["name"]]
    compare.compare_contexts(result, {"contexts": rows}, oracle)


def compare_panic(result, report, guest):
    """The panic that the guest printed is the one of the report, and the release is the guest's."""
    if report["dump"]["release"] == guest.release:
        result.count("panic", "release agreed")
    else:
        result.fail(f"release is {report['dump']['release']}, the guest's is {guest.release}")
    if guest.panic is not None and report["dump"]["panic"] != guest.panic:
        result.fail(f"panic is {report['dump']['panic']}, the guest's console has {guest.panic}")
    elif guest.panic is not None:
        result.count("panic", "text agreed")


def compare_faults(result, faults, record, hardware_log):
    """The log's faults against the unit's own: same devices and pages, and none where the unit raised none."""
    raised = {}
    for device, _, page, reason in record.before:
        raised.setdefault((device, page), set()).add(reason)
    result.count("faults", "raised by the unit", len(record.before))
    result.count("faults", "in the log", faults["log"]["faults"])
    if not raised and faults["log"]["faults"]:
        result.fail(f"{faults['log']['faults']} faults in the log, the unit raised none before the takeover")
    if raised and not faults["log"]["faults"] and hardware_log:
        result.fail(f"the guest's console shows faults and the unit raised {len(record.before)}, the tool found none in the log")
    for row in faults["faults"]:
        if row["device"] is None or row["iova"] is None:
            continue                                       # interrupt faults and unit errors have no address to look for
        reasons, reason = raised.get((row["device"], int(row["iova"], 16) & ~0xFFF)), int(row["reason"]["code"], 16)
        if reasons is None:
            result.fail(f"fault of {row['device']} at {row['iova']} in the log, the unit raised none there before the takeover")
        elif reason not in reasons:
            result.fail(f"fault of {row['device']} at {row['iova']}: reason {reason:#x} in the log, the unit raised {', '.join(map(hex, sorted(reasons)))}")
        else:
            result.count("faults", "agreed")


def ask(result, tool, oracle, dump, more):
    document, status, said, _ = tool.run("owners", dump, *addresses.everything(oracle), *more)
    if document is None:
        result.fail(f"owners ended with status {status}: {said}")
    else:
        addresses.compare_owners(result, document, oracle)
    for device, pasid, asked, runs in addresses.questions(oracle):
        one = ["--pasid", str(pasid)] if pasid else []
        document, status, said, _ = tool.run("translate", dump, "--device", device, *one, *map(hex, asked), *more)
        if document is None:
            result.fail(f"translate of {device} ended with status {status}: {said}")
        else:
            addresses.compare_translations(result, device, asked, runs, document)


def compare_guess(result, policy, guess):
    """The forecast with the crash kernel's command line against the one without, which may rest on a word if it says so."""
    other = next(row for row in guess["policies"] if row["policy"] == "linux")
    stated = {device for row in guess["outlook"]["concerns"] if row["kind"] in ASSUMPTIONS for device in row["devices"]}
    ours, theirs = ({row["device"]: (row["at"], row["verdict"]) for row in rows["devices"]} for rows in (other, policy))
    for device in sorted(stated & ours.keys() & theirs.keys()):
        # A word decides what an attach does, and nothing before it.
        if ours[device] != theirs[device] and all(ours[device][0][moment] == theirs[device][0][moment] for moment in ("T1", "T2")):
            result.count("guess", "rests on a word that the document names")
            result.explain(f"{device}: foretold under a command line like the crashed kernel's, as the document says; the crash kernel's was another")
            del ours[device], theirs[device]
    result.pair("guess", ours, theirs, "without the crash kernel's command line, fate of")


def compare_forecast(cell, truth, forecast, guess):
    policy = next(row for row in forecast["policies"] if row["policy"] == "linux")
    unit = next((row for row in policy["units"] if row["unit"] == "dmar0"), policy["units"][0])

    def words(result):
        if not truth.taken_over:
            raise ValueError("the crash kernel did not switch the root pointer in this image")
        wrong = list(inherited.differences(truth.words, unit))
        result.count("words", "roots", len(truth.words["roots"]))
        result.count("words", "contexts", len(truth.words["contexts"]))
        for text in wrong:
            result.fail(text)

    def fates(result):
        attached = takeover.compare_trace(result, policy["devices"], truth.hardware, truth.record, compare.Mapped)
        if truth.late:
            takeover.compare_tables(result, policy["devices"], truth.hardware, truth.late, attached)

    def ids(result):
        takeover.compare_ids(result, unit["unit"], truth.hardware, truth.late, unit["domainIDs"]["reserved"], unit["domainIDs"]["firstFree"],
                             truth.guest.crash_domains_used().get(unit["unit"]))

    section(cell, "words", words)
    section(cell, "fates", fates)
    section(cell, "ids", ids)
    if guess:
        section(cell, "guess", lambda result: compare_guess(result, policy, guess))


def open_cell(guest, container, types, vmlinux, limit):
    return {"guest": guest.name, "release": guest.release, "container": container, "types": types, "vmlinux": bool(vmlinux),
            "planted": guest.planted, "limit": limit, "incomplete": bool(guest.options.get("incomplete")), "status": None, "said": [],
            "seconds": {}, "compared": {}, "explanations": [], "disagreements": []}


def fill(cell, tool, guest, truth, container, vmlinux):
    dump, more = guest.path(container), ["--vmlinux", vmlinux] if vmlinux else []
    report, status, said, seconds = tool.run("report", dump, *more)
    cell["status"], cell["seconds"]["report"] = status, round(seconds, 3)
    cell["said"] += [line for line in said.splitlines() if line]
    if report is None:
        cell["disagreements"].append({"section": "tables", "text": f"report ended with status {status}: {said.splitlines()[0] if said else 'without a word'}"})
        return
    cell["dump"] = {key: report["dump"].get(key) for key in ("format", "release", "typesFrom", "panic")}
    if all(unit["rootFrom"] == "carved" for unit in report["units"]):
        section(cell, "tables", lambda result: compare_carved(result, report, truth.hardware))
        return

    def tables(result):
        compare.compare_units(result, report, truth.hardware)
        compare.compare_contexts(result, report, truth.hardware)
        compare.compare_domains(result, report, truth.hardware)
    section(cell, "tables", tables)

    def account(result):
        compare.compare_console(result, report, guest.first)
        compare_panic(result, report, guest)
    section(cell, "guest", account)
    section(cell, "trace", lambda result: compare.compare_trace(result, report, guest.path("qemu-trace.log"), truth.trace))
    section(cell, "allocator", lambda result: allocator.compare_allocators(result, report, truth.hardware))
    section(cell, "findings", lambda result: compare_findings(result, report, guest.options if guest.planted else None))
    section(cell, "addresses", lambda result: ask(result, tool, truth.hardware, dump, more))
    faults, status, said, cell["seconds"]["faults"] = tool.run("faults", dump, *more)
    logged = any(re.search(r"DMAR:.*(fault addr|Request device)", line) for line in guest.first)

    def fault_lines(result):
        if faults is None:
            raise ValueError(f"faults ended with status {status}: {said}")
        compare_faults(result, faults, truth.record, logged)
    section(cell, "faults", fault_lines)

    def happened(result):
        document, ended, words, _ = tool.run("history", dump, *more)
        if document is None:
            raise ValueError(f"history ended with status {ended}: {words}")
        past.compare_queue(result, document, truth.descriptors)
        past.compare_events(result, document, guest.first)
    section(cell, "history", happened)
    given = []
    if guest.crash_command_line:
        given += ["--crash-command-line", guest.crash_command_line]
    drivers = guest.options.get("crashDrivers")
    if drivers is not None:
        given += ["--crash-drivers", ",".join(drivers)]
    forecast, status, said, cell["seconds"]["inherit"] = tool.run("inherit", dump, "--policy", "linux", *given, *more)
    guess = tool.run("inherit", dump, "--policy", "linux", *given[2 if guest.crash_command_line else 0:], *more)[0] if given else None
    if forecast is None:
        cell["disagreements"].append({"section": "words", "text": f"inherit ended with status {status}: {said}"})
    else:
        compare_forecast(cell, truth, forecast, guess)


# Printing ----------------------------------------------------------------------------------------------------------------------------

def facts(cell):
    """The counts that show how much a cell compared, in one line."""
    def count(name, part, *keys):
        rows = cell["compared"].get(name, {}).get(part, {})
        return sum(value for key, value in rows.items() if isinstance(value, int) and any(key.startswith(prefix) for prefix in keys))
    traced = sum(sum(part.get(key, 0) for key in ("agreed", "gone", "remapped")) for name, part in cell["compared"].get("trace", {}).items() if name.startswith("trace-"))
    words = cell["compared"].get("words", {}).get("words", {})
    return (f"contexts {count('tables', 'contexts', 'agreed')}, runs {count('tables', 'runs', 'agreed')}, traced pages {traced}, "
            f"groups {count('guest', 'groups', 'agreed')}, regions {count('guest', 'reservedRegions', 'agreed')}, "
            f"allocator nodes {count('allocator', 'allocator', 'agreed')}, owners' runs {count('addresses', 'owners', 'runs agreed')}, "
            f"translations {count('addresses', 'translate', 'mapped', 'not mapped')}, words {words.get('roots', 0)}+{words.get('contexts', 0)}, "
            f"fates {count('fates', 'fate-tables', 'agreed')} by tables and {count('fates', 'fate-trace', 'devices')} by trace, "
            f"faults {count('faults', 'faults', 'in the log')}, descriptors {count('history', 'queue', 'descriptors')}, "
            f"events {count('history', 'events', 'agreed')}, findings {count('findings', 'findings', 'in the report')}")


def word(cell, name):
    wrong = sum(1 for row in cell["disagreements"] if row["section"] == name)
    if wrong:
        return str(wrong)
    return "ok" if name in cell["compared"] else "-"


def show(document, every, out=sys.stdout):
    rows = [("guest", "kernel", "mode", "dump", "types", *SECTIONS)]
    for cell in document["cells"]:
        rows.append((cell["guest"], cell["release"] or "?", cell["label"], cell["container"], cell["types"], *(word(cell, name) for name in SECTIONS)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip(), file=out)
    print("\nok: compared, agrees; a number: disagreements; -: not compared\n", file=out)
    for cell in document["cells"]:
        print(f"{cell['guest']} {cell['container']} {cell['types']}: {facts(cell)}", file=out)
        if cell["planted"]:
            print(f"    planted: {cell['planted']}", file=out)
        for row in cell["disagreements"]:
            print(f"    {row['section']}: {row['text']}", file=out)
        if every:
            for row in cell["explanations"]:
                print(f"    ({row['section']}: {row['text']})", file=out)
            for line in cell["said"]:
                print(f"    (said: {line})", file=out)
    for row in document["skipped"]:
        print(f"{row['guest']}: not compared, {row['reason']}", file=out)
    total = document["totals"]
    print(f"\n{total['guests']} guests, {total['cells']} cells, {total['clean']} without a disagreement, {total['disagreements']} disagreements", file=out)


def survey(tool, guests, kernels, containers, limit, progress=lambda text: None):
    """The matrix as a document; guests whose files do not suffice are listed, not lost."""
    cells, skipped = [], []
    for guest in guests:
        absent = laboratory.missing(guest)
        if absent:
            skipped.append({"guest": guest.name, "reason": f"it has no {', '.join(absent)}"})
            continue
        progress(f"{guest.name}: reading the hardware's side")
        truth = Truth(guest)
        mode = guest.mode(truth.hardware)
        own = guest.options.get("needsVmlinux", False)
        vmlinux = kernels.get(guest.banners[0]) if guest.banners else None
        for container in guest.containers:
            if containers and container not in containers:
                continue
            for types, given in (("dump", None), ("vmlinux", vmlinux)):
                if types == "vmlinux" and not vmlinux or types == "dump" and own:
                    continue
                progress(f"{guest.name}: {container}, {types}")
                cell = open_cell(guest, container, types, given, limit)
                cell["mode"], cell["label"] = mode, laboratory.label(mode)
                fill(cell, tool, guest, truth, container, given)
                del cell["limit"]
                cells.append(cell)
    clean = sum(1 for cell in cells if not cell["disagreements"])
    return {"schema": "iommuscope-laboratory/1", "cells": cells, "skipped": skipped,
            "totals": {"guests": len({cell["guest"] for cell in cells}), "cells": len(cells), "clean": clean,
                       "disagreements": sum(len(cell["disagreements"]) for cell in cells)}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help="the program under test")
    parser.add_argument("folder", help="folder of guests, or one guest")
    parser.add_argument("--kernels", metavar="FOLDER", help="folder with one folder a kernel, each with its vmlinux")
    parser.add_argument("--guest", action="append", default=[], metavar="NAME", help="only this guest; may be repeated")
    parser.add_argument("--container", action="append", default=[], choices=laboratory.CONTAINERS, help="only this dump of each guest")
    parser.add_argument("--limit", type=int, default=20, help="disagreements to list per comparison (default 20)")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one run of the program (default 300)")
    parser.add_argument("--output", metavar="JSON", help="write the whole matrix there as well")
    parser.add_argument("--all", action="store_true", help="print explanations and what the program said too")
    args = parser.parse_args()
    try:
        guests = [guest for guest in laboratory.guests(args.folder) if not args.guest or guest.name in args.guest]
        kernels = laboratory.kernels(args.kernels)
    except OSError as error:
        print(f"matrix: {error}", file=sys.stderr)
        sys.exit(2)
    document = survey(Tool(os.path.abspath(args.binary), args.timeout), guests, kernels, args.container, args.limit,
                      (lambda text: print(text, file=sys.stderr)) if sys.stderr.isatty() else lambda text: None)
    if not document["cells"]:
        print("matrix: no guest with the files that are needed; see guest.py", file=sys.stderr)
    show(document, args.all)
    if args.output:
        with open(args.output, "w") as out:
            json.dump(document, out, indent=1, ensure_ascii=False)
            out.write("\n")
    sys.exit(2 if not document["cells"] else 1 if document["totals"]["disagreements"] else 0)


if __name__ == "__main__":
    main()
