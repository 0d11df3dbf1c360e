#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_terminal.py PROGRAM SAMPLE

Runs the program on a terminal of 24 rows: what is longer goes through a pager, which a reader leaves when it
pleases; what is shorter, or is not text, does not. Needs less(1).
"""

import fcntl
import os
import pty
import select
import shutil
import struct
import sys
import termios
import time


def run(words, keys=(), **variables):
    """The exit status and what stood on the terminal.

    Each of `keys` is typed when the terminal has been silent for a moment, the last again and again: a pager
    that waits for the rest of its input drops what is typed meanwhile.
    """
    process, terminal = pty.fork()
    if process == 0:
        for name in ("PAGER", "IOMMUSCOPE_PAGER", "LESS", "NO_COLOR"):
            os.environ.pop(name, None)
        os.environ.update({"TERM": "xterm", **variables})
        # The size is set before anything looks at it.
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        os.execvp(words[0], words)
    shown, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.3)[0]:
            try:
                more = os.read(terminal, 1 << 16)
            except OSError:
                break
            if not more:
                break
            shown += more
        elif keys and shown:
            os.write(terminal, keys[0])
            keys = keys[1:] or keys
    else:
        os.kill(process, 9)
        raise AssertionError(f"{words}, {keys}: still there after a minute: {shown[-2000:]!r}")
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown


def main(program, sample):
    # A slow machine is told what is being done, on the same terminal.
    report = [os.path.abspath(program), "report", sample, "--quiet"]
    status, whole = run([*report, "--no-pager"])
    assert (status, whole.count(b"\n") > 100) == (0, True), whole[-200:]
    assert b"\x1b[1mFINDINGS" in whole
    for words in ([*report, "--sections", "reserved", "--limit", "3"], [*report, "--format", "json"]):
        # Would never end if it waited for a key.
        assert run(words)[0] == 0
    for variables in ({"PAGER": "cat"}, {"PAGER": "", "LESS": "x"}, {"TERM": "dumb", "PAGER": "less"}):
        assert run(report, **variables)[0] == 0
    # A pager that leaves at once, one that is not there, and one whose words are the shell's.
    status, shown = run(report, PAGER="head -n 2")
    assert (status, shown.count(b"\n")) == (0, 2), shown
    status, shown = run(report, PAGER="no-such-pager-here")
    assert status == 0 and whole.replace(b"\r", b"")[-200:] in shown.replace(b"\r", b""), shown[-300:]
    status, shown = run(report, PAGER="less", IOMMUSCOPE_PAGER="sed 's/^/>/' | tail -n 1")
    assert (status, shown) == (0, b">  nothing\r\n"), shown
    # Errors are no result, and their status is not the pager's.
    assert run([*report[:2], "/nonexistent"])[0] == 2
    if shutil.which("less"):
        # Left after the first screen; after an interrupt; at the end.
        for keys in ([b"q"], [b"\x03", b"q"], [b"G", b"q"]):
            status, shown = run(report, keys)
            assert status == 0, (keys, shown[-200:])
            assert b"FINDINGS" in shown or keys[0] != b"G", shown[-200:]
            assert shown.count(b"\n") < 80, keys
    print("terminal: pagers, interrupts and short results are as they should be")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
