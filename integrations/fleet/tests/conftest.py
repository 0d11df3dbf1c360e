# SPDX-License-Identifier: Apache-2.0
"""What the tests share: the program and the samples of the repository."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def program() -> str:
    path = os.environ.get("IOMMUSCOPE", str(ROOT / ".build/release/iommuscope"))
    if not os.access(path, os.X_OK):
        pytest.fail(f"{path} is missing: run `make build`, or name another one with IOMMUSCOPE")
    return path


@pytest.fixture(scope="session")
def samples() -> list[Path]:
    found = sorted((ROOT / "samples").glob("*.vmcore"))
    assert found
    return found
