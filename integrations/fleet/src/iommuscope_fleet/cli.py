# SPDX-License-Identifier: Apache-2.0
"""The command `iommuscope-fleet`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence

import fsspec
from distributed import Client, LocalCluster

from iommuscope_fleet.cookbook import ask, questions
from iommuscope_fleet.fleet import Plan, survey
from iommuscope_fleet.judge import Row
from iommuscope_fleet.store import Store


def looks_like_dump(path: str) -> bool:
    """Tell whether a file in a folder begins like a dump, or is packed and called like one."""
    try:
        with open(path, "rb") as file:
            head = file.read(18)
    except OSError:
        return True  # its row says why it cannot be read
    if head.startswith(b"\x7fELF"):
        return head[16:18] == b"\x04\x00"
    if head.startswith((b"KDUMP   ", b"DISKDUMP", b"makedumpfile\0\0\0\0")):
        return True
    name = os.path.basename(path)
    packed = (b"\x1f\x8b", b"\xfd7zXZ\0", b"BZh", b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd")
    return head.startswith(packed) and ("core" in name or "dump" in name)


def expand(paths: Sequence[str]) -> list[str]:
    """Return the dumps that paths name: folders and object-store prefixes to their ends."""
    files: list[str] = []
    for path in paths:
        if "://" in path:
            system, prefix = fsspec.core.url_to_fs(path)
            names = system.find(prefix) if system.isdir(prefix) else [prefix]  # all are dumps
            files += [system.unstrip_protocol(name) for name in sorted(names)]
        elif os.path.isdir(path):
            for folder, folders, names in os.walk(path):
                folders.sort()
                inside = [os.path.join(folder, name) for name in sorted(names)]
                files += [file for file in inside if looks_like_dump(file)]
        else:
            files.append(path)
    return files


def _told(rows: Iterator[Row], total: int) -> Iterator[Row]:
    failures = 0
    for number, row in enumerate(rows, 1):
        failures += row.get("failure") is not None
        if sys.stderr.isatty() or number == total:
            end = "\n" if number == total else ""
            text = f"\r{number} of {total} dumps, {failures} could not be judged"
            print(text, end=end, file=sys.stderr)
        yield row


def _survey(arguments: argparse.Namespace) -> int:
    store = Store(arguments.output)
    files = expand(arguments.paths)
    if arguments.resume:
        known = store.known()
        files = [file for file in files if file not in known]
    if arguments.scheduler:
        client = Client(arguments.scheduler)
    else:
        # Dask always serves its status; here to this machine alone, on a port that is free.
        cluster = LocalCluster(
            n_workers=arguments.workers, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        )
        client = Client(cluster)
    with client:
        plan = Plan(arguments.program, arguments.timeout, arguments.batch)
        rows = survey(client, files, plan)
        store.write(_told(rows, len(files)))
    return 0


def _ask(arguments: argparse.Namespace) -> int:
    chosen = [question for question in questions() if question.name == arguments.question]
    if not chosen:
        for question in questions():
            print(f"{question.name:24} {question.title}")
        return 0 if arguments.question is None else 64
    names, rows = ask(arguments.data, chosen[0])
    print("\t".join(names))
    for row in rows:
        print("\t".join("" if value is None else str(value) for value in row))
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="iommuscope-fleet", description=__doc__)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("survey", help="judge dumps and write a Parquet data set")
    verb.add_argument("paths", nargs="+", help="files, folders, or URLs such as s3://bucket/crash")
    verb.add_argument("--output", required=True, help="the folder of the data set")
    verb.add_argument("--scheduler", help="address of a Dask scheduler; without it, this machine")
    verb.add_argument("--workers", type=int, help="workers on this machine")
    verb.add_argument("--program", default="iommuscope", help="iommuscope on the workers")
    verb.add_argument("--timeout", type=int, default=600, help="seconds that one dump may take")
    verb.add_argument("--batch", type=int, default=8, help="dumps per task")
    verb.add_argument("--resume", action="store_true", help="leave out dumps that have a row")
    verb.set_defaults(run=_survey)
    verb = verbs.add_parser("ask", help="answer a question; without one, list them")
    verb.add_argument("question", nargs="?")
    verb.add_argument("--data", default=".", help="the folder of the data set")
    verb.set_defaults(run=_ask)
    arguments = parser.parse_args(words)
    status: int = arguments.run(arguments)
    return status


if __name__ == "__main__":
    sys.exit(main())
