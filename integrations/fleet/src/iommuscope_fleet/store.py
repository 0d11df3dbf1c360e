# SPDX-License-Identifier: Apache-2.0
"""Rows as a Parquet data set."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from iommuscope_fleet.judge import Row

_COUNT = pa.int64()
_SIZE = pa.uint64()
_TEXT = pa.string()

_FIELDS: list[tuple[str, pa.DataType]] = [
    ("file", _TEXT),
    ("bytes", _COUNT),
    ("parts", pa.list_(_TEXT)),
    ("failure", pa.struct([("kind", _TEXT), ("text", _TEXT)])),
    ("format", _TEXT),
    ("release", _TEXT),
    ("buildID", _TEXT),
    ("panic", _TEXT),
    ("crashTime", _COUNT),
    ("typesFrom", _TEXT),
    ("crash", _TEXT),
    ("pattern", _TEXT),
    (
        "units",
        pa.struct(
            [
                ("count", _COUNT),
                ("translating", _COUNT),
                ("remappingInterrupts", _COUNT),
                ("modes", pa.list_(_TEXT)),
            ]
        ),
    ),
    ("devices", _COUNT),
    ("inFlight", pa.struct([("domains", _COUNT), ("bytes", _SIZE)])),
    ("findings", pa.struct([("errors", _COUNT), ("warnings", _COUNT), ("notes", _COUNT)])),
    (
        "rules",
        pa.list_(pa.struct([("rule", _TEXT), ("severity", _TEXT), ("count", _COUNT)])),
    ),
    ("faults", _COUNT),
    (
        "drivers",
        pa.list_(
            pa.struct(
                [
                    ("driver", _TEXT),
                    ("devices", _COUNT),
                    ("mappedBytes", _SIZE),
                    ("leaves", _COUNT),
                    ("nodes", _COUNT),
                    ("unmappedNodes", _COUNT),
                    ("hasErrors", pa.bool_()),
                ]
            )
        ),
    ),
    (
        "crashKernel",
        pa.struct(
            [
                ("answer", _TEXT),
                ("verdict", _TEXT),
                ("concerns", pa.list_(_TEXT)),
                ("faulting", _COUNT),
            ]
        ),
    ),
    ("gaps", _COUNT),
    (
        "cuts",
        pa.list_(
            pa.struct(
                [
                    ("what", _TEXT),
                    ("unit", _TEXT),
                    ("device", _TEXT),
                    ("limit", _COUNT),
                    ("detail", _TEXT),
                ]
            )
        ),
    ),
]
SCHEMA = pa.schema(_FIELDS)
"""The columns: the keys of a row. A key that a later program adds is left out until it is here."""


class Store:
    """A folder of Parquet files, each of which appears whole or not at all."""

    def __init__(self, folder: str, rows_per_file: int = 10_000) -> None:
        self.folder = folder
        self.rows_per_file = rows_per_file
        os.makedirs(folder, exist_ok=True)

    def files(self) -> list[str]:
        """Return the paths of the data set's files."""
        names = sorted(name for name in os.listdir(self.folder) if name.endswith(".parquet"))
        return [os.path.join(self.folder, name) for name in names]

    def known(self) -> set[str]:
        """Return the dumps that have a row already, so that a run that was ended can go on."""
        names: set[str] = set()
        for path in self.files():
            column = pq.read_table(path, columns=["file"])["file"].to_pylist()
            names.update(str(name) for name in column)
        return names

    def write(self, rows: Iterable[Row]) -> int:
        """Write rows as they come; return how many."""
        batch: list[Row] = []
        total = 0
        try:
            for row in rows:
                batch.append(row)
                if len(batch) >= self.rows_per_file:
                    total += self._write(batch)
                    batch = []
        finally:
            # What is known is kept, also when the run ends early.
            total += self._write(batch)
        return total

    def _write(self, rows: list[Row]) -> int:
        if not rows:
            return 0
        columns: dict[str, list[Any]] = {
            name: [row.get(name) for row in rows] for name in SCHEMA.names
        }
        table = pa.Table.from_pydict(columns, schema=SCHEMA)
        path = os.path.join(self.folder, f"part-{uuid.uuid4().hex}.parquet")
        pq.write_table(table, path + ".partial", compression="zstd")
        os.replace(path + ".partial", path)
        return len(rows)
