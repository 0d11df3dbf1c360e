#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What one guest of a laboratory left in its folder, read without the tool under test.

A folder holds `console.log` (both kernels' consoles), register files (`live.vtd-regs.json` from before the panic,
`crash.vtd-regs.json` and `late.vtd-regs.json` with the images of the same names), whole-machine images (`crash.elf` when the
crash kernel has taken the unit over and attached nothing, `late.elf` when its drivers are up), the dumps that the crash kernel
saved (`vmcore`, `vmcore.kdump`) and `qemu-trace.log`, every translation and fault of the emulated unit.

`laboratory.json`, where it exists, says what no console tells: `planted` (a sentence: what is wrong on purpose), `findings`
(rules that may or must speak for that reason), `crashDrivers` (what the crash kernel could attach, where its command line took
drivers away).
"""
import json
import mmap
import os
import re

import hardware

CONTAINERS = ("vmcore", "vmcore.kdump", "crash.elf")
RTADDR, CAP, ECAP = 0x20, 0x08, 0x10
CAP_CACHING_MODE, CAP_MGAW_SHIFT = 1 << 7, 16
PANIC = re.compile(r"Kernel panic - not syncing: (.*)")
BOOT = re.compile(r"LAB: boot (Linux version (\S+).*)")


class Guest:
    def __init__(self, folder):
        self.folder, self.name = folder, os.path.basename(os.path.normpath(folder))
        with open(self.path("console.log"), errors="replace") as file:
            self.lines = file.read().splitlines()
        boots = [number for number, line in enumerate(self.lines) if BOOT.search(line)]
        self.banners = [same_build(BOOT.search(self.lines[number])[1].strip()) for number in boots]
        self.releases = [BOOT.search(self.lines[number])[2] for number in boots]
        # The kernel's own first lines stand before its `LAB: boot`; a boot begins where the clock starts again.
        self.first = self.lines[:boots[1]] if len(boots) > 1 else self.lines
        self.second = self.lines[boots[1]:] if len(boots) > 1 else []
        self.command_lines = self.unique(r"Command line: (.*)")
        options = self.path("laboratory.json")
        self.options = read(options) if os.path.exists(options) else {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def has(self, name):
        return os.path.exists(self.path(name))

    def unique(self, pattern):
        """First groups of the lines that match, in order, each once."""
        found = []
        for line in self.lines:
            match = re.search(pattern, line)
            if match and match[1].strip() not in found:
                found.append(match[1].strip())
        return found

    @property
    def release(self):
        return self.releases[0] if self.releases else None

    @property
    def panic(self):
        """What the first kernel said when it panicked, or None where its console does not have it."""
        return next((match[1].strip() for match in map(PANIC.search, self.first) if match), None)

    @property
    def planted(self):
        return self.options.get("planted")

    @property
    def crash_command_line(self):
        return next((line for line in self.command_lines if "elfcorehdr=" in line or "labrole=crash" in line), None)

    def registers(self, moment):
        return hardware.registers(self.path(f"{moment}.vtd-regs.json"))

    @property
    def containers(self):
        return [name for name in CONTAINERS if self.has(name)]

    def truth(self):
        """The panicked kernel's tables as the hardware walks them, out of the image that the crash kernel left."""
        return hardware.walk(hardware.Image(self.path("crash.elf")), self.registers("crash"), self.registers("live")[RTADDR])

    def after(self):
        """What the crash kernel's drivers made of the tables, or None without that image."""
        if not self.has("late.elf") or not self.has("late.vtd-regs.json"):
            return None
        registers = self.registers("late")
        return hardware.walk(hardware.Image(self.path("late.elf")), registers, registers[RTADDR])

    def crash_domains_used(self):
        """Domain-ids in use when the crash kernel had copied the tables, by its own account: {unit: count}."""
        return {unit: int(count) for unit, count in re.findall(r"LAB: crash /sys/class/iommu/(\w+)/intel-iommu/domains_used = (\d+)", "\n".join(self.second))}

    def mode(self, truth):
        """The cell's coordinates, from tables, registers and console."""
        kinds = sorted({row["translation"] for row in truth["contexts"]} - {"none"})
        registers, text = self.registers("crash"), "\n".join(self.first)
        words = (self.command_lines or [""])[0].split()
        if re.search(r"TLB invalidation policy: strict|forcing (batched|strict)|iommu\.strict=1|intel_iommu=\S*strict", text):
            policy = "strict"
        elif re.search(r"TLB invalidation policy: lazy|type=DMA-FQ", text):
            policy = "lazy"
        else:
            policy = "default"
        processors = re.search(r"Brought up \d+ nodes?, (\d+) CPU|Brought up (\d+) CPUs", text)
        return {"tables": truth["units"][0]["tableMode"], "stages": kinds, "policy": policy,
                "addressBits": (registers[CAP] >> CAP_MGAW_SHIFT & 0x3F) + 1, "cachingMode": bool(registers[CAP] & CAP_CACHING_MODE),
                "forcedac": "iommu.forcedac=1" in words or any("forcedac" in word for word in words if word.startswith("intel_iommu=")),
                "processors": int(processors[1] or processors[2]) if processors else None, "pageTableLevels": self.page_table_levels(),
                "moved": "nokaslr" not in words}

    def page_table_levels(self):
        """Levels of the processor's page tables, as the kernel's note in the dump has them; None where it does not say."""
        if not self.has("vmcore"):
            return None
        with open(self.path("vmcore"), "rb") as file:
            found = re.search(rb"NUMBER\(pgtable_l5_enabled\)=(\d)", file.read(1 << 16))
        return (5 if found[1] == b"1" else 4) if found else None


def label(mode):
    """A mode in a few words, for the rows of the table."""
    stage = "+".join({"second-stage": "second", "first-stage": "first"}.get(kind, kind) for kind in mode["stages"])
    words = [mode["tables"], stage, mode["policy"]]
    if mode["addressBits"] != 48:
        words.append(f"{mode['addressBits']}-bit")
    words += [name for name, present in (("caching-mode", mode["cachingMode"]), ("forcedac", mode["forcedac"])) if present]
    if (mode["processors"] or 1) > 1:
        words.append(f"{mode['processors']} cpus")
    if mode.get("pageTableLevels") == 5:
        words.append("5-level processor tables")
    if not mode.get("moved", True):
        words.append("nokaslr")
    return " ".join(words)


def read(path):
    with open(path) as file:
        return json.load(file)


def guests(folder):
    """Every guest below a folder, or the folder itself where it is one; by name."""
    if os.path.exists(os.path.join(folder, "console.log")):
        return [Guest(folder)]
    names = sorted(name for name in os.listdir(folder) if os.path.exists(os.path.join(folder, name, "console.log")))
    return [Guest(os.path.join(folder, name)) for name in names]


def missing(guest):
    """Files without which nothing can be compared."""
    needed = ("crash.elf", "crash.vtd-regs.json", "live.vtd-regs.json", "qemu-trace.log")
    return [name for name in needed if not guest.has(name)]


# vmlinux files -----------------------------------------------------------------------------------------------------------------------

def same_build(text):
    """A version line without the count of builds: distributions keep it out of the vmlinux that they debug with."""
    return re.sub(r"#\d* ", "# ", text)


def banners(path):
    """The version lines in a vmlinux, one as /proc/version prints it but for the count of builds; some hold an unfinished one too."""
    found = set()
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        at = -1
        while (at := data.find(b"Linux version ", at + 1)) >= 0:
            text = data[at:at + 512].split(b"\n")[0].split(b"\0")[0]
            if b"%" not in text and b"(" in text:          # not the format string of /proc/version
                found.add(same_build(text.decode("utf-8", "replace")))
    return found


def kernels(folder):
    """{version line: vmlinux} of FOLDER/*/vmlinux."""
    found = {}
    for name in sorted(os.listdir(folder)) if folder and os.path.isdir(folder) else []:
        path = os.path.join(folder, name, "vmlinux")
        if os.path.exists(path):
            found |= dict.fromkeys(banners(path), path)
    return found
