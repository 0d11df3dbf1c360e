// SPDX-License-Identifier: Apache-2.0

public import Memory

/// What was being read when something was met.
///
/// Rules decide by the case, people read the description; a report carries the description and
/// reading it back gives the case again.
public enum Structure: Hashable, Sendable {
  /// The dump's file as a whole.
  case dump
  /// One of the kernel's structures; `number` tells which bus, CPU or unit where there are several.
  case kernel(KernelStructure, number: String? = nil)
  /// A table or entry between the root table and the address spaces.
  case table(TableStructure, bus: UInt8? = nil)
  /// All of those of a unit.
  case contexts
  /// A table of an address space.
  case pageTable(Stage, level: Int, iova: IOVirtualAddress)
  /// A table of an address space that is told by its level alone.
  case sharedPageTable(level: Int)
  case interruptEntry(index: Int)
  /// A page that a unit reads, as the target of a mapping.
  case tablePage(TablePage)
  case freePage
  /// The descriptor of a page.
  case structPage
  /// All targets of mappings.
  case targets
  /// Of a report that another version wrote.
  case other(String)
}

extension Structure {
  /// The kernel's structure that was read; `nil` where it was none.
  public var kernelStructure: KernelStructure? {
    if case .kernel(let structure, _) = self { structure } else { nil }
  }

  /// Whether a root, context or PASID structure of the hardware was being read.
  public var isContextStructure: Bool {
    switch self {
    case .table, .contexts: true
    default: false
    }
  }

  /// Whether a first-stage or second-stage table was being read.
  public var isPageTable: Bool {
    if case .pageTable = self { true } else { false }
  }
}

extension Structure: CustomStringConvertible {
  public var description: String {
    switch self {
    case .dump: "dump"
    case .kernel(let structure, let number):
      structure.rawValue + (number.map { " " + $0 } ?? "")
    case .table(let structure, let bus):
      structure.rawValue + (bus.map { " of bus " + Self.hexadecimal($0) } ?? "")
    case .contexts: "contexts"
    case .pageTable(let stage, let level, let iova):
      "\(stage.rawValue)-stage table, level \(level), IOVA \(iova)"
    case .sharedPageTable(let level): "page table of level \(level)"
    case .interruptEntry(let index): "interrupt-remapping entry \(index)"
    case .tablePage(let page): page.description
    case .freePage: "free page"
    case .structPage: "struct page"
    case .targets: "targets of mappings"
    case .other(let text): text
    }
  }

  private static func hexadecimal(_ bus: UInt8) -> String {
    (bus < 16 ? "0" : "") + String(bus, radix: 16)
  }
}

// MARK: Reading back

extension Structure {
  /// The structure whose description is `text`, to the letter; `.other` if there is none.
  public init(_ text: String) {
    let found = Self.fixed[text] ?? Self.numbered(text)
    // Another spelling of the same, such as a number with a zero before it, is not the same text.
    self = found.flatMap { $0.description == text ? $0 : nil } ?? .other(text)
  }

  /// Those without a number, by description.
  private static let fixed: [String: Structure] = {
    let all: [Structure] =
      [.dump, .contexts, .freePage, .structPage, .targets]
      + KernelStructure.allCases.filter { !$0.hasNumber }.map { .kernel($0) }
      + TableStructure.allCases.map { .table($0) }
    return Dictionary(all.map { ($0.description, $0) }, uniquingKeysWith: { first, _ in first })
  }()

  private static func numbered(_ text: String) -> Structure? {
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count > 1, let last = words.last else { return nil }
    // A unit's name may be several words.
    for count in 1..<words.count {
      let head = words.prefix(count).joined(separator: " ")
      if let structure = KernelStructure(rawValue: head), structure.hasNumber {
        return .kernel(structure, number: words.dropFirst(count).joined(separator: " "))
      }
    }
    let head = words.dropLast().joined(separator: " ")
    if head == "interrupt-remapping entry" { return Int(last).map { .interruptEntry(index: $0) } }
    if head == "page table of level" { return Int(last).map { .sharedPageTable(level: $0) } }
    let name = words.dropLast(3).joined(separator: " ")
    if words.suffix(3).dropLast() == ["of", "bus"], let table = TableStructure(rawValue: name),
      let bus = UInt8(last, radix: 16)
    {
      return .table(table, bus: bus)
    }
    return pageTable(words) ?? TablePage(words).map { .tablePage($0) }
  }

  /// `second-stage table, level 2, IOVA 0x1000`
  private static func pageTable(_ words: [Substring]) -> Structure? {
    guard words.count == 6, words[1] == "table,", words[2] == "level", words[4] == "IOVA",
      let stage = [Stage.first, .second].first(where: { words[0] == $0.rawValue + "-stage" }),
      let level = Int(words[3].dropLast()), let iova = UInt64(hexadecimal: words[5])
    else { return nil }
    return .pageTable(stage, level: level, iova: IOVirtualAddress(iova))
  }
}

extension TablePage {
  /// From the words of a description, such as `page table of level 2 of dmar0 domain-id 5`.
  fileprivate init?(_ words: [Substring]) {
    guard let of = words.firstIndex(of: "of"), of + 1 < words.count else { return nil }
    let name = words[..<of].joined(separator: " ")
    let rest = words[(of + 1)...]
    // Tables of a bus were looked for before.
    guard rest.first != "bus" else { return nil }
    let unit = rest.joined(separator: " ")
    if let structure = TableStructure(rawValue: name) {
      self = .table(structure, unit: unit)
    } else if name == "interrupt-remapping table" {
      self = .interruptRemapping(unit: unit)
    } else if name == "invalidation queue" {
      self = .invalidationQueue(unit: unit)
    } else if name == "page table", rest.count >= 3, rest.first == "level",
      let level = Int(rest[rest.startIndex + 1]), rest[rest.startIndex + 2] == "of"
    {
      self = .pageTable(level: level, of: TableOwner(rest.dropFirst(3)))
    } else {
      return nil
    }
  }
}

extension TableOwner {
  fileprivate init(_ words: ArraySlice<Substring>) {
    var words = words
    self.init(unit: nil, domainID: nil, kernelObject: nil)
    if let object = words.last.flatMap({ UInt64(hexadecimal: $0) }) {
      kernelObject = KernelAddress(object)
      words.removeLast()
    }
    if let id = words.last.flatMap({ UInt32($0) }), words.dropLast().last == "domain-id" {
      domainID = id
      words.removeLast(2)
    }
    unit = words.isEmpty ? nil : words.joined(separator: " ")
  }
}
