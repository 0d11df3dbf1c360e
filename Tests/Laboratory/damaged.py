#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Damage a real kdump file in many ways and ask iommuscope and its peers the same of each.

usage: damaged.py IOMMUSCOPE DUMP VMLINUX [--count N] [--seed N] [--tools iommuscope,drgn,makedumpfile,crash] [--python PYTHON]
                  [--memory] [--verbs N] [--jobs N]

Half of the N files have fields of headers, bitmaps, page descriptors and packed pages overwritten, as scripts/mutate-fleet does it,
half are cut short. Each tool reads each of them in a process of its own:

  iommuscope    report --format json
  drgn          the list of remapping units, the PCI devices and the log, in Python; PYTHON is one that has drgn
  makedumpfile  -c -d 31 to another file, and --dump-dmesg
  crash         sys, log, and the list of remapping units

A run ends by a signal, by a hang (more than 60 s of processor time), by a refusal (a status that is not 0), or with an answer. An
answer is the sound file's (`same`), another one with words about it on either output (`said`), or another one without a word
(`silent`). For iommuscope another answer is one that torn.py calls a lie, or one that lacks rows; its words are those of the document.

crash takes seconds to start with a vmlinux, drgn one. With --memory both are asked for physical memory alone, and so for thousands of
files: the words of the tables that the sound file's report names, by `rd -p` in a minimal session of crash whose vmlinux has the few
symbols that crash itself names, and by Program.read() in a process of drgn that is forked for each file. makedumpfile then gives the
log of each file, and filters every tenth. --verbs draws so many verbs of iommuscope besides `report`, which must end by themselves
with status 0, 1 or 2 and within the fleet's limits; what does not is printed as `verb: …`.
"""
import argparse
import collections
import hashlib
import importlib.machinery
import importlib.util
import json
import multiprocessing
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
# Reads a path a line and answers with a line of JSON: status, hash of the words, what was said.
DRGN_MEMORY = """
import hashlib, json, os, resource, sys, drgn
pages = [int(word, 16) for word in sys.argv[1].split(",")]
for path in sys.stdin:
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
        said, words, failures = [], b"", 0
        try:
            prog = drgn.Program()
            prog.set_core_dump(path.rstrip("\\n"))
        except Exception as error:
            os.write(into, json.dumps(["", str(error)]).encode())
            os._exit(1)
        for page in pages:
            try:
                words += prog.read(page, 4096, physical=True)
            except Exception as error:
                said.append(f"{page:#x}: {type(error).__name__}")
                words += b"?"
        os.write(into, json.dumps([hashlib.sha256(words).hexdigest(), " ".join(said)]).encode())
        os._exit(1 if len(said) == len(pages) else 0)
    os.close(into)
    with os.fdopen(out, "rb") as answer:
        answer = answer.read()
    _, status = os.waitpid(pid, 0)
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    print(json.dumps([code] + (json.loads(answer) if answer else ["", ""])), flush=True)
""".replace("SECONDS", str(SECONDS))
NAMELIST = "struct task_struct { int pid; } task;\n"
DEBUG = (".debug_info", ".debug_abbrev", ".debug_line", ".debug_str", ".debug_aranges")


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


def tables(report, limit=24):
    """Physical addresses of remapping tables that a report names: pages that a reader must give whole."""
    named = [unit["rootTable"] for unit in report["units"]] + [row["entry"] for row in report["contexts"]]
    named += [row["table"] for row in report["domains"]]
    return sorted({int(address, 16) & ~0xFFF for address in named if address})[:limit]


class Drgn(Tool):
    def ask(self, path):
        status, out, errors = run([self.args.python, "-c", DRGN, path, self.args.vmlinux])
        return status, hashlib.sha256(out).hexdigest(), errors.decode(errors="replace")


class DrgnMemory(Tool):
    def __init__(self, args, folder):
        super().__init__(args, folder)
        self.server = subprocess.Popen(
            [args.python, "-c", DRGN_MEMORY, ",".join(map(hex, args.pages))], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)

    def ask(self, path):
        self.server.stdin.write(path + "\n")
        self.server.stdin.flush()
        status, answer, said = json.loads(self.server.stdout.readline())
        return ("hang" if status in (-signal.SIGXCPU, -signal.SIGKILL) else status), answer, said


class Makedumpfile(Tool):
    def ask(self, path):
        target, log = os.path.join(self.folder, "filtered"), os.path.join(self.folder, "dmesg")
        answers, said = [], ""
        filters = [] if self.args.memory and self.args.number % 10 else [(["-c", "-d", "31"], target)]
        for arguments, result in (*filters, (["--dump-dmesg"], log)):
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
        # The log is the last of them.
        sound = self.sound[-len(answers):]
        if answers == sound:
            return "same"
        wrong = any(mine is not None and mine != other for mine, other in zip(answers, sound))
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


class CrashMemory(Tool):
    def __init__(self, args, folder):
        super().__init__(args, folder)
        self.commands = os.path.join(folder, "commands")
        with open(self.commands, "w") as file:
            file.write("".join(f"rd -p {page:#x} 512\n" for page in args.pages) + "quit\n")
        self.namelist = namelist(args.vmlinux, folder)

    def ask(self, path):
        status, out, errors = run(["crash", "-s", "--minimal", "--no_scroll", "-i", self.commands, self.namelist, path])
        lines = out.decode(errors="replace").splitlines() + errors.decode(errors="replace").splitlines()
        words = [line for line in lines if re.match(r" *[0-9a-f]+:  ", line)]
        said = [line for line in lines if re.match(r"\s*(WARNING|crash|rd): ", line, re.I)]
        return (status if words or status else 1), hashlib.sha256("\n".join(words).encode()).hexdigest(), "\n".join(said)


def namelist(vmlinux, folder):
    """A vmlinux with the symbols that crash itself names and one type, so that crash starts in hundredths of a second."""
    def call(*arguments):
        return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout

    file = {name: os.path.join(folder, name) for name in ("type.c", "type", "keep", "bare", "namelist")}
    with open(file["type.c"], "w") as source:
        source.write(NAMELIST)
    call("gcc", "-gdwarf-4", "-nostdlib", "-Wl,-e,0", "-o", file["type"], file["type.c"])
    known = {line.split()[-1] for line in call("nm", vmlinux).splitlines()}
    spoken = set(call("strings", "-n", "4", os.path.realpath(shutil.which("crash"))).split())
    with open(file["keep"], "w") as kept:
        kept.write("\n".join(sorted(known & spoken | {"_text", "_stext", "_end"} & known)) + "\n")
    call("objcopy", "--strip-all", f"--keep-symbols={file['keep']}", vmlinux, file["bare"])
    added = []
    for section in DEBUG:
        data = os.path.join(folder, section)
        call("objcopy", "-O", "binary", f"--only-section={section}", "--set-section-flags", f"{section}=alloc", file["type"], data)
        added += ["--add-section", f"{section}={data}", "--set-section-flags", f"{section}=debug,readonly,contents"]
    call("objcopy", *added, file["bare"], file["namelist"])
    return file["namelist"]


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


def work(args, mutate, kinds, job, folder, results):
    """Every `jobs`th file, from `job` on: a line for each; the counts go to `results`."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    counts, endings = {}, mutate.Fleet(args.iommuscope)
    try:
        os.mkdir(folder)
        with open(args.dump, "rb") as file:
            dump = mutate.Dump("dump", os.path.join(folder, "dump"), file.read())
        dump.headers = min(dump.size, 0x40000)
        tools = {name: kinds[name](args, folder) for name in args.tools.split(",")}
        args.number = 0
        for tool in tools.values():
            tool.learn(dump.path)
        for args.number in range(job, args.count, args.jobs):
            rng = random.Random(f"{args.seed} {args.number}")
            kind = "truncated" if args.number % 2 else "mutated"
            what = mutate.cut(dump, rng) if args.number % 2 else mutate.plain(dump, rng)
            found = {name: tool.judge(dump.path) for name, tool in tools.items()}
            verbs = rng.sample(mutate.VERBS[1:], args.verbs)
            faults = [f"verb: {fault}" for verb in verbs if (fault := endings.run(verb, dump, args.dump))]
            dump.restore()
            endings.forms.setdefault(os.path.basename(args.dump), [0, 0])[args.number % 2] += 1
            for name, outcome in found.items():
                counts.setdefault((name, kind), collections.Counter())[outcome] += 1
            print(f"{args.number} {what}: " + ", ".join([f"{name} {outcome}" for name, outcome in found.items()] + faults),
                  flush=True)
    finally:
        results.put((counts, endings.figures()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("iommuscope")
    parser.add_argument("dump")
    parser.add_argument("vmlinux")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tools", default="iommuscope,drgn,makedumpfile,crash")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--verbs", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    # Each tool runs in a folder of its own.
    args.iommuscope, args.dump, args.vmlinux = map(os.path.abspath, (args.iommuscope, args.dump, args.vmlinux))
    mutate = fleet()
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    kinds = {"iommuscope": Iommuscope, "drgn": Drgn, "makedumpfile": Makedumpfile, "crash": Crash}
    if args.memory:
        kinds |= {"drgn": DrgnMemory, "crash": CrashMemory}
        _, report, _ = Iommuscope(args, None).ask(args.dump)
        args.pages = tables(json.loads(report))
    results = multiprocessing.Queue()
    with tempfile.TemporaryDirectory(dir=memory, prefix="damaged-") as folder:
        workers = [multiprocessing.Process(target=work, args=(args, mutate, kinds, job, os.path.join(folder, str(job)), results))
                   for job in range(args.jobs)]
        for worker in workers:
            worker.start()
        # Ends the workers, whose figures are printed still.
        signal.signal(signal.SIGTERM, lambda *_: [worker.terminate() for worker in workers])
        counts, endings = {}, mutate.Fleet(args.iommuscope)
        for _ in workers:
            part, figures = results.get()
            endings.add(figures)
            for key, outcomes in part.items():
                counts.setdefault(key, collections.Counter()).update(outcomes)
        for worker in workers:
            worker.join()
    for (name, kind), outcomes in sorted(counts.items()):
        print(f"{name} {kind}: " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))
    if args.verbs:
        print(endings.summary())
    sys.exit(any(worker.exitcode for worker in workers))


if __name__ == "__main__":
    main()
