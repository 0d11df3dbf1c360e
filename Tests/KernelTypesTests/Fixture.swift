// SPDX-License-Identifier: Apache-2.0

import Files
import Glibc
import Testing

@testable import KernelTypes

/// The ELF files of the folder `Fixtures`; its README tells what each is for.
enum Fixture: String, CaseIterable, CustomTestStringConvertible {
  case gccDWARF2 = "gcc-dwarf2"
  case gccDWARF4 = "gcc-dwarf4"
  case partial = "gcc-dwarf4-partial"
  case gccDWARF5 = "gcc-dwarf5"
  case compressed = "gcc-dwarf5-compressed"
  case relocations = "gcc-dwarf5-relocations"
  case relocatable = "gcc-dwarf5-relocatable"
  case types = "gcc-dwarf5-types"
  case clang = "clang-dwarf5"

  static let folder = String(
    #filePath.prefix(upTo: #filePath.lastIndex(of: "/") ?? #filePath.endIndex))

  var path: String { "\(Self.folder)/Fixtures/\(rawValue).elf" }
  var testDescription: String { rawValue }

  func open() throws -> VMLinux { try VMLinux.open(path) }

  func bytes() throws -> [UInt8] {
    let file = try InputFile(path)
    return try file.read(0..<file.byteCount)
  }

  /// The BTF that pahole made from the DWARF of `gcc-dwarf5`.
  static func btf() throws -> BTFTypes {
    try BTFTypes(#require(try gccDWARF5.open().btf()))
  }
}

/// A folder for one test, removed with all that is in it.
final class TemporaryFolder {
  let path: String

  init() {
    path = "/tmp/kernel-types-\(UInt64.random(in: 0...UInt64.max))"
    make("")
  }

  func make(_ folder: String) {
    var path = self.path
    for part in [""] + folder.split(separator: "/").map(String.init) {
      if !part.isEmpty { path += "/" + part }
      // The string is valid for the call.
      unsafe _ = mkdir(path, 0o700)
    }
  }

  func write(_ bytes: [UInt8], to name: String) throws {
    if let slash = name.lastIndex(of: "/") { make(String(name[..<slash])) }
    let path = self.path + "/" + name
    // Valid strings and buffer.
    guard let file = unsafe fopen(path, "w") else { throw TypeError("\(path) cannot be written") }
    unsafe _ = bytes.withUnsafeBytes { unsafe fwrite($0.baseAddress, 1, $0.count, file) }
    unsafe _ = fclose(file)
  }

  deinit {
    // Nothing in the path needs quoting.
    unsafe _ = system("rm -r " + path)
  }
}
