# SPDX-License-Identifier: Apache-2.0
"""The corelens module ``iommu``: what iommuscope says, among the reports of drgn-tools.

corelens looks for modules among those that are imported when it starts, so that
``corelens-iommu`` is corelens with this one more::

    corelens-iommu /var/crash/…/vmcore -M iommu
    corelens-iommu /var/crash/…/vmcore -a -o reports

At drgn's prompt, with the plugins of both packages, it is there as it is.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import drgn
from drgn_tools.corelens import CorelensModule

from iommuscope_drgn import DumpError, run


class Iommu(CorelensModule):
    """State of the DMA remapping units, and whether the crash kernel gets through."""

    name = "iommu"
    # A dump in a file is all that is looked at.
    live_ok = False

    default_args = [  # noqa: RUF012 - as the base class declares it
        ["report", "--sections", "summary,units,domains,findings,missing"],
        ["inherit"],
        ["faults"],
    ]

    def add_args(self, parser: argparse.ArgumentParser) -> None:
        """Take a verb of iommuscope and its arguments, without the dump."""
        parser.add_argument("verb", nargs="?", default="report", help="report, inherit, faults, …")
        parser.add_argument(
            "arguments", nargs=argparse.REMAINDER, help="of the verb, without the dump"
        )

    def run(self, prog: drgn.Program, args: argparse.Namespace) -> None:
        """Print what iommuscope says."""
        try:
            sys.stdout.write(run(prog, args.verb, args.arguments))
        except DumpError as error:
            print(f"iommuscope: {error}")


def main() -> Any:
    """Run corelens, which finds the module above among those that are imported."""
    from drgn_tools import corelens  # noqa: PLC0415 - only where it is the program

    return corelens.main()
