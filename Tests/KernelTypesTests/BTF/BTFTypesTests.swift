// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import MemoryFixtures
import Testing

@testable import KernelTypes

struct BTFTypesTests {
  private static let int = TypeShape.integer(byteCount: 4, isSigned: true)
  private static let word = TypeShape.integer(byteCount: 8, isSigned: false)

  /// A blob with every kind in it and the shapes that kernels use.
  static var everything: BTFBuilder {
    var btf = BTFBuilder()
    let int = btf.integer("int", 4, signed: true)
    let word = btf.integer("long unsigned int", 8)
    let byte = btf.integer("char", 1, signed: true)
    let u64 = btf.typedef("u64", word)
    let forward = btf.forward("pci_dev")
    let device = btf.structure("pci_dev", 8, [.init("devfn", int, bit: 0)])
    let descriptor = btf.structure("qi_desc", 32, [.init("qw", btf.array(u64, 4), bit: 0)])
    let constantDevice = btf.const(device)
    let inner = btf.structure("", 16, [.init("low", u64, bit: 0), .init("high", u64, bit: 64)])
    let union = btf.structure("", 16, union: true, [.init("", inner, bit: 0)])
    let counter = btf.structure("", 4, [.init("counter", int, bit: 0)])
    let atomic = btf.typedef("atomic_t", counter)
    let function = btf.prototype(0, [int])
    let mode = btf.enumeration("mode", [("MODE_OFF", 0), ("MODE_ON", 1)])
    let wide = btf.enumeration("wide", size: 8, [("WIDE", 0x1_0000_0000), ("TOP", Int64.min)])
    let negative = btf.enumeration("error", signed: true, [("E_NONE", 0), ("E_SOME", -5)])
    let fields: [(String, UInt32)] = [
      ("device", btf.pointer(constantDevice)), ("forward", btf.pointer(forward)),
      ("descriptors", btf.pointer(btf.pointer(descriptor))), ("anything", btf.pointer(0)),
      ("number", btf.pointer(u64)), ("call", btf.pointer(function)),
      ("atom", btf.pointer(atomic)), ("unnamed", btf.pointer(counter)),
      ("tagged", btf.pointer(btf.typeTag("rcu", device))),
      ("bounded", btf.pointer(btf.array(int, 3))),
    ]
    _ = btf.structure(
      "pointers", 80,
      fields.enumerated().map { .init($1.0, $1.1, bit: UInt32($0) * 64) })
    _ = btf.structure(
      "intel_iommu", 200,
      [
        .init("reg", u64, bit: 0), .init("", union, bit: 64), .init("seq", atomic, bit: 192),
        .init("name", btf.array(byte, 16), bit: 224),
        .init("grid", btf.array(btf.array(int, 3), 2), bit: 352),
        .init("mode", btf.volatile(mode), bit: 544), .init("wide", wide, bit: 576),
        .init("error", negative, bit: 640), .init("place", inner, bit: 704),
        .init("entries", btf.array(descriptor, 0), bit: 832),
      ])
    _ = btf.structure(
      "flags", 8,
      [
        .init("a", int, bit: 0, bits: 3), .init("b", int, bit: 3, bits: 13),
        .init("", int, bit: 16, bits: 2), .init("c", word, bit: 21, bits: 43),
        .init("plain", int, bit: 64),
      ])
    btf.type(12, "probe", word: function)
    let variable = btf.type(14, "cpu_number", word: int, trailer: [1])
    btf.type(15, ".data..percpu", count: 1, word: 4, trailer: [variable, 0, 4])
    btf.type(16, "double", word: 8)
    btf.type(17, "bpf_kfunc", word: function, trailer: [UInt32.max])
    return btf
  }

  @Test func flattensWhatHasNoName() throws {
    let layout = try #require(try BTFTypes(Self.everything.bytes).structure(named: "intel_iommu"))
    #expect(layout.byteCount == 200)
    let descriptor = TypeShape.structure(name: "qi_desc", byteCount: 32)
    let expected: [String: Member] = [
      "reg": Member(offset: 0, shape: Self.word),
      "low": Member(offset: 8, shape: Self.word),
      "high": Member(offset: 16, shape: Self.word),
      "seq": Member(offset: 24, shape: .structure(name: "atomic_t", byteCount: 4)),
      "seq.counter": Member(offset: 24, shape: Self.int),
      "name": Member(
        offset: 28, shape: .array(of: .integer(byteCount: 1, isSigned: false), count: 16)),
      "grid": Member(offset: 44, shape: .array(of: Self.int, count: 6)),
      "mode": Member(offset: 68, shape: .integer(byteCount: 4, isSigned: false)),
      "wide": Member(offset: 72, shape: Self.word),
      "error": Member(offset: 80, shape: Self.int),
      "place": Member(offset: 88, shape: .structure(name: nil, byteCount: 16)),
      "place.low": Member(offset: 88, shape: Self.word),
      "place.high": Member(offset: 96, shape: Self.word),
      "entries": Member(offset: 104, shape: .array(of: descriptor, count: nil)),
    ]
    #expect(layout.members == expected)
  }

  @Test(arguments: [
    ("device", "pci_dev"), ("forward", "pci_dev"), ("descriptors", "qi_desc *"),
    ("anything", "void"), ("number", "long unsigned int"), ("call", nil), ("atom", "atomic_t"),
    ("unnamed", nil), ("tagged", "pci_dev"), ("bounded", nil),
  ])
  func namesWhatAPointerPointsTo(_ member: String, _ pointee: String?) throws {
    let layout = try #require(try BTFTypes(Self.everything.bytes).structure(named: "pointers"))
    #expect(layout.members[member]?.shape == .pointer(to: pointee))
  }

  @Test func placesBitFieldsWithTheKindFlag() throws {
    let layout = try #require(try BTFTypes(Self.everything.bytes).structure(named: "flags"))
    #expect(layout.members["a"] == Member(offset: 0, shape: Self.int, bits: 0..<3))
    #expect(layout.members["b"] == Member(offset: 0, shape: Self.int, bits: 3..<16))
    #expect(layout.members["c"] == Member(offset: 2, shape: Self.word, bits: 5..<48))
    #expect(layout.members["plain"] == Member(offset: 8, shape: Self.int))
    #expect(layout.members.count == 4)
  }

  @Test func placesBitFieldsWithoutTheKindFlag() throws {
    var btf = BTFBuilder()
    let narrow = btf.integer("unsigned int", 4, bits: 5)
    let shifted = btf.integer("unsigned int", 4, bits: 9, at: 2)
    _ = btf.structure("old", 4, [.init("x", narrow, bit: 0), .init("y", shifted, bit: 8)])
    let layout = try #require(try BTFTypes(btf.bytes).structure(named: "old"))
    #expect(layout.members["x"]?.bits == 0..<5)
    #expect(layout.members["y"]?.offset == 1)
    #expect(layout.members["y"]?.bits == 2..<11)
  }

  @Test func forwardDeclarationsNeverShadowADefinition() throws {
    let types = try BTFTypes(Self.everything.bytes)
    #expect(try types.structure(named: "pci_dev")?.byteCount == 8)
    #expect(try types.structures(named: "pci_dev").count == 1)
  }

  @Test func givesAllDefinitionsAndPrefersTheStructure() throws {
    var btf = BTFBuilder()
    let int = btf.integer("unsigned int", 4)
    _ = btf.structure("irte", 4, union: true, [.init("val", int, bit: 0)])
    for _ in 0..<2 { _ = btf.structure("irte", 16, [.init("low", int, bit: 0)]) }
    let types = try BTFTypes(btf.bytes)
    #expect(try types.structure(named: "irte")?.byteCount == 16)
    #expect(try types.structures(named: "irte").map(\.byteCount) == [4, 16])
    #expect(try types.structures(named: "irte").map(\.isUnion) == [true, false])
  }

  @Test(arguments: [
    ("outer.seq.counter", 40), ("outer.place.high", 112), ("outer", 16), ("outer.gone", nil),
    ("gone.seq", nil), ("first.seq", nil),
  ])
  func followsPathsThroughStructures(_ path: String, _ offset: Int?) throws {
    var btf = Self.everything
    let int = btf.integer("int", 4, signed: true)
    let inner = try #require(btf.ids["intel_iommu"])
    _ = btf.structure(
      "holder", 216, [.init("first", int, bit: 0), .init("outer", inner, bit: 128)])
    let types = try BTFTypes(btf.bytes)
    #expect(try types.member(path, of: "holder")?.offset == offset)
  }

  @Test(arguments: ["irt", "intel_iommu2", "", "reg", "int", "mode", "intel\0", "u64"])
  func otherNamesHaveNoLayout(_ name: String) throws {
    let types = try BTFTypes(Self.everything.bytes)
    #expect(try types.structure(named: name) == nil)
    #expect(try types.structures(named: name).isEmpty)
  }

  @Test func aTypedefStandsForAStructureWithoutAName() throws {
    let types = try BTFTypes(Self.everything.bytes)
    #expect(try types.structure(named: "atomic_t")?.members["counter"]?.offset == 0)
  }

  @Test(
    arguments: [
      ("MODE_ON", 1), ("WIDE", 0x1_0000_0000), ("TOP", .min), ("E_SOME", -5), ("MODE", nil),
    ] as [(String, Int64?)])
  func valuesEnumerators(_ name: String, _ value: Int64?) throws {
    #expect(try BTFTypes(Self.everything.bytes).enumerator(named: name) == value)
  }

  @Test func enumerationsWithoutSignsAreSignedByTheirValues() throws {
    var btf = BTFBuilder()
    let error = btf.enumeration("error", [("E_SOME", -5)])
    let mode = btf.enumeration("mode", [("MODE_ON", 1)])
    _ = btf.structure("both", 8, [.init("error", error, bit: 0), .init("mode", mode, bit: 32)])
    let types = try BTFTypes(btf.bytes)
    #expect(try types.enumerator(named: "E_SOME") == -5)
    let members = try #require(try types.structure(named: "both")).members
    #expect(members["error"]?.shape == .integer(byteCount: 4, isSigned: true))
    #expect(members["mode"]?.shape == .integer(byteCount: 4, isSigned: false))
  }

  @Test func enumerationsWithSignsMayHaveTheTopBit() throws {
    var btf = BTFBuilder()
    _ = btf.enumeration("error", signed: true, [("E_SOME", -5)])
    _ = btf.enumeration("mask", [("TOP_BIT", 0x8000_0000)])
    #expect(try BTFTypes(btf.bytes).enumerator(named: "TOP_BIT") == 0x8000_0000)
  }

  // MARK: Damage

  private static func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test func unknownKindsAreAnErrorThatNamesThem() {
    var btf = BTFBuilder()
    btf.type(20, "inline")
    #expect(
      Self.message { _ = try BTFTypes(btf.bytes) }
        == "BTF type 1 at byte 24 has kind 20, which is not known, and types after it cannot be "
        + "found")
  }

  @Test func unknownKindsAreSkippedWhereTheBlobDescribesThem() throws {
    var btf = BTFBuilder()
    let unknown = btf.type(20, "inline", count: 2, word: 0, trailer: [1, 2, 3, 4, 5])
    let int = btf.integer("int", 4, signed: true)
    _ = btf.structure("after", 4, [.init("x", int, bit: 0), .init("y", unknown, bit: 32)])
    btf.kindLayouts = Array(repeating: (0, 0), count: 20) + [(4, 8)]
    let layout = try #require(try BTFTypes(btf.bytes).structure(named: "after"))
    #expect(layout.members["x"]?.shape == Self.int)
    #expect(layout.members["y"]?.shape == .other)
  }

  @Test func chainsThatNeverEndAreAnError() throws {
    var btf = BTFBuilder()
    _ = btf.typedef("a", 2)
    let loop = btf.const(1)
    _ = btf.structure("looped", 4, [.init("x", loop, bit: 0)])
    let types = try BTFTypes(btf.bytes)
    #expect(
      Self.message { _ = try types.structure(named: "looped") }
        == "a chain of typedefs and qualifiers is longer than 64 steps")
    #expect(throws: TypeError.self) { try types.structure(named: "a") }
  }

  @Test func pointersAndArraysThatNeverEndAreErrors() throws {
    var btf = BTFBuilder()
    let pointer = btf.pointer(1)
    let array = btf.array(2, 1)
    _ = btf.structure("pointers", 8, [.init("x", pointer, bit: 0)])
    _ = btf.structure("arrays", 8, [.init("x", array, bit: 0)])
    let types = try BTFTypes(btf.bytes)
    #expect(throws: TypeError.self) { try types.structure(named: "pointers") }
    #expect(throws: TypeError.self) { try types.structure(named: "arrays") }
  }

  @Test func structuresWithinThemselvesAreAnError() throws {
    var btf = BTFBuilder()
    _ = btf.structure("self", 8, [.init("", 1, bit: 0)])
    #expect(
      Self.message { _ = try BTFTypes(btf.bytes).structure(named: "self") }
        == "self nests structures deeper than 32 levels")
  }

  /// 20 levels of structures that hold the next one four times: 2^40 members in 1 KiB.
  @Test func membersThatMultiplyAreAnError() throws {
    var btf = BTFBuilder()
    for level in 1...20 as ClosedRange<UInt32> {
      _ = btf.structure(
        level == 1 ? "bomb" : "", 8, (0..<4).map { .init("m\($0)", level + 1, bit: 0) })
    }
    _ = btf.structure("", 0, [])
    #expect(
      Self.message { _ = try BTFTypes(btf.bytes).structure(named: "bomb") }
        == "bomb has more members than any kernel structure")
  }

  @Test func typesOutsideTheBlobAreAnError() throws {
    var btf = BTFBuilder()
    _ = btf.structure("far", 8, [.init("x", 7, bit: 0)])
    #expect(
      Self.message { _ = try BTFTypes(btf.bytes).structure(named: "far") }
        == "BTF refers to type 7, the last is 1")
  }

  @Test(arguments: [
    (0, 0, "BTF starts with 0xeb00, not with its magic number 0xeb9f"),
    (2, 2, "BTF has version 2, only version 1 is known"),
    (4, 23, "BTF claims a header of 23 bytes, of 45 in all"),
    (7, 1, "BTF claims a header of 16777240 bytes, of 45 in all"),
    (15, 1, "BTF types end at byte 16777256 of 45, the input is cut off"),
    (23, 1, "BTF strings end at byte 16777261 of 45, the input is cut off"),
    (40, 1, "BTF strings do not start and end with a zero byte"),
    (44, 1, "BTF strings do not start and end with a zero byte"),
    (12, 12, "BTF type 1 at byte 24 ends at byte 40, types end at 36"),
  ])
  func damagedHeadersAreErrors(_ offset: Int, _ value: UInt8, _ message: String) {
    var btf = BTFBuilder()
    _ = btf.integer("int", 4)
    var bytes = btf.bytes
    bytes[offset] = value
    #expect(Self.message { _ = try BTFTypes(bytes) } == message)
  }

  private static let names = ["intel_iommu", "pointers", "flags", "pci_dev", "atomic_t", "qi_desc"]

  /// Asks everything; the result does not matter, only that there is one.
  private static func exercise(_ bytes: [UInt8]) {
    guard let types = try? BTFTypes(bytes) else { return }
    for name in names {
      _ = try? types.structure(named: name)
      _ = try? types.structures(named: name)
    }
    _ = try? types.enumerator(named: "E_SOME")
  }

  @Test func everyTruncationReturnsOrThrows() {
    let bytes = Self.everything.bytes
    for count in bytes.indices {
      #expect(throws: TypeError.self) { try BTFTypes(Array(bytes[..<count])) }
    }
  }

  /// A blob whose types are cut anywhere, with its strings whole, still has a consistent header.
  @Test func everyCutOfTheTypesReturnsOrThrows() {
    let whole = Self.everything
    for count in whole.types.indices {
      var cut = whole
      cut.types.removeSubrange(count...)
      Self.exercise(cut.bytes)
    }
  }

  @Test func mutationsReturnOrThrow() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("let seed: UInt64 = \(seed)")
    var random = SeededGenerator(seed: seed)
    let whole = Self.everything.bytes
    for _ in 0..<4000 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch UInt8.random(in: 0...2, using: &random) {
        case 0: bytes[at] ^= 1 << UInt8.random(in: 0...7, using: &random)
        case 1: bytes[at] = .random(in: 0...255, using: &random)
        default:
          // Small identifiers in place of others make cycles.
          bytes[at & ~3] = .random(in: 0...64, using: &random)
        }
      }
      Self.exercise(bytes)
    }
  }
}
