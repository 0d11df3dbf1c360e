#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times whole processes beside each other, in one run, and prints ratios.

Each contender is run once to warm the page cache, then all of them take turns, so that whatever
else the machine does hits them alike. Wall time is the median with its range, CPU time (user and
system) the median, memory the largest peak of the resident set.

    Benchmarks/compare.py --runs 9 \\
        'iommuscope=.build/release/iommuscope report --format json vmcore' \\
        'drgn=python3 Tests/Oracle/drgn_walk.py vmcore vmlinux'

The last contender is the yardstick: ratios are its figures divided by the others'.
"""

import argparse
import os
import shlex
import statistics
import sys
import time


def machine():
    """What figures belong to: processors and kernel."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return f"{os.cpu_count()} processors ({names[0] if names else 'unknown'}), Linux {os.uname().release}"


def run(command):
    """Runs a command and returns wall seconds, CPU seconds, peak KiB and the exit status."""
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        try:
            os.execvp(command[0], command)
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", file=sys.stderr)
            os._exit(127)
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - start
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, os.waitstatus_to_exitcode(status)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=9, help="timed runs of each (default 9)")
    parser.add_argument("contender", nargs="+", help="NAME=COMMAND; the last one is the yardstick")
    options = parser.parse_args()
    contenders = []
    for text in options.contender:
        name, separator, command = text.partition("=")
        if not separator:
            parser.error(f"expected NAME=COMMAND, have {text!r}")
        contenders.append((name, shlex.split(command), []))

    for name, command, _ in contenders:
        if (status := run(command)[3]) != 0:
            sys.exit(f"{name}: exit status {status} from {shlex.join(command)}")
    for _ in range(options.runs):
        for _, command, results in contenders:
            results.append(run(command))

    width = max(len(name) for name, _, _ in contenders)
    print(f"{'':{width}}  {'wall s':>20}  {'CPU s':>7}  {'peak MiB':>8}  wall  CPU  memory")
    base = contenders[-1][2]
    base_figures = [statistics.median(r[i] for r in base) for i in (0, 1)] + [max(r[2] for r in base)]
    for name, _, results in contenders:
        walls = [r[0] for r in results]
        figures = [
            statistics.median(walls), statistics.median(r[1] for r in results),
            max(r[2] for r in results),
        ]
        spread = f"{figures[0]:.3f} [{min(walls):.3f}-{max(walls):.3f}]"
        ratios = "  ".join(f"{b / f:.1f}x" for b, f in zip(base_figures, figures))
        print(f"{name:{width}}  {spread:>20}  {figures[1]:7.3f}  {figures[2] / 1024:8.1f}  {ratios}")


if __name__ == "__main__":
    main()
