# SPDX-License-Identifier: Apache-2.0
"""The plugin that drgn loads: the command ``%iommuscope`` at its prompt (drgn 0.1 and later).

drgn finds it by the package's entry point ``drgn.plugins``; without an installed package by
``DRGN_PLUGINS=iommuscope=/path/to/plugin.py``.
"""

from __future__ import annotations

import sys
from typing import Any, Sequence

import drgn

from iommuscope_drgn import DumpError, run

STANDARD = ("report", "--sections", "summary,findings,missing")
"""What is asked where nobody says."""


def ask(prog: drgn.Program, words: Sequence[str]) -> None:
    """Print what iommuscope says; ``words`` are a verb and its arguments without the dump."""
    verb, *arguments = words or STANDARD
    try:
        sys.stdout.write(run(prog, verb, arguments))
    except DumpError as error:
        print(f"iommuscope: {error}", file=sys.stderr)


def drgn_prog_set(prog: drgn.Program) -> None:
    """Be loaded by drgn when a program has its dump; there is nothing to do for one."""


try:
    from drgn.commands import custom_command, parse_shell_command
except ImportError:
    # Older: `from iommuscope_drgn.plugin import ask` at the prompt.
    pass
else:

    @custom_command(
        name="iommuscope",
        description="state of the DMA remapping units in this dump",
        usage="**iommuscope** [*VERB* [*ARGUMENT*...]]",
        long_description="Asks iommuscope about the open dump: report (the summary and findings"
        " where nothing is said), inherit, faults, owners, translate, tables, history, carve."
        " Arguments are iommuscope's, without the dump.",
        parse=parse_shell_command,
        enabled=lambda prog: bool(prog.flags & drgn.ProgramFlags.IS_LINUX_KERNEL),
    )
    def _cmd_iommuscope(prog: drgn.Program, name: str, args: Sequence[str], **kwargs: Any) -> None:
        ask(prog, args)
