#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_sos.py PROGRAM SAMPLE: the plugin in a real sos report (Debian's package sosreport), as root.

The plugin is put into a copy of sos, so that nothing is installed.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import sos


def main():
    program, sample = map(os.path.abspath, sys.argv[1:3])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shutil.copytree(pathlib.Path(sos.__file__).parent, folder / "lib/sos")
        shutil.copy(
            pathlib.Path(__file__).with_name("iommuscope.py"), folder / "lib/sos/report/plugins"
        )
        (folder / "bin").mkdir()
        (folder / "bin/iommuscope").symlink_to(program)
        # Two dumps, of which the newer one is asked for; what is no dump by its name is not.
        old, new = folder / "crash/1/dump.1", folder / "crash/a crash/vmcore"
        for dump, age in ((old, 1000), (new, 2000)):
            dump.parent.mkdir(parents=True)
            shutil.copy(sample, dump)
            os.utime(dump, (age, age))
        (folder / "crash/notes.txt").write_text("no dump")
        (folder / "out").mkdir()
        command = (
            # sos looks for commands where its policy says, whatever the environment's PATH.
            "import sys; from sos import SoS; from sos.policies.debian import DebianPolicy;"
            f" DebianPolicy.PATH = {str(folder / 'bin')!r} + ':' + DebianPolicy.PATH;"
            " sys.argv[0] = 'sos'; SoS(sys.argv[1:]).execute()"
        )
        ended = subprocess.run(
            [sys.executable, "-c", command, "report", "--batch", "--build", "-o", "iommuscope",
             "-k", f"iommuscope.folder={folder}/crash", "--tmp-dir", str(folder / "out")],
            env={**os.environ, "PYTHONPATH": str(folder / "lib"),
                 "PATH": f"{folder}/bin:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        found = {path.name: path for path in folder.glob("out/*/sos_commands/iommuscope/*")
                 if path.is_file()}
        assert sorted(found) == [
            "dump1-faults.txt", "dump1-inherit.txt", "dump1-report.json", "dump1-report.txt",
        ], (sorted(found), ended.stdout)
        report = json.loads(found["dump1-report.json"].read_text())
        assert report["dump"]["file"] == str(new)
        assert report["units"]
        assert found["dump1-report.txt"].read_text().startswith("SUMMARY\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
