# SPDX-License-Identifier: Apache-2.0
"""Rows as Parquet, and the questions that are asked of them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from iommuscope_fleet import Row, Store
from iommuscope_fleet.cookbook import Question, ask, questions
from iommuscope_fleet.store import SCHEMA


def row(file: str, **changes: Any) -> Row:
    """Make the row of a dump of nothing in particular."""
    made: Row = {
        "file": file,
        "bytes": 1000,
        "parts": [],
        "failure": None,
        "release": "6.1.0",
        "panic": "BUG at 1",
        "crashTime": 1_000_000,
        "crash": file,
        "pattern": "BUG at #",
        "units": {"count": 2, "translating": 2, "remappingInterrupts": 1, "modes": ["legacy"]},
        "findings": {"errors": 0, "warnings": 0, "notes": 0},
        "rules": [],
        "faults": 0,
        "drivers": [],
        "crashKernel": {"answer": "probably", "verdict": "safe", "concerns": [], "faulting": 0},
    }
    return made | changes


def driver(name: str, nodes: int, unmapped: int) -> Row:
    return {
        "driver": name,
        "devices": 1,
        "mappedBytes": 4096,
        "leaves": 1,
        "nodes": nodes,
        "unmappedNodes": unmapped,
        "hasErrors": False,
    }


FLEET = [
    row("a", drivers=[driver("nvme", 100, 60), driver("ice", 10, 0)]),
    row("b", drivers=[driver("nvme", 100, 20)], crash="a", bytes=300),
    row(
        "c",
        release="6.12.0",
        crashKernel={
            "answer": "no",
            "verdict": "unsafe",
            "concerns": ["refused", "tables-mapped"],
            "faulting": 3,
        },
        findings={"errors": 2, "warnings": 1, "notes": 0},
        rules=[{"rule": "device.context-missing", "severity": "error", "count": 2}],
        units={"count": 2, "translating": 1, "remappingInterrupts": 2, "modes": ["scalable"]},
    ),
    {"file": "d", "bytes": None, "failure": {"kind": "not-read", "text": "it is text"}},
]

ANSWERS: dict[str, list[tuple[Any, ...]]] = {
    "worst": [
        ("c", "6.12.0", "no", 2, 1, 0, "BUG at 1"),
        ("a", "6.1.0", "probably", 0, 0, 0, "BUG at 1"),
        ("b", "6.1.0", "probably", 0, 0, 0, "BUG at 1"),
    ],
    "iova-leaks": [("6.1.0", "nvme", 2, 200, 80, 40.0), ("6.1.0", "ice", 1, 10, 0, 0.0)],
    "storms": [("c", "6.12.0", 3, "no", "unsafe", ["refused", "tables-mapped"])],
    "crash-kernel-by-release": [("6.12.0", 1, 0, 0, 1), ("6.1.0", 2, 2, 0, 0)],
    "concerns": [("refused", 1, 1), ("tables-mapped", 1, 1)],
    "stored-twice": [("a", 2, 300, ["a", "b"])],
    "rules-by-release": [("device.context-missing", "error", "6.12.0", 1, 2)],
    "not-judged": [("not-read", "it is text", 1, "d")],
    "modes": [("6.1.0", ["legacy"], 2, 0, 2), ("6.12.0", ["scalable"], 1, 1, 0)],
    "drivers-in-flight": [("nvme", 2, 2, 8192, 0), ("ice", 1, 1, 4096, 0)],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("data") / "it's here")
    assert Store(path, rows_per_file=3).write(iter(FLEET)) == len(FLEET)
    return path


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.name)
def test_the_cookbook_answers(question: Question, folder: str) -> None:
    assert question.title.endswith("?")
    _, rows = ask(folder, question)
    if question.name == "same-pattern":
        assert [row[:3] for row in rows] == [("BUG at #", 2, 2)]
    else:
        assert rows == ANSWERS[question.name]


def test_there_are_ten_questions_at_least() -> None:
    assert len(questions()) >= 10


def test_files_appear_whole(folder: str) -> None:
    assert len(Store(folder).files()) == 2
    assert Store(folder).known() == {"a", "b", "c", "d"}


def test_what_is_known_is_kept_where_a_run_ends_early(tmp_path: Path) -> None:
    store = Store(str(tmp_path))

    def rows() -> Any:
        yield FLEET[0]
        raise RuntimeError("the scheduler has gone")

    with pytest.raises(RuntimeError):
        store.write(rows())
    assert store.known() == {"a"}


def _keys(definition: Row, schema: Row, kind: Any, path: str) -> None:
    """Hold the program's schema against the data set's columns."""
    names = {field.name for field in kind}
    assert names == set(definition["properties"]), path
    for field in kind:
        value = definition["properties"][field.name]
        inner = field.type.value_type if pa.types.is_list(field.type) else field.type
        if not pa.types.is_struct(inner):
            continue
        text = json.dumps(value)
        name = text.split("#/$defs/")[1].split('"')[0]
        _keys(schema["$defs"][name], schema, inner, f"{path}.{field.name}")


def test_the_columns_are_the_programs_keys(program: str) -> None:
    run = subprocess.run([program, "schema", "survey"], capture_output=True, check=True)
    schema = json.loads(run.stdout)
    columns = pa.struct([field for field in SCHEMA if field.name != "bytes"])
    _keys(schema["$defs"]["surveyedDump"], schema, columns, "dumps")
