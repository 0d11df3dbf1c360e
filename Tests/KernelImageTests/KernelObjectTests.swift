// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import KernelTypes
import Memory
import Testing

struct KernelObjectTests {
  private let kernel = SyntheticKernel()

  private func object(_ fixture: FixtureObject) throws -> KernelObject {
    try kernel.image().object(fixture.layout.name, at: fixture.address)
  }

  @Test func membersOfEverySize() throws {
    kernel.types.define(
      "all", "u8 a", "u16 b", "u32 c", "u64 d", "int e", "s16 f", "atomic64_t g", "void *h",
      "char name[8]", "u32 array[4]", "u64 tail[]")
    let fixture = kernel.make(
      "all",
      [
        "a": 0xff, "b": 0xfffe, "c": 0xffff_fffd, "d": .max, "e": 0xffff_ffff, "f": 0x8000,
        "g.counter": 7, "h": 0x1234,
      ])
    fixture.setElement("array", 3, 99)
    fixture.setText("name", "dmar1")
    let object = try object(fixture)
    #expect(try object.unsigned("a") == 0xff)
    #expect(try object.unsigned("b") == 0xfffe)
    #expect(try object.unsigned("c") == 0xffff_fffd)
    #expect(try object.unsigned("d") == .max)
    #expect(try object.unsigned("e") == 0xffff_ffff)
    #expect(try object.signed("e") == -1)
    #expect(try object.signed("f") == -0x8000)
    #expect(try object.signed("c") == 0xffff_fffd)
    #expect(try object.unsigned("g") == 7)
    #expect(try object.unsigned("g.counter") == 7)
    #expect(try object.pointer("h") == KernelAddress(0x1234))
    #expect(try object.element("array", 3) == 99)
    #expect(try object.arrayCount("array") == 4)
    #expect(try object.string("name") == "dmar1")
    #expect(try object.count("a", limit: 255) == 255)
    for body in [
      { _ = try object.unsigned("none") }, { _ = try object.unsigned("array") },
      { _ = try object.element("array", 4) }, { _ = try object.element("array", -1) },
      { _ = try object.element("a", 0) }, { _ = try object.arrayCount("tail") },
      { _ = try object.count("a", limit: 254) }, { _ = try object.count("d", limit: .max) },
      { _ = try object.string("a") }, { _ = try object.target("h") },
      { _ = try object.object("a") },
    ] as [() throws -> Void] {
      #expect(throws: KernelError.self) { try body() }
    }
  }

  @Test func bitFieldsOfOneUnit() throws {
    kernel.types.define("bits", "u8 a:1", "u8 b:3", "u8 c:5", "u32 d:31", "int e:2")
    let fixture = kernel.make("bits", ["a": 1, "b": 5, "c": 0x1f, "d": 0x4000_0001, "e": 3])
    let object = try object(fixture)
    #expect(try object.unsigned("a") == 1)
    #expect(try object.unsigned("b") == 5)
    #expect(try object.unsigned("c") == 0x1f)
    #expect(try object.unsigned("d") == 0x4000_0001)
    #expect(try object.unsigned("e") == 3)
    #expect(try object.signed("e") == -1)
  }

  @Test(arguments: [0..<1, 4..<12, 3..<67, 0..<64])
  func bitFieldsAcrossBytes(_ bits: Range<Int>) throws {
    kernel.types.add(
      StructLayout(
        name: "b", byteCount: 16,
        members: [
          "x": Member(offset: 2, shape: .integer(byteCount: 8, isSigned: false), bits: bits)
        ]))
    let fixture = kernel.make("b")
    let bytes: [UInt8] = [0xd1, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12, 0x70, 0x53]
    kernel.write(bytes, at: KernelAddress(fixture.address.rawValue + 2))
    var expected: UInt64 = 0
    for bit in bits.reversed() {
      expected = expected << 1 | UInt64(bytes[bit / 8] >> UInt8(bit % 8) & 1)
    }
    #expect(try object(fixture).unsigned("x") == expected)
  }

  @Test(arguments: [-8..<4, 0..<65, 0..<0, 100..<Int.max, Int.max - 1..<Int.max])
  func hostileBitRanges(_ bits: Range<Int>) throws {
    kernel.types.add(
      StructLayout(
        name: "b", byteCount: 16,
        members: [
          "x": Member(offset: 0, shape: .integer(byteCount: 8, isSigned: true), bits: bits)
        ]))
    let object = try object(kernel.make("b"))
    #expect(throws: KernelError.self) { try object.unsigned("x") }
    #expect(throws: KernelError.self) { try object.signed("x") }
  }

  @Test func hostileLayouts() throws {
    kernel.types.add(
      StructLayout(
        name: "hostile", byteCount: -1,
        members: [
          "negative": Member(offset: -8, shape: .integer(byteCount: 8, isSigned: false)),
          "far": Member(offset: .max, shape: .structure(name: "hostile", byteCount: 8)),
          "wide": Member(offset: 0, shape: .integer(byteCount: .max, isSigned: true)),
          "count": Member(offset: 0, shape: .array(of: .pointer(to: nil), count: -1)),
          "element": Member(
            offset: 0,
            shape: .array(of: .integer(byteCount: -4, isSigned: false), count: 4)),
          "many": Member(offset: 0, shape: .array(of: .pointer(to: nil), count: .max)),
        ]))
    let image = kernel.image()
    let object = try image.object("hostile", at: kernel.allocate(64))
    for body in [
      { _ = try object.unsigned("wide") }, { _ = try object.signed("wide") },
      { _ = try object.arrayCount("count") }, { _ = try object.element("count", 0) },
      { _ = try object.element("element", 1) }, { _ = try object.element("many", .max) },
      { _ = try object.unsigned("far.far.wide") }, { _ = try object.unsigned("far.negative") },
      { _ = try object.unsigned("negative") },
      { _ = try image.container("hostile", of: "far.far", at: object.address) },
      { _ = try image.container("hostile", of: "negative", at: object.address) },
    ] as [() throws -> Void] {
      #expect(throws: KernelError.self) { try body() }
    }
  }

  @Test func objectAtTheEndOfMemory() throws {
    kernel.types.define("two", "u64 a", "u64 b")
    let object = try kernel.image().object("two", at: KernelAddress(.max - 3))
    #expect(throws: KernelError.self) { try object.unsigned("a") }
    #expect(throws: KernelError.self) { try object.unsigned("b") }
    #expect(throws: KernelError.self) { try object.address(of: "b") }
  }

  @Test func pathsThroughEmbeddedStructures() throws {
    kernel.types.define("inner", "u32 x", "u32 y")
    kernel.types.define("middle", "u64 pad", "inner in")
    kernel.types.define("outer", "u8 a", "middle mid", "inner *to")
    let fixture = kernel.make("outer", ["mid.in.y": 42])
    let object = try object(fixture)
    #expect(try object.unsigned("mid.in.y") == 42)
    #expect(try object.object("mid").object("in").unsigned("y") == 42)
    #expect(try object.has("mid.in.z") == false)
    #expect(try object.has("to.x") == false)
    #expect(try object.target("to") == nil)
    let inner = fixture.object("mid.in")
    fixture["to"] = inner.address.rawValue
    #expect(try self.object(fixture).target("to")?.unsigned("y") == 42)
    #expect(
      try kernel.image().container("outer", of: "mid.in", at: inner.address).address
        == fixture.address)
    #expect(throws: KernelError(.nullPointer)) {
      try kernel.image().object("outer", at: KernelAddress(0))
    }
    #expect(throws: KernelError(.noStructure("nothing"))) {
      try kernel.image().object("nothing", at: inner.address)
    }
  }

  @Test func textBehindAPointer() throws {
    kernel.types.define("named", "char *name", "char short[4]")
    let fixture = kernel.make("named")
    #expect(try object(fixture).string("name") == nil)
    fixture["name"] = kernel.string("0000:00:1f.0").rawValue
    #expect(try object(fixture).string("name") == "0000:00:1f.0")
    kernel.write(Array("abcdefgh".utf8), at: fixture.address(of: "short"))
    #expect(try object(fixture).string("short") == "abcd")
    fixture["name"] = 0x1234
    #expect(throws: KernelError.self) { try object(fixture).string("name") }
  }

  @Test func symbolsAndVariables() throws {
    kernel.variable("intel_iommu_sm", 1 as Int32)
    kernel.note("from_note", KernelAddress(0xffff_ffff_8100_0000))
    let image = kernel.image()
    #expect(try image.variable("intel_iommu_sm") == Int32(1))
    #expect(try image.variable("absent", as: Int32.self) == nil)
    #expect(image.symbol("from_note") == KernelAddress(0xffff_ffff_8100_0000))
    #expect(throws: KernelError(.noSymbol("absent"))) { try image.requiredSymbol("absent") }
  }
}

struct PerCPUTests {
  @Test func everyCPUHasItsCopy() throws {
    let kernel = SyntheticKernel(cpuCount: 5)
    kernel.types.define("local", "u64 value")
    let (pointer, copies) = kernel.makePerCPU("local")
    for (cpu, copy) in copies.enumerated() { copy["value"] = UInt64(100 + cpu) }
    let image = kernel.image()
    #expect(try image.possibleCPUs() == [0, 1, 2, 3, 4])
    for cpu in 0..<5 {
      let address = try image.perCPU(pointer, cpu: cpu)
      #expect(try image.object("local", at: address).unsigned("value") == UInt64(100 + cpu))
    }
  }

  @Test func maskOfMoreThanOneWord() throws {
    let kernel = SyntheticKernel(cpuCount: 0)
    let mask = kernel.make("cpumask")
    mask.setElement("bits", 0, 1 << 63)
    mask.setElement("bits", 1, 1)
    kernel.symbol("__cpu_possible_mask", mask.address)
    #expect(try kernel.image().possibleCPUs() == [63, 64])
  }

  @Test func withoutSymbols() {
    let image = SyntheticKernel(cpuCount: 0).image()
    #expect(throws: KernelError(.noSymbol("__cpu_possible_mask"))) { try image.possibleCPUs() }
    #expect(throws: KernelError(.noSymbol("__per_cpu_offset"))) {
      try image.perCPU(KernelAddress(0x1000), cpu: 0)
    }
  }

  @Test(arguments: [-1, Int.max, Int.min])
  func hostileCPUNumbers(_ cpu: Int) {
    let kernel = SyntheticKernel()
    #expect(throws: KernelError.self) {
      try kernel.image().perCPU(KernelAddress(0x1000), cpu: cpu)
    }
  }
}
