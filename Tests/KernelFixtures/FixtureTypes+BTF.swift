// SPDX-License-Identifier: Apache-2.0

import KernelTypes

extension FixtureTypes {
  /// The layouts as BTF, so that a dump can carry them.
  public var btf: [UInt8] {
    var encoder = BTFEncoder(self)
    return encoder.bytes()
  }
}

/// Writes integers first, then the structures by name, then whatever types their members have.
private struct BTFEncoder {
  private let types: FixtureTypes
  private let names: [String]
  private var builder = BTFBuilder()
  private var integers: [TypeShape: UInt32] = [:]
  /// Types behind the structures, in the order of their identifiers.
  private var derived: [TypeShape] = []
  private var derivedIDs: [TypeShape: UInt32] = [:]
  private var forwards: [String] = []

  init(_ types: FixtureTypes) {
    self.types = types
    names = types.names
    for (size, isSigned, name) in [
      (1, false, "u8"), (1, true, "char"), (2, false, "u16"), (2, true, "s16"), (4, false, "u32"),
      (4, true, "int"), (8, false, "u64"), (8, true, "s64"),
    ] {
      integers[.integer(byteCount: size, isSigned: isSigned)] = builder.integer(
        name, UInt32(size), signed: isSigned)
    }
  }

  private var firstStructure: UInt32 { UInt32(integers.count) + 1 }

  mutating func bytes() -> [UInt8] {
    for name in names {
      guard let layout = try? types.structure(named: name) else { continue }
      let fields = layout.members.sorted {
        ($0.value.offset, $0.key) < ($1.value.offset, $1.key)
      }.map { name, member in
        BTFBuilder.Field(
          name, id(of: member.shape),
          bit: UInt32(member.offset * 8 + (member.bits?.lowerBound ?? 0)),
          bits: member.bits.map { UInt32($0.count) })
      }
      _ = builder.structure(name, UInt32(layout.byteCount), union: layout.isUnion, fields)
    }
    // Writing one may ask for another.
    var next = 0
    while next < derived.count {
      write(derived[next])
      next += 1
    }
    return builder.bytes
  }

  private mutating func write(_ shape: TypeShape) {
    switch shape {
    case .pointer(let target): _ = builder.pointer(target.map { id(named: $0) } ?? 0)
    case .array(let element, let count):
      _ = builder.array(id(of: element), UInt32(count ?? 0))
    case .structure(let name, _): _ = builder.forward(name ?? "")
    case .integer, .other: _ = builder.integer("u8", 1)
    }
  }

  private mutating func id(of shape: TypeShape) -> UInt32 {
    if let id = integers[shape] { return id }
    if case .structure(let name?, _) = shape, let index = names.firstIndex(of: name) {
      return firstStructure + UInt32(index)
    }
    return id(derived: shape)
  }

  private mutating func id(derived shape: TypeShape) -> UInt32 {
    if let id = derivedIDs[shape] { return id }
    let id = firstStructure + UInt32(names.count + derived.count)
    derived.append(shape)
    derivedIDs[shape] = id
    return id
  }

  /// What a pointer leads to: `void`, a number, a structure, or another pointer.
  private mutating func id(named name: String) -> UInt32 {
    if name.hasSuffix("*") {
      var target = name.dropLast()
      if target.last == " " { target = target.dropLast() }
      return id(of: .pointer(to: String(target)))
    }
    if name == "void" { return 0 }
    if let index = names.firstIndex(of: name) { return firstStructure + UInt32(index) }
    if let shape = FixtureTypes.integer(named: name) { return id(of: shape) }
    return id(derived: .structure(name: name, byteCount: 0))
  }
}
