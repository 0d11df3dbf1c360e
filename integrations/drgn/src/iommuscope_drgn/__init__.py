# SPDX-License-Identifier: Apache-2.0
"""Asks iommuscope about the dump that a drgn program has open.

>>> from iommuscope_drgn import document
>>> [finding["rule"] for finding in document(prog)["findings"]]

iommuscope reads the dump itself; it is told the file and the ``vmlinux`` that drgn uses. A program
that is no dump (the running kernel, a process, a guest) is refused: iommuscope looks at no running
system.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any, Sequence

import drgn

__all__ = ["DumpError", "command_line", "document", "run"]

PROGRAM = "IOMMUSCOPE"
"""The environment variable that names the program where it is not in the PATH."""

PASSED = (0, 1)
"""Exit statuses that come with a result; 1 is an answer, such as a difference."""


class DumpError(Exception):
    """There is no dump to ask about, or iommuscope could not answer; the message says why."""


def command_line(prog: drgn.Program, verb: str, arguments: Sequence[str] = ()) -> list[str]:
    """Return the words that ask ``verb`` about the program's dump.

    Arguments that begin with a dash, and addresses, follow the dump; ``--vmlinux`` is added where
    drgn has one with debugging information and the arguments name none.
    """
    path = prog.core_dump_path
    if prog.flags & drgn.ProgramFlags.IS_LIVE or path is None:
        raise DumpError("the program is no dump in a file; iommuscope looks at no running system")
    words = [os.environ.get(PROGRAM) or "iommuscope", verb, os.path.abspath(path)]
    kernel = _vmlinux(prog)
    if kernel and verb not in ("carve", "diff") and "--vmlinux" not in arguments:
        words += ["--vmlinux", kernel]
    return words + list(arguments)


def run(prog: drgn.Program, verb: str, arguments: Sequence[str] = ()) -> str:
    """Return what iommuscope prints about the dump; warnings go to standard error."""
    words = command_line(prog, verb, arguments)
    try:
        ended = subprocess.run(  # noqa: PLW1510 - the status is looked at below
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8"
        )
    except OSError as error:
        raise DumpError(
            f"{words[0]} cannot be run: {error.strerror}; {PROGRAM} names another"
        ) from error
    if ended.returncode not in PASSED:
        raise DumpError(f"iommuscope {verb} ended with status {ended.returncode}")
    return ended.stdout


def document(prog: drgn.Program, verb: str = "report", arguments: Sequence[str] = ()) -> Any:
    """Return the JSON document of ``verb``, as ``iommuscope schema VERB`` describes it."""
    return json.loads(run(prog, verb, [*arguments, "--format", "json"]))


def _vmlinux(prog: drgn.Program) -> str | None:
    """Return the file with the kernel's debugging information that drgn has found."""
    try:
        module = prog.main_module()
    except LookupError:
        return None
    path: str | None = module.debug_file_path
    # A kernel that drgn made up from the dump's own symbols has no file.
    return os.path.abspath(path) if path and os.path.isfile(path) else None
