# SPDX-License-Identifier: Apache-2.0
"""Questions to a data set, as SQL for DuckDB."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Any

import duckdb


@dataclass(frozen=True)
class Question:
    """A query over the view `dumps`; the first line of its file says what it answers."""

    name: str
    title: str
    sql: str


def questions() -> list[Question]:
    """Return all questions, by name."""
    result = []
    for entry in resources.files("iommuscope_fleet").joinpath("cookbook").iterdir():
        if not entry.name.endswith(".sql"):
            continue
        text = entry.read_text(encoding="utf-8")
        lines = text.splitlines()
        result.append(Question(entry.name.removesuffix(".sql"), lines[1].removeprefix("-- "), text))
    return sorted(result, key=lambda question: question.name)


def ask(folder: str, question: Question) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Answer a question from a data set: the names of the columns, and the rows."""
    connection = duckdb.connect(":memory:")
    try:
        escaped = folder.replace("'", "''")
        connection.execute(
            f"CREATE VIEW dumps AS SELECT * FROM read_parquet('{escaped}/*.parquet')"
        )
        answer = connection.execute(question.sql)
        names = [column[0] for column in answer.description or []]
        return names, answer.fetchall()
    finally:
        connection.close()
