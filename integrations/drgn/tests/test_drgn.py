# SPDX-License-Identifier: Apache-2.0
"""The package beside a real drgn, on the repository's samples."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import types

import drgn
import pytest

import iommuscope_drgn

ROOT = pathlib.Path(__file__).parents[3]
SAMPLE = ROOT / "samples/6.1-legacy.vmcore"
PROGRAM = os.environ.get("IOMMUSCOPE", str(ROOT / ".build/release/iommuscope"))


@pytest.fixture
def prog(monkeypatch: pytest.MonkeyPatch) -> drgn.Program:
    monkeypatch.setenv("IOMMUSCOPE", PROGRAM)
    program = drgn.Program()
    program.set_core_dump(SAMPLE)
    return program


def test_a_document_is_the_programs(prog: drgn.Program) -> None:
    mine = iommuscope_drgn.document(prog)
    plain = subprocess.run(
        [PROGRAM, "report", str(SAMPLE), "--format", "json"], check=True, stdout=subprocess.PIPE
    )
    assert mine == json.loads(plain.stdout)
    assert [unit["name"] for unit in mine["units"]] == ["dmar0"]


def test_arguments_follow_the_dump(prog: drgn.Program) -> None:
    text = iommuscope_drgn.run(prog, "translate", ["--device", "00:03.0", "0xfed1c000"])
    assert "0xfed1c000" in text


def test_the_vmlinux_that_drgn_has_is_passed_on(
    prog: drgn.Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = ROOT / "samples/5.10-types.debug"
    monkeypatch.setattr(iommuscope_drgn, "_vmlinux", lambda _: str(kernel))
    words = iommuscope_drgn.command_line(prog, "report")
    assert words[-2:] == ["--vmlinux", str(kernel)]
    # Twice is wrong usage, and there is nothing to say about a carved root.
    given = iommuscope_drgn.command_line(prog, "report", ["--vmlinux", "other"])
    assert given[-2:] == ["--vmlinux", "other"]
    assert str(kernel) not in given
    assert "--vmlinux" not in iommuscope_drgn.command_line(prog, "carve")


def test_what_fails_says_so(prog: drgn.Program, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(iommuscope_drgn.DumpError, match="64"):
        iommuscope_drgn.run(prog, "report", ["--no-such-option"])
    monkeypatch.setenv("IOMMUSCOPE", "/nonexistent/iommuscope")
    with pytest.raises(iommuscope_drgn.DumpError, match="cannot be run"):
        iommuscope_drgn.run(prog, "report")


def test_a_program_without_a_dump_is_refused() -> None:
    with pytest.raises(iommuscope_drgn.DumpError, match="no running system"):
        iommuscope_drgn.command_line(drgn.Program(), "report")


def drgn_says(*code: str, options: tuple[str, ...] = ()) -> str:
    """Run drgn's own command line with the plugin, which it loads by its file."""
    source = ROOT / "integrations/drgn/src"
    plugin = source / "iommuscope_drgn/plugin.py"
    environment = {
        **os.environ,
        "IOMMUSCOPE": PROGRAM,
        "PYTHONPATH": str(source),
        "DRGN_PLUGINS": f"iommuscope={plugin}",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "drgn", "-q", "-c", str(SAMPLE), *options, "-e", "\n".join(code)],
        check=True,
        env=environment,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    return ended.stdout


def test_the_prompts_command() -> None:
    commands = pytest.importorskip("drgn.commands")
    assert commands
    text = drgn_says(
        "from drgn.commands import run_command",
        "run_command(prog, 'iommuscope')",
        "run_command(prog, 'iommuscope history --limit 1 | head -n 1')",
    )
    assert text.startswith("SUMMARY\n")
    assert "FINDINGS" in text
    assert text.endswith("What is left of the time before the crash\n")


def test_corelens_finds_the_module(
    prog: drgn.Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        from drgn_tools.corelens import CorelensModule, all_corelens_modules  # noqa: PLC0415
    except ImportError:
        # Not on PyPI: its base class is all that the module sees of it.
        package = types.ModuleType("drgn_tools")
        stub = types.ModuleType("drgn_tools.corelens")
        stub.CorelensModule = type("CorelensModule", (), {})  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "drgn_tools", package)
        monkeypatch.setitem(sys.modules, "drgn_tools.corelens", stub)
        from iommuscope_drgn.corelens import Iommu  # noqa: PLC0415

        module = Iommu()
    else:
        from iommuscope_drgn import corelens  # noqa: PLC0415

        assert issubclass(corelens.Iommu, CorelensModule)
        module = all_corelens_modules()["iommu"]
    import argparse  # noqa: PLC0415

    for words in module.default_args:
        parser = argparse.ArgumentParser()
        module.add_args(parser)
        module.run(prog, parser.parse_args(words))
    text = capsys.readouterr().out
    assert text.startswith("SUMMARY\n")
    assert "iommuscope:" not in text
