// SPDX-License-Identifier: Apache-2.0

import CElfutils

/// Struct layouts from a kernel's DWARF.
///
/// The units of the hinted source files are asked first. Only if they do not define a name, the
/// units that mention it are found by searching the bytes of the section for the place of the name
/// in the string table, and asked in the file's order. A name that is in no string table costs one
/// search of the strings; one that is, but is not a type's, one search of the whole section.
public final class DWARFTypes: TypeSource {
  private let graph: DWARFGraph
  private let search: NameSearch
  /// Indices into the directory of units that may be made from the hinted files.
  private let hinted: [Int]
  private let wanted: [String]
  /// The units that are, in the order of the hints, indexed as far as they were needed.
  private var units: [(unit: Int, image: UnitImage, index: UnitIndex?)]?
  private var firsts: [String: StructLayout?] = [:]
  private var layouts: [String: [StructLayout]] = [:]
  private var enumerators: [String: Int64?] = [:]

  private static let definitionLimit = 64

  /// Reads the unit headers of a kernel, or of an object file that only describes types.
  ///
  /// - Parameters:
  ///   - vmlinux: the kernel's file.
  ///   - sources: ends of the paths of source files that define most of what will be asked, such as
  ///     `"drivers/iommu/intel/iommu.c"`, most wanted first. Files that do not exist in this kernel
  ///     cost nothing, and a wrong list only time.
  /// - Throws: if there is no DWARF, or its unit headers cannot be followed to the end.
  public init(vmlinux: VMLinux, sources: [String] = []) throws(TypeError) {
    let sections = try DWARFSections(vmlinux)
    graph = try DWARFGraph(sections)
    search = NameSearch(sections, graph.directory)
    hinted = try graph.directory.candidates(ofSources: sources)
    wanted = sources
  }

  public var origin: TypeOrigin? { .dwarf }

  public func structure(named name: String) throws(TypeError) -> StructLayout? {
    if let known = firsts[name] { return known }
    var best: Definition?
    let bytes = Array(name.utf8)
    try forEachHinted(name) { (index) throws(TypeError) in
      try choose(among: index.entries(named: bytes), in: index.image, &best)
      return best?.rank != 2
    }
    if best == nil {
      try search.forEachUnit(mentioning: name) { (unit, patterns) throws(TypeError) in
        guard !isHinted(unit) else { return true }
        let image = try graph.image(unit)
        guard image.mayDefine(patterns) else { return true }
        try choose(among: entries(named: name, in: image), in: image, &best)
        // After a union a structure may come (`irte`); after a typedef neither does.
        return best == nil || best?.rank == 1
      }
    }
    var layout: StructLayout?
    if let best { layout = try self.layout(of: best, name, LayoutBuilder(graph)) }
    firsts[name] = .some(layout)
    return layout
  }

  /// Every distinct complete definition of that name; all units that mention it are read, which
  /// takes seconds for a name that is everywhere.
  public func structures(named name: String) throws(TypeError) -> [StructLayout] {
    if let known = layouts[name] { return known }
    var distinct: [StructLayout] = []
    var typedefs: [StructLayout] = []
    try search.forEachUnit(mentioning: name) { (unit, patterns) throws(TypeError) in
      let image = try graph.image(unit)
      guard image.mayDefine(patterns) else { return true }
      for entry in try entries(named: name, in: image) {
        guard let definition = try definition(entry, in: image) else { continue }
        let layout = try layout(of: definition, name, LayoutBuilder(graph))
        if definition.rank == 0 {
          if !typedefs.contains(layout) { typedefs.append(layout) }
        } else if !distinct.contains(layout) {
          distinct.append(layout)
        }
        guard distinct.count + typedefs.count <= Self.definitionLimit else {
          throw TypeError("DWARF defines \(name) more than \(Self.definitionLimit) times")
        }
      }
      return true
    }
    if distinct.isEmpty { distinct = typedefs }
    layouts[name] = distinct
    return distinct
  }

  public func enumerator(named name: String) throws(TypeError) -> Int64? {
    if let known = enumerators[name] { return known }
    let bytes = Array(name.utf8)
    var value: Int64?
    try forEachHinted(name) { (index) throws(TypeError) in
      value = try index.enumerator(named: bytes)
      return value == nil
    }
    if value == nil {
      try search.forEachUnit(mentioning: name) { (unit, patterns) throws(TypeError) in
        guard !isHinted(unit) else { return true }
        let image = try graph.image(unit)
        guard image.mayDefine(patterns) else { return true }
        value = try UnitIndex(image).enumerator(named: bytes)
        return value == nil
      }
    }
    enumerators[name] = .some(value)
    return value
  }

  // MARK: Definitions

  private struct Definition {
    var id: DWARFGraph.ID
    var byteCount: Int
    var isUnion: Bool
    /// 2 for a structure, 1 for a union, 0 for a typedef of either.
    var rank: Int
  }

  private func isHinted(_ unit: Int) -> Bool {
    units?.contains { $0.unit == unit } ?? false
  }

  /// Calls `body` with the hinted units in their order until it returns `false`.
  ///
  /// Units are indexed when they are reached, and only for a name that is in the strings at all:
  /// most names are found in the first, and the others are often of another kernel.
  private func forEachHinted(
    _ name: String, _ body: (UnitIndex) throws(TypeError) -> Bool
  ) throws(TypeError) {
    let hinted = try hintedUnits()
    var isMentioned: Bool?
    for place in hinted.indices {
      let index: UnitIndex
      if let known = hinted[place].index {
        index = known
      } else {
        if isMentioned == nil { isMentioned = try search.isMentioned(name) }
        guard isMentioned == true else { return }
        index = try UnitIndex(hinted[place].image)
        units?[place].index = index
      }
      guard try body(index) else { return }
    }
  }

  fileprivate func hintedUnits() throws(TypeError) -> [(
    unit: Int, image: UnitImage, index: UnitIndex?
  )] {
    if let units { return units }
    var made: [(rank: Int, unit: Int, image: UnitImage)] = []
    for unit in hinted {
      let image = try graph.image(unit)
      guard let source = try image.name(image.root),
        let rank = wanted.firstIndex(where: { source == $0 || source.hasSuffix("/" + $0) })
      else { continue }
      made.append((rank, unit, image))
    }
    // The sort is stable: units of one hint stay in the file's order.
    made.sort { $0.rank < $1.rank }
    let sorted = made.map { (unit: $0.unit, image: $0.image, index: UnitIndex?.none) }
    units = sorted
    return sorted
  }

  /// Entries of that name among a unit's types, for a unit that is asked once.
  private func entries(named name: String, in image: UnitImage) throws(TypeError) -> [UInt64] {
    try UnitIndex(image).entries(named: Array(name.utf8))
  }

  /// Replaces `best` by the first better one.
  private func choose(
    among entries: [UInt64], in image: UnitImage, _ best: inout Definition?
  ) throws(TypeError) {
    for entry in entries where best?.rank != 2 {
      guard let found = try definition(entry, in: image), found.rank > best?.rank ?? -1 else {
        continue
      }
      best = found
    }
  }

  /// The complete definition at an entry; `nil` for a declaration and for other types.
  private func definition(_ entry: UInt64, in image: UnitImage) throws(TypeError) -> Definition? {
    let id = DWARFGraph.ID.entry(image, entry)
    switch try graph.node(id) {
    case .aggregate(_, let byteCount, isComplete: true):
      let isUnion = try image.tag(entry) == DW_TAG_union_type
      return Definition(id: id, byteCount: byteCount, isUnion: isUnion, rank: isUnion ? 1 : 2)
    case .alias:
      guard let (target, byteCount) = try LayoutBuilder(graph).aggregate(behind: id),
        case .entry(let image, let entry) = target
      else { return nil }
      let isUnion = try image.tag(entry) == DW_TAG_union_type
      return Definition(id: target, byteCount: byteCount, isUnion: isUnion, rank: 0)
    default:
      return nil
    }
  }

  private func layout(
    of definition: Definition, _ name: String, _ builder: LayoutBuilder<DWARFGraph>
  ) throws(TypeError) -> StructLayout {
    try builder.layout(
      of: definition.id, name: name, byteCount: definition.byteCount, isUnion: definition.isUnion)
  }
}

extension DWARFTypes {
  /// The paths of the units that the hints stand for, in their order.
  func hintedSources() throws(TypeError) -> [String] {
    var paths: [String] = []
    for unit in try hintedUnits() { paths.append(try unit.image.name(unit.image.root) ?? "") }
    return paths
  }
}
