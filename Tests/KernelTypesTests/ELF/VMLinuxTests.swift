// SPDX-License-Identifier: Apache-2.0

import Files
import Testing

@testable import KernelTypes

struct VMLinuxTests {
  @Test func readsTheBuildID() throws {
    let file = try Fixture.gccDWARF5.open()
    let id = try #require(file.buildID)
    #expect(id.count == 40)
    #expect(id.allSatisfy { $0.isHexDigit && !$0.isUppercase })
    #expect(try Fixture.relocatable.open().buildID == nil)
  }

  @Test func findsTheNoteAmongOthers() {
    let other: [UInt8] =
      [6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0] + Array("Linux\0".utf8) + [0, 0, 9, 0, 0, 0]
    let own: [UInt8] = [4, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0] + Array("GNU\0".utf8) + [0xab, 0x0c]
    #expect(VMLinux.buildID(in: other + own) == "ab0c")
    #expect(VMLinux.buildID(in: other + own.dropLast()) == nil)
    #expect(VMLinux.buildID(in: other) == nil)
    #expect(VMLinux.buildID(in: Array(repeating: 0xff, count: 64)) == nil)
  }

  @Test func tellsWhatItHas() throws {
    #expect(try Fixture.gccDWARF5.open().hasDWARF)
    #expect(try Fixture.gccDWARF5.open().hasBTF)
    #expect(try !Fixture.gccDWARF4.open().hasBTF)
    #expect(try Fixture.gccDWARF4.open().btf() == nil)
  }

  @Test func findsSymbolsByName() throws {
    let file = try Fixture.gccDWARF5.open()
    let wanted: Set = [
      "identity_domain", "intel_iommu_init", "root_word", "root_wor", "gone", "unit",
    ]
    let found = try file.symbols(named: wanted)
    #expect(Set(found.keys) == ["identity_domain", "intel_iommu_init", "root_word", "unit"])
    #expect(found["identity_domain"]?.count == 2)
    #expect(found["intel_iommu_init"]?.first?.kind == .function)
    #expect(found["root_word"]?.first?.byteCount == 16)
    #expect(found["root_word"]?.first?.kind == .object)
    #expect(try file.addresses(of: wanted)["unit"] == found["unit"]?.map(\.address))
    #expect(try file.symbols(named: []).isEmpty)
  }

  @Test func findsSymbolsByAddress() throws {
    let file = try Fixture.gccDWARF5.open()
    let symbol = try #require(try file.symbols(named: ["root_word"])["root_word"]?.first)
    let found = try file.symbols(containing: [
      symbol.address, symbol.address + 15, symbol.address + 16, 1, .max,
    ])
    #expect(found[symbol.address] == symbol)
    #expect(found[symbol.address + 15] == symbol)
    #expect(found[symbol.address + 16] != symbol)
    #expect(found[1] == nil)
    #expect(found[.max] == nil)
  }

  @Test(arguments: [
    ("/dev/null", "/dev/null is not a regular file"), ("/", "/ is a directory"),
    ("/nowhere/vmlinux", "/nowhere/vmlinux: No such file or directory"),
    (#filePath, "\(#filePath) is not an ELF file"),
  ])
  func refusesOtherFiles(_ path: String, _ message: String) throws {
    let error = try #require(throws: TypeError.self) { try VMLinux.open(path) }
    #expect(error.description == message)
  }

  @Test func refusesOtherMachines() throws {
    var bytes = try Fixture.gccDWARF5.bytes()
    bytes[18] = 183
    let file = try InputFile(memory: bytes, for: "arm")
    let error = try #require(throws: TypeError.self) { try VMLinux(file) }
    #expect(error.description == "arm is made for machine 183, expected 64 bits of 62 (x86_64)")
  }
}
