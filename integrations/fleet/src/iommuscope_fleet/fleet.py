# SPDX-License-Identifier: Apache-2.0
"""Many batches on many machines, with every dump accounted for exactly once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from distributed import Client, as_completed
from distributed.scheduler import KilledWorker

from iommuscope_fleet.judge import Row, failure, judge


class FleetError(Exception):
    """The account does not balance: a dump has no row, or two."""


@dataclass(frozen=True)
class Plan:
    """How dumps are handed to workers."""

    program: str = "iommuscope"
    """iommuscope on the workers."""
    timeout: int = 600
    """Seconds that one dump may take."""
    batch: int = 8
    """Dumps per task."""
    retries: int = 3
    """How often a task that failed is tried again."""


def survey(client: Client, files: Iterable[str], plan: Plan = Plan()) -> Iterator[Row]:
    """Judge files on the workers of a Dask cluster; rows come as they are known, in any order.

    A batch whose worker is lost is given to another one. A batch that takes worker after worker
    with it is split, so that only the dump that does it becomes a failure.

    Raises:
        FleetError: at the end, if a file has no row, or more than one.

    """
    wanted = list(dict.fromkeys(files))
    open_files = set(wanted)
    pending = as_completed()
    names_of: dict[Any, list[str]] = {}

    def add(names: list[str]) -> None:
        # Not pure: a dump that is written anew under its name is judged anew.
        future = client.submit(
            judge, names, plan.program, plan.timeout, retries=plan.retries, pure=False
        )
        names_of[future.key] = names
        pending.add(future)

    step = max(1, plan.batch)
    for start in range(0, len(wanted), step):
        add(wanted[start : start + step])
    for future in pending:
        names = names_of.pop(future.key)
        if future.status == "finished":
            rows = future.result()
        elif len(names) > 1:
            for name in names:
                add([name])
            future.release()
            continue
        else:
            rows = [failure(names[0], "ended", _reason(future.exception()))]
        future.release()
        for row in rows:
            if row["file"] not in open_files:
                raise FleetError(f"{row['file']} has two rows")
            open_files.remove(row["file"])
            yield row
    if open_files:
        raise FleetError(f"{len(open_files)} dumps have no row, {min(open_files)} among them")


def _reason(error: BaseException | None) -> str:
    if isinstance(error, KilledWorker):
        return "every worker that read it was lost"
    return f"the worker failed: {error}"
