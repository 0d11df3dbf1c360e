// SPDX-License-Identifier: Apache-2.0

import Files
import Testing

@testable import Inputs

/// Each sentence names the file, what was found, and what to do about it.
struct InputErrorTests {
  @Test(
    arguments: [
      (.file(FileError("case.gz", .isNotRegular)), ["a device"]),
      (.file(FileError("case.gz", .isEmpty)), ["an empty file", "copy the dump again"]),
      (
        .file(FileError("case.gz", .system(.open, SystemError(13)))),
        ["cannot open the dump", "Permission denied"]
      ),
      (.file(FileError("case.gz", .isDirectory)), ["is a directory"]),
      (.damaged(.xz, "bad check"), ["xz", "bad check", "copy the file"]),
      (.noLibrary(.zstd), ["zstd", "libzstd1", "unpack the file with unzstd"]),
      (.noLibrary(.bzip2), ["bzip2", "libbz2-1.0", "bunzip2"]),
      (.noLibrary(.lz4), ["lz4", "liblz4-1", "unlz4"]),
      (.noLibrary(.xz), ["xz", "liblzma5", "unxz"]),
      (.unpacksTooFar(limit: 1 << 30), ["1073741824 bytes", "--max-unpacked"]),
      (.tooManyWrappers, ["4 layers", "unpack it first"]),
      (.otherPacker("7-Zip", command: "7z x"), ["7-Zip", "unpack the file with 7z x"]),
      (.noDump(.folder), ["no dump in this folder", "name the dump itself"]),
      (.severalDumps(.archive, ["a", "b"]), ["2 dumps in this archive", "name one", "a, b"]),
      (.damagedArchive("cut off"), ["as far as it goes", "cut off"]),
      (.sparseMember("vmcore"), ["vmcore is stored with holes", "tar -xf"]),
    ] as [(InputError.Cause, [String])])
  func `a sentence says what to do`(cause: InputError.Cause, parts: [String]) {
    let text = InputError("case.gz", cause).description
    #expect(text.hasPrefix("case.gz"))
    for part in parts { #expect(text.contains(part), "\(text)") }
  }

  @Test func `standard input and two kernels have no file of their own`() {
    #expect(InputError("-", .terminal).description.contains("pipe the dump into it"))
    #expect(
      InputError("-", .file(FileError("-", .isEmpty))).description.hasPrefix(
        "standard input: it ended before its first byte"))
    #expect(InputError("-", .standardInputTwice).description.contains("can be read once"))
    let kernels = InputError.severalKernels("vmlinux", "vmlinux.old")
    #expect(kernels.path == "vmlinux.old")
    #expect(kernels.description.hasPrefix("vmlinux and vmlinux.old are both kernels"))
  }
}
