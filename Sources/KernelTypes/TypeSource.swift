// SPDX-License-Identifier: Apache-2.0

/// Struct layouts of one kernel, asked by name: from DWARF or BTF, one model over both.
///
/// A structure or member that does not exist is an answer (`nil`), not an error: kernel variants
/// are told apart by it.
public protocol TypeSource: AnyObject {
  /// Where the layouts come from; `nil` for the few that VMCOREINFO notes.
  var origin: TypeOrigin? { get }

  /// The complete definition of `struct name` or `union name`, or `nil`.
  ///
  /// Where a name has several definitions, the first complete one in the source's order that is a
  /// structure wins, then the first union; `structures(named:)` gives them all. A typedef's name
  /// (`"atomic_t"`) stands for the structure behind it where no structure or union has it.
  func structure(named name: String) throws(TypeError) -> StructLayout?

  /// Every distinct complete definition of that name; two with the same layout are one.
  func structures(named name: String) throws(TypeError) -> [StructLayout]

  /// The value of an enumerator, such as `PT_FEAT_DMA_INCOHERENT`, or `nil`.
  func enumerator(named name: String) throws(TypeError) -> Int64?
}

extension TypeSource {
  /// The member at a path that may lead through structures with names of their own, such as
  /// `"sspt.common.top_of_table"`, or `nil` where any step does not exist.
  ///
  /// The path follows members that are structures, not pointers or arrays.
  public func member(_ path: String, of structure: String) throws(TypeError) -> Member? {
    guard let layout = try self.structure(named: structure) else { return nil }
    if let member = layout.members[path] { return member }
    // The longest prefix first: members of structures without a name are already paths.
    var end = path.endIndex
    while let dot = path[..<end].lastIndex(of: ".") {
      end = dot
      guard let outer = layout.members[String(path[..<dot])] else { continue }
      guard case .structure(let name?, _) = outer.shape,
        let inner = try member(String(path[path.index(after: dot)...]), of: name)
      else { return nil }
      let (offset, overflow) = outer.offset.addingReportingOverflow(inner.offset)
      return overflow ? nil : Member(offset: offset, shape: inner.shape, bits: inner.bits)
    }
    return nil
  }
}

public enum TypeOrigin: String, Hashable, Sendable, CaseIterable {
  case dwarf
  case btf
}

/// The layout of one structure or union.
public struct StructLayout: Hashable, Sendable {
  public var name: String
  public var byteCount: Int
  public var isUnion: Bool
  /// Direct members by name; anonymous structures and unions are flattened, so that their members
  /// appear here with their offset in the whole.
  ///
  /// A named member whose own
  /// type has no name appears as itself and, with its members, as `"outer.inner"`.
  public var members: [String: Member]

  public init(
    name: String, byteCount: Int, isUnion: Bool = false, members: [String: Member]
  ) {
    self.name = name
    self.byteCount = byteCount
    self.isUnion = isUnion
    self.members = members
  }

  public func has(_ member: String) -> Bool { members[member] != nil }
}

/// Type information that could not be read.
public struct TypeError: Error, Hashable, Sendable, CustomStringConvertible {
  public var description: String

  public init(_ description: String) {
    self.description = description
  }
}
