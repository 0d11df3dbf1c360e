// SPDX-License-Identifier: Apache-2.0

import Memory

/// Struct layouts from BTF, as found in a dump or in a vmlinux.
///
/// The bytes are kept as they are; beside them stands an index of one word for each type and one
/// for each type that has a findable name. Names are compared where they lie. Nothing in the bytes
/// is trusted: every offset, identifier and count is checked when it is used.
///
/// Source: Linux `Documentation/bpf/btf.rst` and `include/uapi/linux/btf.h`.
public final class BTFTypes: TypeSource {
  private let graph: BTFGraph
  private var layouts: [String: [StructLayout]] = [:]
  private var firsts: [String: StructLayout?] = [:]

  /// Indexes a complete BTF blob, starting with its magic number.
  public init(_ bytes: [UInt8]) throws(TypeError) {
    graph = try BTFGraph(bytes)
  }

  public var origin: TypeOrigin? { .btf }

  /// Number of types, with the implied type 0 (`void`).
  public var typeCount: Int { graph.offsets.count }

  public func structure(named name: String) throws(TypeError) -> StructLayout? {
    if let known = firsts[name] { return known }
    let candidates = try graph.aggregates(named: name)
    let best = candidates.first { !$0.isUnion } ?? candidates.first
    let builder = LayoutBuilder(graph)
    let layout = try best.map { (found) throws(TypeError) in
      try builder.layout(
        of: found.id, name: name, byteCount: found.byteCount, isUnion: found.isUnion)
    }
    firsts[name] = .some(layout)
    return layout
  }

  public func structures(named name: String) throws(TypeError) -> [StructLayout] {
    if let known = layouts[name] { return known }
    let builder = LayoutBuilder(graph)
    var distinct: [StructLayout] = []
    for found in try graph.aggregates(named: name) {
      let layout = try builder.layout(
        of: found.id, name: name, byteCount: found.byteCount, isUnion: found.isUnion)
      if !distinct.contains(layout) { distinct.append(layout) }
    }
    layouts[name] = distinct
    return distinct
  }

  public func enumerator(named name: String) throws(TypeError) -> Int64? {
    try graph.enumerator(named: name)
  }
}
