# SPDX-License-Identifier: Apache-2.0
"""A scheduler and several workers on this machine, one of which is killed in the middle."""

import os
import signal
import stat
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from distributed import Client, LocalCluster

from iommuscope_fleet import Plan, Store, survey
from iommuscope_fleet.cli import expand, main

DUMPS = int(os.environ.get("FLEET_DUMPS", "1000"))


@pytest.fixture
def client() -> Iterator[Client]:
    # Workers are processes, which can be killed; a nanny starts new ones.
    with (
        LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def links(samples: list[Path], folder: Path, count: int) -> list[str]:
    """Many dumps made of few: links in folders of machines."""
    files = []
    for number in range(count):
        machine = folder / f"machine-{number % 40:02}" / f"crash-{number:04}"
        machine.mkdir(parents=True)
        path = machine / "vmcore"
        path.symlink_to(samples[number % len(samples)])
        files.append(str(path))
    return sorted(files)


def test_nothing_is_lost_or_counted_twice_when_a_worker_is_killed(
    client: Client, program: str, samples: list[Path], tmp_path: Path
) -> None:
    files = links(samples, tmp_path / "crash", DUMPS)
    bad = tmp_path / "crash" / "machine-00" / "vmcore-incomplete"
    bad.write_bytes(b"KDUMP   " + bytes(100))
    files.append(str(bad))
    assert sorted(expand([str(tmp_path / "crash")])) == sorted(files)
    killed: list[int] = []
    start = time.monotonic()

    def rows() -> Iterator[dict[str, object]]:
        for number, row in enumerate(survey(client, files, Plan(program))):
            if number == DUMPS // 3:
                busy = [address for address, keys in client.processing().items() if keys]
                pid = client.run(os.getpid, workers=busy[:1])[busy[0]]
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
            yield row

    store = Store(str(tmp_path / "data"))
    assert store.write(rows()) == len(files)
    seconds = time.monotonic() - start
    assert killed
    table = pq.read_table(str(tmp_path / "data"))
    counts = Counter(table["file"].to_pylist())
    assert set(counts) == set(files)
    assert set(counts.values()) == {1}
    failures = [row for row in table.to_pylist() if row["failure"] is not None]
    assert [row["file"] for row in failures] == [str(bad)]
    # Links to one sample have one row but for their name.
    for place, sample in enumerate(samples):
        same = [row for row in table.to_pylist() if os.path.realpath(row["file"]) == str(sample)]
        assert len(same) == len(range(place, DUMPS, len(samples)))
        assert len({str(row | {"file": ""}) for row in same}) == 1
    print(
        f"\n{len(files)} dumps, 3 workers, one killed after {DUMPS // 3} rows: {seconds:.1f} s,"
        f" {len(counts)} rows, {len(failures)} failure"
    )


def test_a_dump_that_takes_its_workers_with_it_is_a_failure_alone(
    client: Client, tmp_path: Path
) -> None:
    # A program that kills the worker that runs it, on one file.
    program = tmp_path / "program"
    program.write_text(
        "#!/bin/sh\n"
        'for word; do case $word in *poison) kill -9 "$PPID"; exit;; esac; done\n'
        "for word; do case $word in\n"
        '/*) printf \'{"list":"dumps","row":0,"file":"%s","failure":null}\\n\' "$word";;\n'
        "esac; done\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    files = [f"/dump-{number}" for number in range(20)] + ["/poison"]
    rows = {str(row["file"]): row for row in survey(client, files, Plan(str(program), batch=4))}
    assert set(rows) == set(files)
    failures = [file for file, row in rows.items() if row["failure"] is not None]
    assert failures == ["/poison"]
    assert "every worker" in str(rows["/poison"]["failure"])


def test_the_command_line(
    program: str, samples: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(tmp_path / "data")
    words = ["survey", "--workers", "2", "--program", program, "--output", data]
    assert main([*words, str(samples[0].parent)]) == 0
    assert Store(data).known() == {str(sample) for sample in samples}
    assert main([*words, "--resume", str(samples[0].parent)]) == 0
    assert len(Store(data).files()) == 1
    assert main(["ask", "modes", "--data", data]) == 0
    assert "scalable" in capsys.readouterr().out
    assert main(["ask"]) == 0
    assert main(["ask", "what-is-love"]) == 64
