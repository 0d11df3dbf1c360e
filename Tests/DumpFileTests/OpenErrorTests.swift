// SPDX-License-Identifier: Apache-2.0

import DumpFile
import DumpFixtures
import Glibc
import MemoryFixtures
import Testing

/// What cannot be opened says why, with what was expected and found.
@Suite("Files that do not open") struct OpenErrorTests {
  struct Case: CustomTestStringConvertible {
    var testDescription: String
    var files: [[UInt8]]
    var reason: DumpError.Reason
    /// Parts of the message.
    var words: [String]

    init(_ name: String, _ files: [[UInt8]], _ reason: DumpError.Reason, _ words: String...) {
      testDescription = name
      self.files = files
      self.reason = reason
      self.words = words
    }

    init(
      _ name: String, elf change: (inout ELFDumpBuilder) -> Void, _ reason: DumpError.Reason,
      _ words: String...
    ) {
      var builder = ELFDumpBuilder(MemoryImage.random(seed: 1))
      change(&builder)
      self.init(name, [builder.build()], reason)
      self.words = words
    }

    init(
      _ name: String, kdump change: (inout KdumpBuilder) -> Void, _ reason: DumpError.Reason,
      _ words: String...
    ) {
      var builder = KdumpBuilder(MemoryImage.random(seed: 1))
      change(&builder)
      self.init(name, [builder.build()], reason)
      self.words = words
    }

    init(
      _ name: String, patching bytes: [UInt8], at offset: Int, with patch: [UInt8],
      _ reason: DumpError.Reason, _ words: String...
    ) {
      var writer = ByteWriter()
      writer.append(bytes)
      writer.store(patch, at: offset)
      self.init(name, [writer.bytes], reason)
      self.words = words
    }
  }

  static let elf = ELFDumpBuilder(MemoryImage.random(seed: 1)).build()
  static let kdump = KdumpBuilder(MemoryImage.random(seed: 1)).build()
  static let parts = KdumpBuilder(MemoryImage.random(seed: 1)).buildSplit(3)
  static func parts(_ change: (inout KdumpBuilder) -> Void) -> [[UInt8]] {
    var builder = KdumpBuilder(MemoryImage.random(seed: 1))
    change(&builder)
    return builder.buildSplit(3)
  }

  static let cases = [
    Case("nothing", [], .notADump, "expected the path of a dump"),
    Case("an empty file", [[]], .notADump, "empty file"),
    Case("one byte", [[0x7f]], .notADump, "first bytes 7f"),
    Case("text", [Array("hello, world\n".utf8)], .notADump, "found text"),
    Case("bytes", [[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0]], .notADump, "1f 8b", "FILE@0"),
    Case(
      "a bootable kernel",
      [[UInt8](repeating: 0, count: 0x202) + Array("HdrS".utf8) + [UInt8](repeating: 0, count: 64)],
      .notADump, "a bootable kernel (vmlinuz)", "--vmlinux"),
    Case("an executable", elf: { $0.type = 2 }, .notADump, "type 4", "type 2"),
    Case("another machine", elf: { $0.machine = 183 }, .unsupported, "62", "183"),
    Case("a core of no class", elf: { $0.elfClass = 3 }, .unsupported, "64-bit", "class 3"),
    Case(
      "a 32-bit core of another machine",
      [ImageBuilder(MemoryImage.random(seed: 1)).narrowELF(machine: 40)],
      .unsupported, "62", "40"),
    Case("a big-endian core", elf: { $0.encoding = 2 }, .unsupported, "little-endian"),
    Case("no program headers", elf: { $0.segments = [] }, .corrupt, "found none"),
    Case("only the ELF magic", [[0x7f, 0x45, 0x4c, 0x46]], .corrupt, "64 bytes", "found 4"),
    Case("half an ELF header", [Array(elf.prefix(40))], .corrupt, "64 bytes", "found 40"),
    Case("program headers cut", [Array(elf.prefix(100))], .corrupt, "program headers", "100 bytes"),
    Case(
      "program headers far away", patching: elf, at: 32, with: [UInt8](repeating: 0xff, count: 8),
      .corrupt, "0xffffffffffffffff"),
    Case(
      "program headers of another size", patching: elf, at: 54, with: [32, 0], .corrupt,
      "56 bytes", "found 32"),
    Case(
      "0xffff program headers and no section", patching: elf, at: 56, with: [0xff, 0xff],
      .corrupt, "e_phnum is 0xffff"),
    Case(
      "0xffff of size 0xffff", patching: elf, at: 54, with: [0xff, 0xff, 0xff, 0xff], .corrupt,
      "e_phnum is 0xffff"),
    Case(
      "4 billion program headers",
      patching: {
        var builder = ELFDumpBuilder(MemoryImage.random(seed: 1))
        builder.hasExtendedCount = true
        return builder.build()
      }(), at: 64 + 44, with: [0xff, 0xff, 0xff, 0xff], .corrupt, "4294967295 program headers"),
    Case("half a kdump header", [Array(kdump.prefix(300))], .corrupt, "found 300 bytes"),
    Case("a kdump header alone", [Array(kdump.prefix(4096))], .corrupt, "found 4096 bytes"),
    Case("kdump of another machine", kdump: { $0.machine = "aarch64" }, .unsupported, "aarch64"),
    Case("kdump with 64 KiB blocks", kdump: { $0.blockSize = 65536 }, .unsupported, "65536"),
    Case(
      "big-endian kdump",
      kdump: {
        $0.blockSize = UInt32(4096).byteSwapped
        $0.machine = ""
      }, .unsupported, "big-endian"),
    Case("kdump of a negative version", kdump: { $0.version = -1 }, .corrupt, "version"),
    Case(
      "kdump without a bitmap", patching: kdump, at: 436, with: [0, 0, 0, 0], .corrupt, "bitmap"),
    Case(
      "kdump with a negative sub header", patching: kdump, at: 432, with: [0, 0, 0, 0x80],
      .corrupt, "2147483648"),
    Case(
      "a part that ends before it starts", patching: parts[1], at: 4096 + 80,
      with: [0xff, 0xff, 0xff], .corrupt, "range of frames"),
    Case("whole dumps together", [kdump, kdump], .mismatch, "whole dump"),
    Case("a part and a whole dump", [parts[0], kdump], .mismatch, "whole dump"),
    Case("kdump and ELF", [kdump, elf], .mismatch, "ELF"),
    Case("ELF and kdump", [elf, kdump], .mismatch, "ELF"),
    Case("a part twice", [parts[0], parts[1], parts[1]], .mismatch, "each part once"),
    Case(
      "parts of other times", [parts[0], parts { $0.timestamp += 1 }[1]], .mismatch, "timestamp"),
    Case(
      "parts of other kernels", [parts[0], parts { $0.release = "6.12" }[1]], .mismatch, "kernel"),
    Case(
      "parts of other versions", [parts[0], parts { $0.version = 5 }[1]], .mismatch,
      "header version"),
    Case(
      "parts of other levels", [parts[0], parts { $0.dumpLevel = 1 }[1]], .mismatch, "dump level"),
    Case(
      "parts of other sizes",
      [parts[0], parts { $0.image.memory.append(200_000..<200_001) }[1]], .mismatch,
      "size of memory"),
    Case(
      "a flattened stream of text", [flatten([FlattenedRecord(0, Array("hello, world".utf8))])],
      .notADump, "something else"),
    Case("an empty flattened stream", [flatten([])], .notADump, "without the dump's first bytes"),
    Case("a flattened stream cut in its header", [Array(flatten([]).prefix(20))], .unsupported),
    Case(
      "a flattened stream cut behind its header",
      [Array(flatten([FlattenedRecord(0, elf)]).prefix(4096))], .notADump, "ends early"),
    Case(
      "a flattened ELF without its program headers",
      [flatten([FlattenedRecord(0, Array(elf.prefix(64)))], isComplete: false)], .corrupt,
      "found none", "ends early"),
    Case(
      "a flattened stream of version 2", patching: flatten(elf, seed: 1), at: 31, with: [2],
      .unsupported, "version 2"),
  ]

  @Test("the error names file, expectation and finding", arguments: cases)
  func fails(_ item: Case) {
    do {
      _ = try DumpFile.open(contents: item.files.enumerated().map { ("file \($0)", $1) })
      Issue.record("opened")
    } catch {
      #expect(error.reason == item.reason, "\(error)")
      for word in item.words { #expect(error.message.contains(word), "\(error)") }
      #expect(item.files.isEmpty || error.path.hasPrefix("file "), "\(error)")
    }
  }

  @Test("memory of VMware without its state, told by its name alone")
  func memoryAlone() throws {
    #expect {
      try DumpFile.open(contents: [("Guest-1.VMEM", [UInt8](repeating: 0, count: 8192))])
    } throws: {
      ($0 as? DumpError)?.message.contains("without the .vmss or .vmsn of the same name") == true
    }
  }

  @Test("a path that is no file")
  func paths() {
    #expect { try DumpFile.open(["/nonexistent/vmcore"]) } throws: {
      ($0 as? DumpError)?.reason == .system(errno: ENOENT)
    }
    #expect { try DumpFile.open(["/"]) } throws: {
      ($0 as? DumpError)?.message.contains("a directory") == true
    }
    #expect { try DumpFile.open(["/dev/zero"]) } throws: {
      ($0 as? DumpError)?.message.contains("a pipe or a device") == true
    }
  }
}
