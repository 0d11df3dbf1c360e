#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Damage a real kdump file in many ways and ask iommuscope and its peers the same of each.

usage: damaged.py IOMMUSCOPE DUMP VMLINUX [--count N] [--seed N] [--tools iommuscope,drgn,makedumpfile,crash] [--python PYTHON]

Half of the N files have fields of headers, bitmaps, page descriptors and packed pages overwritten, as scripts/mutate-fleet does it,
half are cut short. Each tool reads each of them in a process of its own:

  iommuscope    report --format json
  drgn          the list of remapping units, the PCI devices and the log, in Python; PYTHON is one that has drgn
  makedumpfile  -c -d 31 to another file, and --dump-dmesg
  crash         sys, log, and the list of remapping units

A run ends by a signal, by a hang (more than 60 s of processor time), by a refusal (a status that is not 0), or with an answer. An
answer is the sound file's (`same`), another one with words about it on either output (`said`), or another one without a word
(`silent`). For iommuscope another answer is one that torn.py calls a lie, or one that lacks rows; its words are those of the document.
"""
import argparse
import collections
import hashlib
import importlib.machinery
import importlib.util
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

import torn

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 60
WORDS = re.compile(
    r"warning|error|invalid|cannot|can't|could not|corrupt|fail|damaged|incomplete|truncated|unable|traceback|fault:|missing", re.I)
LIST = "list -H dmar_drhd_units -o dmar_drhd_unit.list -s dmar_drhd_unit.reg_base_addr,segment"
DRGN = """
import sys, drgn
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.pci import for_each_pci_dev, pci_name
from drgn.helpers.linux.printk import get_dmesg
prog = drgn.Program()
prog.set_core_dump(sys.argv[1])
prog.load_debug_info([sys.argv[2]])
for unit in list_for_each_entry("struct dmar_drhd_unit", prog["dmar_drhd_units"].address_of_(), "list"):
    print(hex(unit.reg_base_addr), int(unit.segment), hex(unit.iommu.root_entry), int(unit.iommu.gcmd))
for device in for_each_pci_dev(prog):
    print(pci_name(device), hex(device.vendor), hex(device.device))
print(get_dmesg(prog).decode(errors="replace"))
"""


def fleet():
    """The module scripts/mutate-fleet, which finds its own beside itself."""
    scripts = os.path.join(HERE, "../../scripts")
    if scripts not in sys.path:
        sys.path.append(scripts)
    path = os.path.join(scripts, "mutate-fleet")
    loader = importlib.machinery.SourceFileLoader("mutate_fleet", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutate_fleet", loader))
    loader.exec_module(module)
    return module


def limits():
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))


def run(arguments):
    """(status, output, what was said), the status negative for a signal."""
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=limits, cwd=tempfile.gettempdir())
    try:
        out, errors = process.communicate(timeout=3000)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "hang", b"", b""
    return ("hang" if process.returncode in (-signal.SIGXCPU, -signal.SIGKILL) else process.returncode), out, errors


def end(status):
    """How a run ended that gave no answer, or nothing."""
    if status == "hang":
        return "hang"
    if status < 0:
        return f"signal {-status}"
    return None


class Tool:
    """Answers of one tool, held against what it says of the sound file."""

    def __init__(self, args, folder):
        self.args, self.folder, self.outcomes = args, folder, collections.Counter()

    def judge(self, path):
        """signal, hang, refused, same, said, silent."""
        status, answer, said = self.ask(path)
        if ended := end(status):
            return ended
        if status != 0:
            return "refused"
        if answer == self.sound:
            return "same"
        return "said" if WORDS.search(said) and not WORDS.search(self.words) or said != self.words else "silent"

    def learn(self, path):
        status, self.sound, self.words = self.ask(path)
        if status != 0:
            sys.exit(f"damaged: {type(self).__name__} cannot read the sound file ({status}): {self.words[-400:]}")


class Drgn(Tool):
    def ask(self, path):
        status, out, errors = run([self.args.python, "-c", DRGN, path, self.args.vmlinux])
        return status, hashlib.sha256(out).hexdigest(), errors.decode(errors="replace")


class Makedumpfile(Tool):
    def ask(self, path):
        target, log = os.path.join(self.folder, "filtered"), os.path.join(self.folder, "dmesg")
        answers, said = [], ""
        for arguments, result in ((["-c", "-d", "31"], target), (["--dump-dmesg"], log)):
            if os.path.exists(result):
                os.unlink(result)
            status, _, errors = run(["makedumpfile", *arguments, path, result])
            if end(status):
                return status, None, ""
            # Of two answers one may be there and the other refused.
            if status == 0:
                with open(result, "rb") as file:
                    data = file.read()
                # The header holds the time and the host of the making.
                answers.append(hashlib.sha256(data[4096:] if result == target else data).hexdigest())
                said += "".join(line for line in errors.decode(errors="replace").splitlines(True)
                                if WORDS.search(line))
            else:
                answers.append(None)
        return (0 if any(answers) else 1), tuple(answers), said

    def judge(self, path):
        status, answers, said = self.ask(path)
        if ended := end(status):
            return ended
        if status != 0:
            return "refused"
        if answers == self.sound:
            return "same"
        wrong = any(mine is not None and mine != other for mine, other in zip(answers, self.sound))
        return "refused" if not wrong else "said" if said != self.words else "silent"


class Crash(Tool):
    def ask(self, path):
        commands = os.path.join(self.folder, "commands")
        with open(commands, "w") as file:
            file.write(f"sys\nlog\n{LIST}\nquit\n")
        status, out, errors = run(["crash", "-s", "--no_scroll", "-i", commands, self.args.vmlinux, path])
        text = out.decode(errors="replace")
        said = [line for line in text.splitlines() + errors.decode(errors="replace").splitlines()
                if re.match(r"\s*(WARNING|crash|log|list|sys): ", line, re.I)]
        answer = "\n".join(line for line in text.splitlines() if path not in line and "DUMPFILE" not in line)
        return status, hashlib.sha256(answer.encode()).hexdigest(), "\n".join(said)


class Iommuscope(Tool):
    def ask(self, path):
        status, out, errors = run([self.args.iommuscope, "report", path, "--vmlinux", self.args.vmlinux, "--format", "json"])
        return status, out, errors.decode(errors="replace")

    def learn(self, path):
        super().learn(path)
        self.whole = torn.Whole(json.loads(self.sound))

    def judge(self, path):
        status, out, errors = self.ask(path)
        if ended := end(status):
            return ended
        if status != 0:
            return "refused" if errors.strip() else "silent"
        part = json.loads(out)
        wrong, absent = torn.lies(self.whole, part)
        if not wrong and not absent:
            return "same"
        sound = self.whole.report
        is_announced = any(len(part[key]) > len(sound[key]) for key in ("observations", "notJudged", "cuts")) \
            or any(row["rule"] in torn.ADMISSIONS for row in part["findings"]) or errors.strip()
        return "said" if is_announced else "silent"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("iommuscope")
    parser.add_argument("dump")
    parser.add_argument("vmlinux")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tools", default="iommuscope,drgn,makedumpfile,crash")
    parser.add_argument("--python", default=sys.executable)
    args = parser.parse_args()
    mutate = fleet()
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    kinds = {"iommuscope": Iommuscope, "drgn": Drgn, "makedumpfile": Makedumpfile, "crash": Crash}
    counts = {}
    with tempfile.TemporaryDirectory(dir=memory, prefix="damaged-") as folder:
        with open(args.dump, "rb") as file:
            dump = mutate.Dump("dump", os.path.join(folder, "dump"), file.read())
        dump.headers = min(dump.size, 0x40000)
        tools = {name: kinds[name](args, folder) for name in args.tools.split(",")}
        for tool in tools.values():
            tool.learn(dump.path)
        try:
            for number in range(args.count):
                rng = random.Random(f"{args.seed} {number}")
                kind = "truncated" if number % 2 else "mutated"
                what = mutate.cut(dump, rng) if number % 2 else mutate.plain(dump, rng)
                found = {name: tool.judge(dump.path) for name, tool in tools.items()}
                dump.restore()
                for name, outcome in found.items():
                    counts.setdefault((name, kind), collections.Counter())[outcome] += 1
                print(f"{number} {what}: " + ", ".join(f"{name} {outcome}" for name, outcome in found.items()), flush=True)
        finally:
            for (name, kind), outcomes in sorted(counts.items()):
                print(f"{name} {kind}: " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))


if __name__ == "__main__":
    main()
