// SPDX-License-Identifier: Apache-2.0

import Files
import Testing

/// Each sentence names the file and the reason of the system.
struct FileErrorTests {
  @Test(
    arguments: [
      (.system(.open, SystemError(2)), "f: No such file or directory"),
      (.system(.status, SystemError(13)), "f: Permission denied"),
      (.system(.map(4096), SystemError(12)), "f: cannot map 4096 bytes: Cannot allocate memory"),
      (.system(.read(512), SystemError(5)), "f at 512: Input/output error"),
      (.system(.unpack, SystemError(28)), "f: cannot unpack: No space left on device"),
      (.system(.write, SystemError(28)), "cannot write f: No space left on device"),
      (.isDirectory, "f is a directory"),
      (.isNotRegular, "f is not a regular file"),
      (.isEmpty, "f is empty"),
      (.isTooLarge(limit: 10), "f: larger than 10 bytes, which no such file is"),
      (
        .endsBefore(offset: 8, expected: 16, available: 12),
        "f has 12 bytes, expected 16 at 8; it is cut off"
      ),
      (.becameShorter(offset: 9), "f at 9: the file became shorter"),
      (.nobodyWrites, "f is a pipe that no program writes to"),
      (.isInput("g"), "cannot write f: it is the input file g"),
    ] as [(FileError.Cause, String)])
  func `a sentence tells file and reason`(cause: FileError.Cause, text: String) {
    #expect(FileError("f", cause).description == text)
  }

  @Test(
    arguments: [
      .noTemporaryFolder(SystemError(13)), .noRoom(folder: "/tmp", needed: 100),
    ] as [FileError.Cause])
  func `without room the variable is named`(cause: FileError.Cause) {
    #expect(FileError("f", cause).description.contains("set TMPDIR to"))
  }

  @Test func `lost bytes are to be copied first`() {
    #expect(FileError("f", .lostBytes).description.contains("copy it first"))
  }
}
