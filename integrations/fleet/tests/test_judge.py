# SPDX-License-Identifier: Apache-2.0
"""One batch: every file has its row, whatever the program does."""

import stat
from pathlib import Path

import pytest

from iommuscope_fleet import judge


def script(folder: Path, text: str) -> str:
    path = folder / "program"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_every_file_has_a_row_in_its_place(
    program: str, samples: list[Path], tmp_path: Path
) -> None:
    text = tmp_path / "notes.vmcore"
    text.write_text("no dump")
    files = [str(samples[0]), str(text), str(tmp_path / "missing"), str(samples[-1])]
    rows = judge(files, program)
    assert [row["file"] for row in rows] == files
    assert [row["failure"] is None for row in rows] == [True, False, False, True]
    assert rows[0]["bytes"] == samples[0].stat().st_size
    assert rows[0]["units"]["count"] >= 1
    assert rows[2]["bytes"] is None


def test_a_file_that_is_named_twice_has_two_equal_rows(program: str, samples: list[Path]) -> None:
    first, second = judge([str(samples[0]), str(samples[0])], program)
    assert first == second


def test_what_lies_elsewhere_is_fetched(program: str, samples: list[Path], tmp_path: Path) -> None:
    here, missing = f"file://{samples[0]}", f"file://{tmp_path}/none"
    rows = judge([here, missing], program)
    assert rows[0]["file"] == here
    assert rows[0]["failure"] is None
    assert rows[1]["failure"]["text"].startswith("cannot be fetched")


@pytest.mark.parametrize("text", ["exit 2", "kill -9 $$", 'echo \'{"list":"dumps"\'; exit 0'])
def test_a_program_that_gives_no_answer_is_a_failure(text: str, tmp_path: Path) -> None:
    rows = judge(["/a", "/b"], script(tmp_path, text))
    assert [row["failure"]["kind"] for row in rows] == ["ended", "ended"]
