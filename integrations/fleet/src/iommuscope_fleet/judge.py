# SPDX-License-Identifier: Apache-2.0
"""One batch of dumps, judged on the machine that this runs on."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import fsspec

Row = dict[str, Any]
"""A row of `iommuscope survey`: the keys of a surveyedDump, and `bytes`, the size of the file."""


def failure(file: str, kind: str, text: str, size: int | None = None) -> Row:
    """Return the row of a dump that could not be judged."""
    return {"file": file, "bytes": size, "failure": {"kind": kind, "text": text}}


@contextmanager
def local(file: str) -> Iterator[str]:
    """Give the path of a file here: itself, or a copy of what lies in object storage."""
    if "://" not in file:
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="iommuscope-fleet-") as folder:
        copy = os.path.join(folder, file.rsplit("/", 1)[-1] or "dump")
        system, path = fsspec.core.url_to_fs(file)
        system.get_file(path, copy)
        yield copy


def judge(
    files: Sequence[str], program: str = "iommuscope", timeout: int = 600, jobs: int = 1
) -> list[Row]:
    """Judge dumps with one run of the program.

    Every file has exactly one row, in the order of the files, whatever happens to the program.
    """
    rows: dict[str, Row] = {}
    with ExitStack() as copies:
        here: dict[str, str] = {}
        for file in files:
            try:
                here[file] = os.path.abspath(copies.enter_context(local(file)))
            except Exception as error:  # fsspec's backends raise what they like
                rows[file] = failure(file, "not-read", f"cannot be fetched: {error}")
        found = _run(list(dict.fromkeys(here.values())), program, timeout, jobs) if here else {}
        for file, path in here.items():
            try:
                size: int | None = os.stat(path).st_size
            except OSError:
                size = None
            row = found.get(path)
            if row is None:
                rows[file] = failure(file, "ended", "the survey ended without a row for it", size)
            else:
                rows[file] = row | {"file": file, "bytes": size}
    return [rows[file] for file in files]


def _run(paths: list[str], program: str, timeout: int, jobs: int) -> dict[str, Row]:
    """Run the program and read its lines; a run that is cut short has fewer rows."""
    command = [program, "survey", "--quiet", "--format", "ndjson"]
    command += ["--jobs", str(jobs), "--timeout", str(timeout), "--", *paths]
    rows: dict[str, Row] = {}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            try:
                row = json.loads(line)
            except ValueError:
                break
            if row.pop("list", None) == "dumps":
                row.pop("row", None)
                rows[row["file"]] = row
    return rows
