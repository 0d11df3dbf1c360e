// SPDX-License-Identifier: Apache-2.0

import Glibc
import Memory
import Testing

@testable import Files

/// A folder for one test, removed with all that is in it.
private final class Folder {
  let path: String

  init() {
    path = "/tmp/iommuscope-files-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    // Terminated strings for the length of each call, as everywhere in this file.
    #expect(unsafe mkdir(path, 0o700) == 0)
  }

  subscript(name: String) -> String { path + "/" + name }

  func write(_ bytes: [UInt8], to name: String) {
    guard let file = unsafe fopen(self[name], "w") else {
      Issue.record("cannot write \(name)")
      return
    }
    unsafe _ = bytes.withUnsafeBytes { unsafe fwrite($0.baseAddress, 1, $0.count, file) }
    unsafe _ = fclose(file)
  }

  /// Every name, without the two dots.
  var names: [String] {
    guard let directory = unsafe opendir(path) else { return [] }
    defer { unsafe _ = closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  deinit {
    for name in names { unsafe _ = unlink(self[name]) }
    unsafe _ = rmdir(path)
  }
}

private func cause(_ body: () throws -> Void) -> FileError.Cause? {
  do {
    try body()
    return nil
  } catch {
    return (error as? FileError)?.cause
  }
}

struct InputFileTests {
  private let folder = Folder()

  @Test func readsPiecesAndNothingBeyond() throws {
    folder.write(Array(0..<100), to: "f")
    let file = try InputFile(folder["f"])
    #expect(file.byteCount == 100)
    #expect(try file.read(90..<100) == Array(90..<100))
    #expect(try file.read(100..<100) == [])
    #expect(
      cause { _ = try file.read(90..<101) }
        == .endsBefore(offset: 90, expected: 11, available: 100))
    var buffer: [UInt8] = [7, 7]
    try file.read(5..<8, into: &buffer)
    #expect(buffer == [5, 6, 7])
  }

  @Test func aFileThatBecameShorterIsAnErrorAtItsEnd() throws {
    folder.write(Array(0..<100), to: "f")
    let file = try InputFile(folder["f"])
    #expect(unsafe truncate(folder["f"], 40) == 0)
    #expect(try file.read(0..<40) == Array(0..<40))
    #expect(cause { _ = try file.read(30..<60) } == .becameShorter(offset: 40))
  }

  @Test func anOpenFileIsTakenWhereItHasASize() throws {
    folder.write(Array(0..<100), to: "f")
    let file = try InputFile(taking: unsafe open(folder["f"], O_RDONLY | O_CLOEXEC), path: "taken")
    #expect(file.byteCount == 100)
    #expect(try file.read(90..<100) == Array(90..<100))
    let device = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
    #expect(cause { _ = try InputFile(taking: device, path: "taken") } == .isNotRegular)
    #expect(cause { _ = try InputFile(taking: -1, path: "taken") } == .isNotRegular)
  }

  @Test func standardInputIsAFileOnlyWhereItIsOneFromItsStart() throws {
    var status = stat()
    // A place for the result, for the length of the call.
    let isKnown = unsafe fstat(STDIN_FILENO, &status) == 0
    let isFile =
      isKnown && status.st_mode & S_IFMT == S_IFREG && status.st_size > 0
      && lseek(STDIN_FILENO, 0, SEEK_CUR) == 0
    let file = try InputFile.standardInput()
    #expect((file != nil) == isFile)
    #expect(file == nil || file?.byteCount == Int(status.st_size))
  }

  @Test func aFileInMemoryDoesNotBecomeShorter() throws {
    let file = try InputFile(memory: Array(0..<100), for: "made")
    #expect(!file.isShorter)
    #expect(file.allocatedBytes >= 100)
    folder.write(Array(0..<100), to: "f")
    let other = try InputFile(folder["f"])
    #expect(unsafe truncate(folder["f"], 40) == 0)
    #expect(other.isShorter)
  }

  @Test func onlyFilesWithASizeOpenAndNothingBlocks() {
    #expect(unsafe mkfifo(folder["pipe"], 0o600) == 0)
    #expect(cause { _ = try InputFile(folder["pipe"]) } == .isNotRegular)
    #expect(cause { _ = try InputFile("/dev/null") } == .isNotRegular)
    #expect(cause { _ = try InputFile(folder.path) } == .isDirectory)
    #expect(
      cause { _ = try InputFile(folder["none"]) } == .system(.open, SystemError(ENOENT)))
    #expect(
      (try? InputFile(folder["none"])) == nil
        && FileError(folder["none"], .system(.open, SystemError(ENOENT))).description
          == folder["none"] + ": No such file or directory"
    )
  }

  @Test func madeBytesAreAFileToo() throws {
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
    let file = try InputFile(memory: bytes, for: "made")
    #expect(try file.read(0..<bytes.count) == bytes)
  }
}

struct WholeFileTests {
  private let folder = Folder()

  @Test func readsToTheEndWhateverTheSizeSays() throws {
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 11) }
    folder.write(bytes, to: "f")
    #expect(try WholeFile.read(folder["f"]) == bytes)
    #expect(try WholeFile.read(folder["f"], limit: bytes.count) == bytes)
    #expect(
      cause { _ = try WholeFile.read(folder["f"], limit: bytes.count - 1) }
        == .isTooLarge(limit: bytes.count - 1))
    // Its size is 0 for stat(2).
    #expect(try !WholeFile.read("/proc/self/status").isEmpty)
    #expect(cause { _ = try WholeFile.read(folder.path) } == .system(.open, SystemError(EISDIR)))
  }

  @Test func endlessInputEndsAtTheLimit() {
    #expect(
      cause { _ = try WholeFile.read("/dev/zero", limit: 5 << 20) }
        == .isTooLarge(limit: 5 << 20))
  }

  @Test func thePrefixOfAPipeIsNotTaken() throws {
    folder.write([1, 2, 3], to: "f")
    #expect(try WholeFile.prefix(folder["f"], count: 2) == [1, 2])
    #expect(try WholeFile.prefix(folder["f"], count: 9) == [1, 2, 3])
    var ends: [Int32] = [-1, -1]
    #expect(unsafe pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    try OutputDescriptor(ends[1], name: "pipe").write([9])
    #expect(try WholeFile.prefix("/proc/self/fd/\(ends[0])", count: 4) == nil)
  }
}

struct MappingTests {
  private let folder = Folder()

  @Test func pagesOutliveTheMappingsOwner() throws {
    folder.write((0..<10_000).map { UInt8(truncatingIfNeeded: $0 / 3) }, to: "f")
    var mapping: FileMapping? = try FileMapping(folder["f"])
    let page = try #require(mapping?.page(at: 4097))
    #expect(
      mapping?.withBytes(at: 9_999, length: 1) { try? $0.littleEndian(at: 0, as: UInt8.self) }
        == UInt8(truncatingIfNeeded: 9_999 / 3))
    mapping = nil
    #expect(unsafe unlink(folder["f"]) == 0)
    #expect(try page.littleEndian(at: 0, as: UInt8.self) == UInt8(truncatingIfNeeded: 4097 / 3))
  }

  @Test func emptyFilesHaveNothingToMap() {
    folder.write([], to: "f")
    #expect(cause { _ = try FileMapping(folder["f"]) } == .isEmpty)
    #expect(cause { _ = try FileMapping([], name: "f") } == .isEmpty)
  }

  @Test func imagesHoldTheirPartsInPlace() throws {
    let file = try InputFile(
      memory: (0..<8192).map { UInt8(truncatingIfNeeded: $0 / 32) }, for: "part")
    let image = try MappedImage(
      head: [1, 2, 3],
      parts: [.init(file: file, imageOffset: 8192, fileOffset: 4096, byteCount: 4000)],
      byteCount: 12_192, name: "image")
    for _ in 0..<2 {
      // All places are inside the image.
      let bytes = unsafe UnsafeRawBufferPointer(start: image.base, count: image.byteCount)
      #expect(unsafe Array(bytes[0..<5]) == [1, 2, 3, 0, 0])
      #expect(unsafe bytes[4096..<8192].allSatisfy { $0 == 0 })
      #expect(unsafe bytes[8192] == 128 && bytes[12_191] == UInt8(truncatingIfNeeded: 8095 / 32))
      image.relax()
    }
    #expect(
      cause {
        _ = try MappedImage(
          head: [],
          parts: [.init(file: file, imageOffset: 4096, fileOffset: 4096, byteCount: 4097)],
          byteCount: 16_384, name: "image")
      } == .endsBefore(offset: 4096, expected: 4097, available: 8192))
  }
}

struct OutputFileTests {
  private let folder = Folder()

  @Test func nothingIsThereBeforeTheCommit() throws {
    folder.write([1], to: "old")
    let new = try OutputFile(folder["new"], keeping: [])
    let old = try OutputFile(folder["old"], keeping: [])
    try new.output.write([5, 6])
    try old.output.write([7, 8])
    #expect(try WholeFile.read(folder["old"]) == [1])
    // A temporary name, where the file system needs one, is hidden.
    #expect(folder.names.filter { !$0.hasPrefix(".") } == ["old"])
    try new.commit()
    try old.commit()
    #expect(folder.names == ["new", "old"])
    #expect(try WholeFile.read(folder["new"]) == [5, 6])
    #expect(try WholeFile.read(folder["old"]) == [7, 8])
  }

  @Test func nothingStaysWithoutACommit() throws {
    do {
      let file = try OutputFile(folder["f"], keeping: [])
      try file.output.write([5, 6])
    }
    #expect(folder.names == [])
  }

  @Test func inputsAreKeptUnderEveryName() {
    folder.write([1], to: "input")
    #expect(unsafe link(folder["input"], folder["hard"]) == 0)
    #expect(unsafe symlink("input", folder["soft"]) == 0)
    for name in ["input", "hard", "soft"] {
      #expect(
        cause { _ = try OutputFile(folder[name], keeping: ["/", folder["input"]]) }
          == .isInput(folder["input"]))
    }
  }

  @Test func afullDiskIsToldAndLeavesTheOldFile() throws {
    let file = try OutputFile("/dev/full", keeping: [])
    #expect(cause { try file.output.write([1]) } == .system(.write, SystemError(ENOSPC)))
    #expect(
      cause { _ = try OutputFile("/none/f", keeping: []) }
        == .system(.write, SystemError(ENOENT)))
    #expect(cause { try OutputFile.checkNewFile("/dev/null", keeping: []) } == .isNotRegular)
    #expect(cause { try OutputFile.checkNewFile(folder.path, keeping: []) } == .isDirectory)
  }
}
