// SPDX-License-Identifier: Apache-2.0

public import KernelTypes

/// Struct layouts that a test declares, laid out as C does on x86_64.
///
/// A member is one line of C without its semicolon: `u32 seq_id`, `list_head list`,
/// `pci_dev *self`, `char name[13]`, `u64 pfns[]`, `u8 ignored:1`. `@ other` puts a member where
/// another one starts, as a union does; `@ 40` puts it at an offset.
public final class FixtureTypes: TypeSource {
  public let origin: TypeOrigin? = .btf
  public var enumerators: [String: Int64] = [:]
  private var layouts: [String: StructLayout] = [:]
  private var alignments: [String: Int] = [:]
  /// Has the last word on each declaration of a structure's member, before it gets its place.
  public var alter: ((_ structure: String, _ declaration: String) -> String)?

  public init() {}

  public func structure(named name: String) throws(TypeError) -> StructLayout? { layouts[name] }

  public func structures(named name: String) throws(TypeError) -> [StructLayout] {
    layouts[name].map { [$0] } ?? []
  }

  public func enumerator(named name: String) throws(TypeError) -> Int64? { enumerators[name] }

  /// Adds or replaces a layout as it is.
  public func add(_ layout: StructLayout, alignment: Int = 8) {
    layouts[layout.name] = layout
    alignments[layout.name] = alignment
  }

  /// Names of the layouts, sorted.
  public var names: [String] { layouts.keys.sorted() }

  static func integer(named name: String) -> TypeShape? {
    integers[name].map { .integer(byteCount: $0.0, isSigned: $0.1) }
  }

  /// Gives a member of a structure another name, in the same place.
  public func rename(_ member: String, of name: String, to other: String) {
    guard var layout = layouts[name], let place = layout.members.removeValue(forKey: member) else {
      return
    }
    layout.members[other] = place
    layouts[name] = layout
  }

  public func remove(_ name: String) { layouts[name] = nil }

  /// Declares a structure; members named in `nil` places are left out.
  public func define(_ name: String, _ declarations: String?...) {
    var members: [String: Member] = [:]
    var bitEnd = 0
    var structureEnd = 0
    var structureAlignment = 1
    for declaration in declarations.compactMap({ $0 }).map({ alter?(name, $0) ?? $0 }) {
      let parsed = Declaration(declaration)
      let (shape, size, alignment) = shape(of: parsed)
      structureAlignment = max(structureAlignment, alignment)
      var member = Member(offset: 0, shape: shape)
      if let width = parsed.bits {
        let unit = size * 8
        if bitEnd / unit != (bitEnd + width - 1) / unit { bitEnd = (bitEnd / unit + 1) * unit }
        member.offset = bitEnd / unit * size
        member.bits = bitEnd - member.offset * 8..<bitEnd - member.offset * 8 + width
        bitEnd += width
      } else {
        switch parsed.place {
        case .next:
          member.offset = ((bitEnd + 7) / 8 + alignment - 1) / alignment * alignment
        case .offset(let offset):
          member.offset = offset
        case .member(let other):
          guard let other = members[other] else {
            preconditionFailure("\(name) has no member to share a place with: \(declaration)")
          }
          member.offset = other.offset
        }
        bitEnd = max(bitEnd, (member.offset + size) * 8)
      }
      structureEnd = max(structureEnd, (bitEnd + 7) / 8)
      members[parsed.name] = member
    }
    let byteCount =
      (structureEnd + structureAlignment - 1) / structureAlignment * structureAlignment
    add(
      StructLayout(name: name, byteCount: byteCount, members: members),
      alignment: structureAlignment)
  }

  private func shape(
    of declaration: Declaration
  ) -> (shape: TypeShape, byteCount: Int, alignment: Int) {
    var shape: TypeShape
    var size = 8
    var alignment = 8
    if declaration.pointers > 0 {
      let stars = String(repeating: "*", count: declaration.pointers - 1)
      shape = .pointer(to: stars.isEmpty ? declaration.type : declaration.type + " " + stars)
    } else if let (byteCount, isSigned) = Self.integers[declaration.type] {
      shape = .integer(byteCount: byteCount, isSigned: isSigned)
      (size, alignment) = (byteCount, byteCount)
    } else if let layout = layouts[declaration.type] {
      shape = .structure(name: layout.name, byteCount: layout.byteCount)
      (size, alignment) = (layout.byteCount, alignments[declaration.type] ?? 8)
    } else {
      preconditionFailure("no type \(declaration.type)")
    }
    switch declaration.count {
    case .single: break
    case .fixed(let count):
      shape = .array(of: shape, count: count)
      size *= count
    case .flexible:
      shape = .array(of: shape, count: nil)
      size = 0
    }
    return (shape, size, alignment)
  }

  private static let integers: [String: (Int, Bool)] = [
    "u8": (1, false), "bool": (1, false), "char": (1, true), "u16": (2, false), "s16": (2, true),
    "u32": (4, false), "int": (4, true), "u64": (8, false), "ulong": (8, false), "s64": (8, true),
    "long": (8, true),
  ]

  /// The place of a member by its path through embedded structures.
  public func member(_ path: String, of name: String) -> Member? {
    guard let layout = layouts[name] else { return nil }
    if let member = layout.members[path] { return member }
    guard let dot = path.firstIndex(of: "."),
      let outer = layout.members[String(path[..<dot])],
      case .structure(let inner?, _) = outer.shape,
      var member = member(String(path[path.index(after: dot)...]), of: inner)
    else { return nil }
    member.offset += outer.offset
    return member
  }
}

/// One line of C.
private struct Declaration {
  enum Count {
    case single
    case fixed(Int)
    case flexible
  }
  enum Place {
    case next
    case offset(Int)
    case member(String)
  }

  var type: String
  var name: String
  var pointers: Int
  var count = Count.single
  var bits: Int?
  var place = Place.next

  init(_ text: String) {
    var words = text.split(separator: "@", maxSplits: 1).map(Self.trimmed)
    if words.count == 2 {
      place = Int(words[1]).map(Place.offset) ?? .member(words[1])
    }
    var rest = words[0]
    words = rest.split(separator: ":").map(Self.trimmed)
    if words.count == 2 {
      bits = Int(words[1])
      rest = words[0]
    }
    if let bracket = rest.firstIndex(of: "[") {
      let length = rest[rest.index(after: bracket)...].dropLast()
      count = Int(length).map(Count.fixed) ?? .flexible
      rest = String(rest[..<bracket])
    }
    pointers = rest.count { $0 == "*" }
    let parts = rest.split { $0 == " " || $0 == "*" }
    guard parts.count == 2 else { preconditionFailure("no declaration: \(text)") }
    type = String(parts[0])
    name = String(parts[1])
  }

  private static func trimmed(_ text: some StringProtocol) -> String {
    var text = text[...]
    while text.first == " " { text.removeFirst() }
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
