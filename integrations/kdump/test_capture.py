#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_capture.py: where iommuscope-kdump-capture saves, by what the initramfs of each system mounts and configures.

The files are those that RHEL's kdump-utils and SUSE's kdump write; PATH holds no more than date and mount.
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).with_name("iommuscope-kdump-capture")
STAMP = "2026-01-02-03:04:05"


class Capture(unittest.TestCase):
    def run_script(self, mounts=(), conf=None, initramfs=True, arguments=(), status=0, **environment):
        """The command lines of the program, and of mount, and what was said."""
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            for folder in ("etc", "proc", "bin"):
                (root / folder).mkdir()
            lines = ("rootfs / rootfs rw 0 0", "proc /proc proc rw,nosuid 0 0", *mounts)
            (root / "proc/mounts").write_text("".join(line + "\n" for line in lines))
            (root / "proc/vmcore").touch()
            if initramfs:
                (root / "etc/initrd-release").touch()
            if conf is not None:
                (root / "etc/kdump.conf").write_text(conf)
            for program, text in {
                "iommuscope": f'echo "iommuscope $*" >> {root}/ran; exit {status}',
                "mount": f'echo "mount $*" >> {root}/ran',
                "date": f"echo {STAMP}",
            }.items():
                (root / "bin" / program).write_text(f"#!/bin/sh\n{text}\n")
                (root / "bin" / program).chmod(0o755)
            ended = subprocess.run(
                ["/bin/sh", str(SCRIPT), *arguments],
                env={
                    "PATH": str(root / "bin"),
                    "IOMMUSCOPE_ROOT": name,
                    "IOMMUSCOPE_VMCORE": str(root / "proc/vmcore"),
                    **environment,
                },
                capture_output=True,
                text=True,
            )
            self.assertEqual(ended.returncode, 0, "nothing may keep the dump from being saved")
            ran = (root / "ran").read_text().splitlines() if (root / "ran").exists() else []
            return ran, ended.stderr

    def folder(self, *arguments, **named):
        ran, _ = self.run_script(*arguments, **named)
        words = ran[-1].split()
        self.assertEqual(words[:2], ["iommuscope", "capture"])
        return words[words.index("--output-directory") + 1]

    def saved(self, below):
        return f"{below}/iommuscope-{STAMP}"

    def test_rhel_root(self):
        """dump_fs /sysroot, remounted where it is read-only."""
        ran, said = self.run_script(["/dev/vda1 /sysroot xfs ro,relatime 0 0"], "path /var/crash\n")
        self.assertEqual(ran[0], "mount -o remount,rw /sysroot")
        self.assertIn(self.saved("/sysroot/var/crash"), ran[-1])
        self.assertIn("saved in", said)

    def test_rhel_other_file_system(self):
        """mkdumprd mounts it at /kdumproot/ and its place in the first kernel, and takes that from `path`: all of it
        where /var/crash is the file system."""
        mounts = ["/dev/vda1 /sysroot xfs rw 0 0", "/dev/vdb /kdumproot/var/crash ext4 rw 0 0"]
        for path in ("/", ""):
            self.assertEqual(
                self.folder(mounts, f"ext4 /dev/disk/by-uuid/1\npath {path}\n"), self.saved("/kdumproot/var/crash"))
        squash = ["overlay / overlay rw 0 0", "/dev/loop0 /squash/root squashfs ro 0 0", mounts[1]]
        self.assertEqual(self.folder(squash, "path \n"), self.saved("/kdumproot/var/crash"))
        self.assertEqual(
            self.folder(mounts, 'path "/a b" # comment\n', arguments=("/given",)), "/given")
        self.assertEqual(
            self.folder(["nfs:/x /kdumproot nfs rw 0 0"], "path /dumps   # there\n"), self.saved("/kdumproot/dumps"))

    def test_rhel_without_path(self):
        self.assertEqual(
            self.folder(["/dev/vda1 /sysroot xfs rw 0 0"], "auto_reset_crashkernel yes\n"),
            self.saved("/sysroot/var/crash"))

    def test_suse(self):
        root = ["/dev/vda2 /kdump/mnt btrfs rw,relatime 0 0"]
        self.assertEqual(
            self.folder(root, "KDUMP_SAVEDIR='file:///srv/dumps'\nKDUMP_SAVEDIR='/srv/dumps'\n"),
            self.saved("/kdump/mnt/srv/dumps"))
        self.assertEqual(
            self.folder(["/dev/vdb /kdump/mnt/var ext4 rw 0 0"], "KDUMP_SAVEDIR='/var/crash'\n"),
            self.saved("/kdump/mnt/var/crash"))
        self.assertEqual(
            self.folder(["host:/d /kdump/mnt nfs rw 0 0"], "KDUMP_SAVEDIR='nfs://host/d'\n"),
            self.saved("/kdump/mnt"))

    def test_suse_sysroot(self):
        """root=kdump rootflags=bind: the initramfs's own /kdump is at /sysroot, and what is mounted in it."""
        bind = "rootfs /sysroot rootfs ro 0 0"
        mounts = [bind, "/dev/nvme0n1 /kdump/mnt ext4 rw 0 0", "/dev/nvme0n1 /sysroot/mnt ext4 rw 0 0"]
        for order in (mounts, [mounts[0], mounts[2], mounts[1]]):
            ran, _ = self.run_script(order, "KDUMP_SAVEDIR='/var/crash'\n")
            self.assertIn(self.saved("/kdump/mnt/var/crash"), ran[-1])
            self.assertFalse([line for line in ran if line.startswith("mount")])
        for memory in (bind, "none /sysroot ramfs rw 0 0", "tmpfs /sysroot tmpfs rw 0 0"):
            ran, said = self.run_script([memory], "KDUMP_SAVEDIR='ssh://host/d'\n")
            self.assertEqual(ran, [])
            self.assertIn("nothing is saved", said)

    def test_missing_folder(self):
        """The program makes its folder, and those that it is in: no other program is needed for that."""
        ran, said = self.run_script(["/dev/vdb /kdump/mnt/srv ext4 rw 0 0"], "KDUMP_SAVEDIR='/srv/no dumps'\n")
        self.assertEqual(len(ran), 1)
        self.assertIn(f" --output-directory /kdump/mnt/srv/no dumps/iommuscope-{STAMP} ", ran[0])
        self.assertNotIn("not found", said)

    def test_suse_until_1_0(self):
        """Numbered places, and a configuration elsewhere."""
        self.assertEqual(self.folder(["/dev/vda2 /kdump/mnt0 btrfs rw 0 0"]), self.saved("/kdump/mnt0/var/crash"))
        self.assertEqual(self.folder(["/dev/vdb /kdump/mnt0/srv ext4 rw 0 0"]), self.saved("/kdump/mnt0/srv"))

    def test_nothing_mounted(self):
        """Dumps that go over ssh or to a raw disk: the initramfs itself is no place."""
        ran, said = self.run_script((), "raw /dev/vdb\n")
        self.assertEqual(ran, [])
        self.assertIn("nothing is saved", said)

    def test_running_system(self):
        self.assertEqual(self.folder(initramfs=False), self.saved("/var/crash"))
        self.assertEqual(self.folder(initramfs=False, KDUMP_COREDIR="/srv/crash"), self.saved("/srv/crash"))

    def test_bounds(self):
        ran, _ = self.run_script(initramfs=False, IOMMUSCOPE_MEMORY="32M", IOMMUSCOPE_SECONDS="9")
        self.assertTrue(ran[-1].endswith("--max-memory 32M --time-limit 9"))

    def test_failures(self):
        _, said = self.run_script(initramfs=False, status=2)
        self.assertIn("not everything", said)
        ran, said = self.run_script(initramfs=False, IOMMUSCOPE="missing")
        self.assertEqual((ran, "missing is not here" in said), ([], True))
        self.assertEqual(self.run_script(initramfs=False, IOMMUSCOPE_VMCORE=os.devnull + "/none"), ([], ""))


if __name__ == "__main__":
    unittest.main()
