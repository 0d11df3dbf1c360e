// SPDX-License-Identifier: Apache-2.0

/// Turns a structure of a type graph into its flattened layout.
///
/// Every loop has an end that does not depend on the input: chains of typedefs, nesting, members
/// and the length of member paths are bounded far above what any kernel has.
final class LayoutBuilder<Graph: TypeGraph> {
  /// Typedefs and qualifiers between a use and its type; kernels have fewer than ten.
  private static var chainLimit: Int { 64 }
  /// Structures, arrays or pointers within each other.
  private static var depthLimit: Int { 32 }
  /// Bytes of a path such as `"outer.inner"`.
  private static var pathLimit: Int { 2048 }

  private let graph: Graph
  /// Members still allowed, over all layouts that this builder makes: anonymous structures can be
  /// arranged so that a few hundred bytes describe billions of members.
  private var members = 16_384
  /// Types still allowed to be looked at, for the same reason.
  private var steps = 1 << 20

  init(_ graph: Graph) {
    self.graph = graph
  }

  /// The layout of the aggregate `id`, which the caller knows to be complete.
  func layout(
    of id: Graph.ID, name: String, byteCount: Int, isUnion: Bool
  ) throws(TypeError) -> StructLayout {
    var layout = StructLayout(name: name, byteCount: byteCount, isUnion: isUnion, members: [:])
    try collect(id, at: 0, prefix: "", depth: 0, into: &layout)
    return layout
  }

  private func collect(
    _ id: Graph.ID, at base: Int, prefix: String, depth: Int, into layout: inout StructLayout
  ) throws(TypeError) {
    guard depth < Self.depthLimit else {
      throw TypeError("\(layout.name) nests structures deeper than \(Self.depthLimit) levels")
    }
    try graph.forEachMember(of: id) { (member) throws(TypeError) in
      members -= 1
      guard members > 0 else {
        throw TypeError("\(layout.name) has more members than any kernel structure")
      }
      let (offset, overflow) = base.addingReportingOverflow(member.bitOffset)
      guard offset >= 0, !overflow else {
        throw TypeError("\(layout.name).\(prefix)\(member.name ?? "") has an impossible offset")
      }
      let (target, node, _) = try resolve(member.type)
      guard let name = member.name else {
        // Padding bit-fields have no name either. A structure that has a name but whose member has
        // none is Microsoft's extension, which Linux 6.19 and later use.
        if case .aggregate(_, _, isComplete: true) = node {
          try collect(target, at: offset, prefix: prefix, depth: depth + 1, into: &layout)
        }
        return
      }
      let path = prefix + name
      guard path.utf8.count <= Self.pathLimit else {
        throw TypeError("\(layout.name) has a member path longer than \(Self.pathLimit) bytes")
      }
      if layout.members[path] == nil {
        layout.members[path] = try self.member(member, at: offset, path, of: layout.name)
      }
      if case .aggregate(name: nil, _, isComplete: true) = node {
        try collect(target, at: offset, prefix: path + ".", depth: depth + 1, into: &layout)
      }
    }
  }

  private func member(
    _ member: MemberNode<Graph.ID>, at bitOffset: Int, _ path: String, of structure: String
  ) throws(TypeError) -> Member {
    let shape = try shape(of: member.type, depth: 0)
    // The byte of the first bit, not of the declared storage unit: the two formats disagree about
    // storage units, about this they cannot.
    guard let count = member.bitCount else { return Member(offset: bitOffset >> 3, shape: shape) }
    guard 1...64 ~= count else {
      throw TypeError("\(structure).\(path) is a bit-field of \(count) bits, expected 1 to 64")
    }
    let first = bitOffset & 7
    return Member(offset: bitOffset >> 3, shape: shape, bits: first..<first + count)
  }

  /// The type behind typedefs and qualifiers, with the name of the typedef nearest to it.
  private func resolve(
    _ id: Graph.ID
  ) throws(TypeError) -> (id: Graph.ID, node: TypeNode<Graph.ID>, typedef: String?) {
    var id = id
    var typedef: String?
    for _ in 0..<Self.chainLimit {
      steps -= 1
      guard steps > 0 else {
        throw TypeError("a structure refers to more types than any kernel structure")
      }
      let node = try graph.node(id)
      guard case .alias(let name, let next) = node else { return (id, node, typedef) }
      typedef = name ?? typedef
      id = next
    }
    throw TypeError("a chain of typedefs and qualifiers is longer than \(Self.chainLimit) steps")
  }

  /// The complete aggregate that a typedef names, or `nil`.
  func aggregate(
    behind id: Graph.ID
  ) throws(TypeError) -> (id: Graph.ID, byteCount: Int)? {
    let (target, node, _) = try resolve(id)
    guard case .aggregate(_, let byteCount, isComplete: true) = node else { return nil }
    return (target, byteCount)
  }

  private func shape(of id: Graph.ID, depth: Int) throws(TypeError) -> TypeShape {
    guard depth < Self.depthLimit else {
      throw TypeError("arrays are nested deeper than \(Self.depthLimit) levels")
    }
    let (_, node, typedef) = try resolve(id)
    switch node {
    case .integer(let name, let byteCount, let isSigned):
      return .integer(byteCount: byteCount, isSigned: isSigned && name != "char")
    case .pointer(let target):
      return .pointer(to: try pointee(target))
    case .aggregate(let name, let byteCount, isComplete: true):
      return .structure(name: name ?? typedef, byteCount: byteCount)
    case .array(let element, let count):
      let inner = try shape(of: element, depth: depth + 1)
      guard case .array(let innermost, let innerCount) = inner else {
        return .array(of: inner, count: count)
      }
      guard let count, let innerCount else { return .array(of: innermost, count: nil) }
      let (product, overflow) = count.multipliedReportingOverflow(by: innerCount)
      return .array(of: innermost, count: overflow ? nil : product)
    case .void, .aggregate, .alias, .other:
      return .other
    }
  }

  /// The C name of what a pointer points to, or `nil`; see `TypeShape.pointer`.
  private func pointee(_ id: Graph.ID) throws(TypeError) -> String? {
    var id = id
    var stars = ""
    for _ in 0..<Self.depthLimit {
      let (_, node, typedef) = try resolve(id)
      let name: String?
      switch node {
      case .void: name = "void"
      case .integer(let own, _, _), .aggregate(let own, _, _): name = own ?? typedef
      case .pointer(let next):
        stars += stars.isEmpty ? " *" : "*"
        id = next
        continue
      case .array, .alias, .other: name = nil
      }
      return name.map { $0 + stars }
    }
    throw TypeError("pointers are nested deeper than \(Self.depthLimit) levels")
  }
}
