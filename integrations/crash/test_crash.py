#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_crash.py [CRASH_VMLINUX VMCORE]: iommuscope-crash below a crash that is made up, or a real one.

The program that is run prints its arguments. With a vmlinux and a vmcore the same is done at the prompt of
crash(8), which has to be installed, with the program that IOMMUSCOPE names.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

SCRIPT = pathlib.Path(__file__).with_name("iommuscope-crash")


def ask(folder, command_line, *arguments, name="crash"):
    """What is run for a command line of crash, or the exit status and the message."""
    process = folder / "proc" / str(os.getpid())
    process.mkdir(parents=True, exist_ok=True)
    (process / "comm").write_text(name + "\n")
    (process / "status").write_text(f"Name:\t{name}\nPPid:\t0\n")
    (process / "cmdline").write_bytes(b"\0".join(os.fsencode(word) for word in command_line) + b"\0")
    if not (process / "cwd").exists():
        (process / "cwd").symlink_to(folder)
    program = folder / "iommuscope"
    program.write_text("#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done\n")
    program.chmod(0o755)
    ended = subprocess.run(
        [str(SCRIPT), *arguments],
        env={**os.environ, "PROC": str(folder / "proc"), "IOMMUSCOPE": str(program)},
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        return ended.returncode, ended.stderr
    return ended.stdout.splitlines()


def check_made_up(folder):
    """Command lines of crash, and what becomes of them."""
    kernel, dump, part = (str(folder / name) for name in ("vmlinux", "vm core", "part.2"))
    pathlib.Path(kernel).write_bytes(b"\x7fELF\2\1\1\0rest")
    pathlib.Path(dump).write_bytes(b"KDUMP   rest")
    pathlib.Path(part).write_bytes(b"makedumpfile\0")
    (folder / "commands").write_text("bt\n")
    standard = ["--sections", "summary,findings,missing"]
    cases = [
        (["crash", kernel, dump], [], ["report", kernel, dump, *standard]),
        (["crash", dump], ["faults"], ["faults", dump]),
        (["crash", "-s", "-i", "commands", "vmlinux", "vm core"], ["inherit", "--policy", "all"],
         ["inherit", kernel, dump, "--policy", "all"]),
        # Arguments stay words, whatever is in them; parts of a dump all follow the verb.
        (["crash", kernel, dump, part], ["faults", "--line", "a  b *"],
         ["faults", kernel, dump, part, "--line", "a  b *"]),
        (["crash", kernel, f"{dump}@0"], ["carve"], ["carve", kernel, f"{dump}@0"]),
    ]
    for command_line, arguments, expected in cases:
        found = ask(folder, command_line, *arguments)
        assert found == expected, f"{command_line} {arguments}: {found}"
    assert ask(folder, ["crash", kernel, "/proc/kcore"])[0] == 2
    assert ask(folder, ["crash", "-h"])[0] == 2
    status, message = ask(folder, ["bash"], name="bash")
    assert (status, "not started from crash" in message) == (64, True), message


def check_real(kernel, dump, folder):
    """The same at crash's prompt: the report is the program's."""
    commands = folder / "commands"
    commands.write_text(f"!{SCRIPT} report --sections summary,findings\nquit\n")
    said = subprocess.run(
        ["crash", "-s", "-i", str(commands), kernel, dump],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
    ).stdout
    program = os.environ.get("IOMMUSCOPE", "iommuscope")
    mine = subprocess.run(
        [program, "report", kernel, dump, "--sections", "summary,findings"],
        capture_output=True, text=True, check=True,
    ).stdout
    assert mine in said, said


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name).resolve()
        check_made_up(folder)
        if len(sys.argv) == 3:
            check_real(*map(os.path.abspath, sys.argv[1:]), folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
