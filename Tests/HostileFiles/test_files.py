#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_files.py PROGRAM SAMPLE

Files that change, lie or block, and outputs that end: what the whole program does about them. Each case
ends in one sentence and the right status, with no half file left.
"""

import ctypes
import fcntl
import glob
import http.server
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PROGRAM, SAMPLE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
PAGE = 4096


def run(*arguments, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run(
        [PROGRAM, *arguments], stderr=subprocess.PIPE, timeout=60, text=True, errors="replace", **options)


def sparse_core(path, memory, size):
    """An ELF core that claims `memory` bytes at address 0 and has `size` of them, all holes."""
    head = bytearray(64 + 56)
    head[0:7] = b"\x7fELF\x02\x01\x01"
    struct.pack_into("<HHI", head, 16, 4, 62, 1)
    struct.pack_into("<Q", head, 32, 64)
    struct.pack_into("<HHH", head, 52, 64, 56, 1)
    struct.pack_into("<IIQQQQQQ", head, 64, 1, 7, PAGE, 0, 0, size, memory, 0)
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(PAGE + size)


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "dump")

    def tearDown(self):
        self.folder.cleanup()

    def assert_one_sentence(self, result, status=2):
        self.assertEqual(result.returncode, status, result.stderr)
        errors = [line for line in result.stderr.splitlines() if not line.startswith("iommuscope: warning")]
        self.assertEqual(len(errors), 1, result.stderr)

    def left(self):
        return sorted(os.listdir(self.folder.name))

    def test_a_file_that_shrinks(self):
        """Every verb, with the file cut while the process runs: an answer or an error, never a signal."""
        with open(SAMPLE, "rb") as file:
            data = file.read()
        statuses = set()
        for verb in ("report", "carve", "inherit", "faults", "history", "tables"):
            for delay in (0.003, 0.006, 0.012):
                with open(self.path, "wb") as file:
                    file.write(data)
                process = subprocess.Popen(
                    [PROGRAM, verb, self.path, "--format", "json"], stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, text=True)
                time.sleep(delay)
                os.truncate(self.path, len(data) // 3)
                _, errors = process.communicate(timeout=60)
                self.assertIn(process.returncode, (0, 2), errors)
                if "became shorter" in errors:
                    self.assertEqual(process.returncode, 2, errors)
                statuses.add(process.returncode)
        self.assertTrue(statuses)

    def test_a_pipe_with_a_name(self):
        os.mkfifo(self.path)
        with open(SAMPLE, "rb") as file:
            data = file.read()

        def feed():
            with open(self.path, "wb") as pipe:
                try:
                    pipe.write(data)
                except BrokenPipeError:
                    pass

        feeder = threading.Thread(target=feed)
        feeder.start()
        result = run("carve", self.path)
        feeder.join(timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_pipe_that_nobody_writes_to_as_a_vmlinux(self):
        os.mkfifo(self.path)
        self.assert_one_sentence(run("report", SAMPLE, "--vmlinux", self.path))

    def test_files_of_proc(self):
        for name in ("/proc/self/status", "/proc/cpuinfo", "/proc/self/cmdline", "/proc/kmsg", "/proc/self/mem"):
            if os.access(name, os.R_OK):
                if name == "/proc/kmsg":
                    continue  # It blocks until the kernel has something to say, as it should.
                self.assert_one_sentence(run("report", name))

    def test_a_read_error_in_the_middle(self):
        """A process's memory gives bytes where it is mapped and an I/O error elsewhere."""
        self.assert_one_sentence(run("carve", "/proc/self/mem@0x0"))

    def loop_device(self, image):
        """A block device whose bytes are those of `image`; where the image was cut, reads fail with EIO."""
        if os.geteuid() != 0 or shutil.which("losetup") is None:
            self.skipTest("loop devices need root and losetup")
        result = subprocess.run(["losetup", "-f", "--show", image], stdout=subprocess.PIPE, text=True)
        if result.returncode:
            self.skipTest("this machine has no loop devices")
        device = result.stdout.strip()
        self.addCleanup(subprocess.run, ["losetup", "-d", device], check=True)
        return device

    def assert_says_that_pages_were_lost(self, path, is_read):
        """Mapped pages that cannot be read from the disk are missing, with a reason, and nothing dies."""
        for verb in ("report", "carve", "tables", "history"):
            result = run(verb, path, "--format", "json")
            self.assertIn(result.returncode, (0, 2), result.stderr)
            self.assertRegex(result.stderr, "its disk fails|Input/output error|cannot read it")
            if verb == "carve":
                self.assertEqual(result.returncode, 0 if is_read else 2, result.stderr)

    def test_a_disk_that_fails_in_the_middle(self):
        shutil.copy(SAMPLE, self.path)
        os.truncate(self.path, 8 << 20)
        device = self.loop_device(self.path)
        os.truncate(self.path, 4 << 20)
        self.assert_says_that_pages_were_lost(device, is_read=True)

    def test_a_file_on_a_disk_that_fails(self):
        mount = os.path.join(self.folder.name, "mount")
        os.mkdir(mount)
        with open(self.path, "wb") as file:
            file.truncate(24 << 20)
        if shutil.which("mkfs.ext4") is None:
            self.skipTest("no mkfs.ext4")
        subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", self.path], check=True)
        device = self.loop_device(self.path)

        def attach():
            if subprocess.run(["mount", "-t", "ext4", device, mount], stderr=subprocess.DEVNULL).returncode:
                self.skipTest("this machine does not mount ext4")

        attach()
        try:
            shutil.copy(SAMPLE, os.path.join(mount, "dump"))
            with open(os.path.join(mount, "dump"), "rb") as file:
                first, last = (self.place(file, block) for block in (0, (4 << 20) // 1024))
        finally:
            subprocess.run(["umount", mount], check=True)
        self.assertLess(first, last)
        attach()
        try:
            os.truncate(self.path, last * 1024)
            self.assert_says_that_pages_were_lost(os.path.join(mount, "dump"), is_read=True)
        finally:
            subprocess.run(["umount", mount], check=True)

    @staticmethod
    def place(file, block):
        """Where a block of 1 KiB of a file lies on its disk: FIBMAP."""
        number = bytearray(struct.pack("<i", block))
        fcntl.ioctl(file, 1, number)
        return struct.unpack("<i", number)[0]

    def test_claims_of_more_than_there_is(self):
        for memory in (1 << 40, (1 << 52) - PAGE, (1 << 63) - PAGE, (1 << 64) - PAGE):
            sparse_core(self.path, memory, PAGE)
            result = run("carve", self.path)
            self.assertIn(result.returncode, (0, 2), result.stderr)

    def test_a_sparse_file_of_many_terabytes(self):
        for size in (1 << 40, 1 << 43, (1 << 63) - 2 * PAGE):
            try:
                sparse_core(self.path, size, size)
            except OSError:
                continue
            start = time.monotonic()
            result = run("report", self.path)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertLess(time.monotonic() - start, 30)

    def test_segments_that_share_their_bytes(self):
        """Two thousand segments of one file's bytes claim 2,000 times what there is."""
        size, count = 1 << 24, 2000
        head = bytearray(64 + 56 * count)
        sparse_core(self.path, PAGE, PAGE)
        with open(self.path, "rb") as file:
            head[0:64] = file.read(64)
        struct.pack_into("<H", head, 56, count)
        offset = -(-len(head) // PAGE) * PAGE
        for index in range(count):
            struct.pack_into("<IIQQQQQQ", head, 64 + 56 * index, 1, 7, offset, 0, index * size, size, size, 0)
        with open(self.path, "wb") as file:
            file.write(head)
            file.seek(offset)
            file.write(b"\x01" * size)
        start = time.monotonic()
        self.assertIn(run("carve", self.path).returncode, (0, 2))
        self.assertLess(time.monotonic() - start, 30)

    def test_a_full_disk(self):
        with open("/dev/full", "w") as full:
            self.assert_one_sentence(run("report", SAMPLE, stdout=full))
        self.assert_one_sentence(run("report", SAMPLE, "--output", "/dev/full"))

    def test_a_file_that_may_grow_no_further(self):
        """What a quota or a full disk does in the middle of a file; nothing of it stays."""
        target = os.path.join(self.folder.name, "out.json")

        def limit():
            import resource
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, 1 << 14))

        for arguments in (("report", SAMPLE, "--format", "json"), ("extract", SAMPLE)):
            self.assert_one_sentence(run(*arguments, "--output", target, preexec_fn=limit))
            self.assertEqual(self.left(), [])

    def test_a_reader_that_goes(self):
        process = subprocess.Popen(
            [PROGRAM, "report", SAMPLE, "--format", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(10)
        process.stdout.close()
        errors = process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(timeout=60), 0)
        self.assertEqual(errors, b"")

    def test_a_signal_leaves_no_half_file(self):
        """SIGTERM at many moments: the whole file or none, and the process ends by the signal."""
        target = os.path.join(self.folder.name, "extract")
        ended = set()
        for delay in [0.002 * step for step in range(1, 25)]:
            process = subprocess.Popen(
                [PROGRAM, "extract", SAMPLE, "--output", target], stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE)
            time.sleep(delay)
            process.terminate()
            errors = process.communicate(timeout=60)[1]
            self.assertIn(process.returncode, (0, -signal.SIGTERM), errors)
            ended.add(process.returncode)
            if process.returncode == 0:
                self.assertEqual(self.left(), ["extract"])
                self.assertEqual(run("carve", target).returncode, 0)
                os.remove(target)
            else:
                self.assertIn(self.left(), ([], ["extract"]))
                if self.left():
                    self.assertEqual(run("carve", target).returncode, 0)
                    os.remove(target)
        self.assertTrue(ended)

    def test_an_input_is_never_written_over(self):
        self.assert_one_sentence(run("report", SAMPLE, "--output", SAMPLE))

    def test_folders_that_are_not_there_yet(self):
        folder = os.path.join(self.folder.name, "a", "b", "c")
        for number in range(2):
            result = run("capture", SAMPLE, "--output-directory", folder)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(len(os.listdir(folder)), 5)

    def test_a_download_that_is_stopped(self):
        """Nothing stays in the cache, neither a part of the file nor that no server has it: the next run asks again."""
        try:
            ctypes.CDLL("libdebuginfod.so.1")
        except OSError:
            self.skipTest("libdebuginfod1 is not installed")
        with open(SAMPLE, "rb") as file:
            data = file.read()
        with open(self.path, "wb") as file:
            file.write(data.replace(b"\x9f\xeb\x01\x00\x18\x00\x00\x00", bytes(8)))
        asked = []

        class Slow(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                asked.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(1 << 30))
                self.end_headers()
                try:
                    while True:
                        self.wfile.write(bytes(1 << 16))
                        time.sleep(0.05)
                except OSError:
                    pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            cache = os.path.join(self.folder.name, "cache")
            environment = {
                **os.environ,
                "DEBUGINFOD_URLS": f"http://127.0.0.1:{server.server_port}",
                "DEBUGINFOD_CACHE_PATH": cache,
            }
            for number in (signal.SIGINT, signal.SIGTERM):
                before = len(asked)
                with subprocess.Popen(
                    [PROGRAM, "report", self.path], env=environment, stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    # What starts in the background of a script ignores SIGINT.
                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                ) as process:
                    try:
                        deadline = time.monotonic() + 30
                        while time.monotonic() < deadline and not glob.glob(cache + "/*/debuginfo.*"):
                            time.sleep(0.01)
                        time.sleep(0.3)
                        process.send_signal(number)
                        process.wait(timeout=30)
                    finally:
                        process.kill()
                self.assertEqual(process.returncode, -number)
                self.assertGreater(len(asked), before, "a server is asked again")
                self.assertEqual(glob.glob(cache + "/*/*"), [])
            server.shutdown()

    def test_what_has_no_size(self):
        for name in ("/dev/null", "/dev/zero", "/dev/tty"):
            result = run("report", name)
            self.assertEqual(result.returncode, 2, (name, result.stderr))
        self.assertTrue(re.search("directory|folder", run("report", "/").stderr))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
