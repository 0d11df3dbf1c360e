// SPDX-License-Identifier: Apache-2.0

import Files
import MemoryFixtures
import Testing

@testable import KernelTypes

struct DWARFTypesTests {
  private static let names = [
    "intel_iommu", "pointers", "flags", "packed_flags", "holder", "base", "qi_desc", "pci_dev",
    "atomic_t", "spinlock_t", "spinlock", "irte", "elsewhere",
  ]

  private static func types(_ fixture: Fixture, _ sources: [String] = []) throws -> DWARFTypes {
    try DWARFTypes(vmlinux: fixture.open(), sources: sources)
  }

  @Test(arguments: Fixture.allCases)
  func agreesWithBTF(_ fixture: Fixture) throws {
    let btf = try Fixture.btf()
    let dwarf = try Self.types(fixture)
    for name in Self.names where fixture != .relocatable || name != "elsewhere" && name != "irte" {
      let expected = try #require(try btf.structure(named: name), "\(name)")
      let found = try dwarf.structure(named: name)
      #expect(found?.byteCount == expected.byteCount, "\(name)")
      #expect(found?.isUnion == expected.isUnion, "\(name)")
      for member in Set(expected.members.keys).union(found?.members.keys ?? [:].keys) {
        // clang has another name for the number that this points to.
        if fixture == .clang, name == "pointers", member == "number" { continue }
        #expect(found?.members[member] == expected.members[member], "\(name).\(member)")
      }
    }
  }

  @Test(arguments: Fixture.allCases)
  func hintsChangeNothing(_ fixture: Fixture) throws {
    let plain = try Self.types(fixture)
    let hinted = try Self.types(fixture, ["drivers/gone.c", "drivers/layouts.c"])
    for name in Self.names where name != "irte" {
      #expect(try plain.structure(named: name) == hinted.structure(named: name), "\(name)")
    }
  }

  @Test func theFirstHintWins() throws {
    let first = try Self.types(.gccDWARF5, ["drivers/layouts.c", "drivers/other.c"])
    let other = try Self.types(.gccDWARF5, ["other.c"])
    #expect(try first.structure(named: "irte")?.byteCount == 16)
    #expect(try Self.types(.gccDWARF5, ["layouts.c"]).structure(named: "irte")?.byteCount == 4)
    #expect(try other.structure(named: "irte")?.byteCount == 16)
    #expect(try other.structure(named: "intel_iommu")?.members["reg"]?.offset == 0)
  }

  @Test(arguments: Fixture.allCases)
  func givesAllDefinitions(_ fixture: Fixture) throws {
    let sizes = try Self.types(fixture).structures(named: "irte").map(\.byteCount)
    #expect(Set(sizes) == (fixture == .relocatable ? [4] : [4, 16]))
    #expect(try Self.types(fixture).structures(named: "pci_dev").count == 1)
  }

  @Test(arguments: Fixture.allCases)
  func otherNamesHaveNoLayout(_ fixture: Fixture) throws {
    let types = try Self.types(fixture, ["layouts.c"])
    for name in ["intel_iomm", "iommu", "reg", "int", "mode", "", "u64", "identity_domain", "a\0"] {
      #expect(try types.structure(named: name) == nil, "\(name)")
      #expect(try types.structures(named: name).isEmpty, "\(name)")
    }
  }

  @Test(arguments: Fixture.allCases)
  func valuesEnumerators(_ fixture: Fixture) throws {
    for sources in [[], ["layouts.c"]] {
      let types = try Self.types(fixture, sources)
      #expect(try types.enumerator(named: "MODE_ON") == 7)
      #expect(try types.enumerator(named: "ERROR_SOME") == -5)
      #expect(try types.enumerator(named: "WIDE_TOP") == .min)
      #expect(try types.enumerator(named: "MODE") == nil)
      #expect(try types.enumerator(named: "intel_iommu") == nil)
    }
  }

  @Test func placesWhatBothSourcesCouldGetWrong() throws {
    for types in [try Fixture.btf(), try Self.types(.gccDWARF2)] as [any TypeSource] {
      let unit = try #require(try types.structure(named: "intel_iommu")).members
      #expect(
        unit["sid"]
          == Member(
            offset: 24, shape: .integer(byteCount: 8, isSigned: false), bits: 4..<20))
      #expect(unit["grid"]?.shape == .array(of: .integer(byteCount: 2, isSigned: true), count: 6))
      #expect(
        unit["none"]?.shape == .array(of: .structure(name: "pci_dev", byteCount: 1), count: nil))
      #expect(unit["place.nested.deep"]?.shape == .integer(byteCount: 1, isSigned: false))
      #expect(unit["places.x"] == nil)
      #expect(unit["ratio"]?.shape == .other)
      #expect(unit["lock"]?.shape == .structure(name: "spinlock", byteCount: 4))
      #expect(unit["error"]?.shape == .integer(byteCount: 4, isSigned: true))
      let packed = try #require(try types.structure(named: "packed_flags")).members
      #expect(packed["c"]?.offset == 6)
      #expect(packed["c"]?.bits == 5..<65)
      #expect(try types.member("base.second", of: "holder")?.offset == 24)
      #expect(try types.member("flags.c", of: "holder")?.bits == 2..<45)
    }
  }

  /// Two files of the same path end would both be asked; a path that only contains it is not.
  @Test func hintsAreEndsOfPaths() throws {
    let directory = try Fixture.gccDWARF5.open()
    #expect(try DWARFTypes(vmlinux: directory, sources: ["ayouts.c"]).hintedSources() == [])
    #expect(
      try DWARFTypes(vmlinux: directory, sources: ["other.c", "drivers/layouts.c"]).hintedSources()
        == ["drivers/other.c", "drivers/layouts.c"])
  }

  // MARK: Damage

  private static func exercise(_ bytes: [UInt8]) throws {
    let file = try InputFile(memory: bytes, for: "damaged")
    guard let vmlinux = try? VMLinux(file),
      let types = try? DWARFTypes(vmlinux: vmlinux, sources: ["layouts.c"])
    else { return }
    for name in ["intel_iommu", "flags", "elsewhere", "irte"] {
      _ = try? types.structure(named: name)
      _ = try? types.structures(named: name)
    }
    _ = try? types.enumerator(named: "ERROR_SOME")
    _ = try? vmlinux.symbols(named: ["intel_iommu_init"])
    _ = try? vmlinux.symbols(containing: [0x400000])
  }

  @Test func aFileWithoutDWARFIsAnError() throws {
    var bytes = try Fixture.gccDWARF5.bytes()
    let name = Array(".debug_info".utf8)
    for place in bytes.indices where bytes[place...].starts(with: name) { bytes[place + 1] = 0x58 }
    let vmlinux = try VMLinux(InputFile(memory: bytes, for: "bare"))
    #expect(!vmlinux.hasDWARF)
    let error = try #require(throws: TypeError.self) { try DWARFTypes(vmlinux: vmlinux) }
    #expect(
      error.description
        == "bare has no DWARF; install the kernel's debug package or use BTF")
  }

  @Test func cutsAreErrors() throws {
    let bytes = try Fixture.gccDWARF5.bytes()
    for count in stride(from: 0, to: bytes.count, by: 7) {
      let file = try InputFile(memory: Array(bytes[..<count]), for: "cut")
      #expect(throws: TypeError.self) { try VMLinux(file) }
    }
  }

  @Test(arguments: [Fixture.gccDWARF2, .partial, .gccDWARF5, .relocatable, .types, .clang])
  func mutationsReturnOrThrow(_ fixture: Fixture) throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("let seed: UInt64 = \(seed)  // \(fixture)")
    var random = SeededGenerator(seed: seed)
    let whole = try fixture.bytes()
    for _ in 0..<100 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        bytes[at] =
          Bool.random(using: &random)
          ? bytes[at] ^ 1 << UInt8.random(in: 0...7, using: &random)
          : .random(in: 0...255, using: &random)
      }
      try Self.exercise(bytes)
    }
  }
}
