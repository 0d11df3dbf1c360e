// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import StateFixtures
import Testing

@testable import StateDiff

/// What must hold for any two states. A failure prints the seed; put it into `seeds` to see it again.
struct StateDiffPropertyTests {
  static let seeds: [UInt64] = [1, 2, 3, .random(in: .min ... .max)]
  static let rounds = 50

  static let options = [
    DiffOptions(), DiffOptions(ignorePhysical: true), DiffOptions(addresses: true),
  ]

  @Test(arguments: seeds) func aStateDoesNotDifferFromItself(_ seed: UInt64) {
    print("let seeds: [UInt64] = [\(seed)]")
    var states = RandomStates(seed: seed)
    for _ in 0..<Self.rounds {
      let (a, _) = states.pair()
      #expect(StateDiff(from: a, to: a, options: DiffOptions(addresses: true)).isEmpty)
    }
  }

  @Test(arguments: seeds, options)
  func backwardsIsTheMirrorOfForwards(_ seed: UInt64, _ options: DiffOptions) {
    var states = RandomStates(seed: seed)
    for _ in 0..<Self.rounds {
      let (a, b) = states.pair()
      let there = StateDiff(from: a, to: b, options: options)
      let back = StateDiff(from: b, to: a, options: options)
      #expect(there.units == back.units.mirrored)
      #expect(there.contexts == back.contexts.mirrored)
      #expect(there.domains == back.domains.mirrored)
      #expect(there.devices == back.devices.mirrored)
      #expect(there.reservedRegions == back.reservedRegions.mirrored)
      #expect(there.findings == back.findings.mirrored)
    }
  }

  @Test(arguments: seeds, options)
  func theOldStateWithTheDifferenceIsTheNewOne(_ seed: UInt64, _ options: DiffOptions) throws {
    var states = RandomStates(seed: seed)
    for _ in 0..<Self.rounds {
      let (a, b) = states.pair()
      let diff = StateDiff(from: a, to: b, options: options)
      let (old, new) = ComparedState.pair(a, b, options)
      #expect(diff.units.applied(old.units, new.units, options) == .init(new.units, options))
      #expect(
        diff.contexts.applied(old.contexts, new.contexts, options) == .init(new.contexts, options))
      #expect(
        diff.domains.applied(old.domains, new.domains, options) == .init(new.domains, options))
      #expect(
        diff.devices.applied(old.devices, new.devices, options) == .init(new.devices, options))
      #expect(
        diff.findings.applied(old.findings, new.findings, options) == .init(new.findings, options))
    }
  }

  @Test func hostileStatesCompareLikeAnyOther() {
    let hostile = StateDiff.Side(.hostile)
    #expect(StateDiff(from: hostile, to: hostile).isEmpty)
    let there = StateDiff(from: hostile, to: StateDiff.Side(.sample))
    let back = StateDiff(from: StateDiff.Side(.sample), to: hostile)
    #expect(!there.isEmpty)
    #expect(there.domains.added == back.domains.removed)
  }
}

extension RowDifference {
  /// As seen from the other side.
  var mirrored: Self {
    var result = self
    (result.added, result.removed) = (removed, added)
    result.changed = changed.map { change in
      switch change {
      case .field(var change):
        (change.old, change.new) = (change.new, change.old)
        return .field(change)
      case .mapping(var change):
        (change.old, change.new) = (change.new, change.old)
        return .mapping(change)
      }
    }
    return result
  }

  /// What is compared of the rows that come out when the difference is applied to `old`.
  ///
  /// A row that was added brings what `new` compares of it.
  func applied(
    _ old: [ComparedRow<Row>], _ new: [ComparedRow<Row>], _ options: DiffOptions
  ) -> ComparedRows {
    var rows = ComparedRows([ComparedRow<Row>](), options)
    var removed = removed
    for (key, row) in zip(Self.uniqueKeys(old), old) {
      // Equal rows may be many; those without a change that the new side lacks go.
      if let index = removed.firstIndex(of: row.row),
        !Self.uniqueKeys(new).contains(key)
      {
        removed.remove(at: index)
        continue
      }
      rows.insert(row, key)
    }
    #expect(removed.isEmpty)
    var added = added
    for (key, row) in zip(Self.uniqueKeys(new), new) {
      guard let index = added.firstIndex(of: row.row), rows.fields[key] == nil else { continue }
      added.remove(at: index)
      rows.insert(row, key)
    }
    #expect(added.isEmpty)
    for change in changed { rows.apply(change) }
    return rows
  }
}

/// Rows by key, reduced to what is compared; mappings page by page.
struct ComparedRows: Equatable {
  private struct Page: Equatable {
    var physical: UInt64?
    var access: Access
  }

  private let ignorePhysical: Bool
  private(set) var fields: [RowKey: [FieldValue.Member]] = [:]
  private var pages: [RowKey: [UInt64: Page]] = [:]

  init<Row: Hashable & Sendable>(_ rows: [ComparedRow<Row>], _ options: DiffOptions) {
    ignorePhysical = options.ignorePhysical
    for (key, row) in zip(RowDifference<Row>.uniqueKeys(rows), rows) { insert(row, key) }
  }

  mutating func insert<Row>(_ row: ComparedRow<Row>, _ key: RowKey) {
    fields[key] = row.fields
    var own: [UInt64: Page] = [:]
    for range in row.ranges {
      for page in stride(from: range.start, to: range.end, by: 0x1000) {
        own[page] = Page(
          physical: ignorePhysical ? nil : range.physical + (page - range.start),
          access: range.access)
      }
    }
    pages[key] = own
  }

  mutating func apply(_ change: Change) {
    switch change {
    case .field(let change):
      let index = fields[change.key]?.firstIndex { $0.name == change.field }
      guard let index else {
        Issue.record("no field \(change.field) of \(change.key)")
        return
      }
      #expect(fields[change.key]?[index].value == change.old)
      fields[change.key]?[index].value = change.new
    case .mapping(let change):
      for page in stride(from: change.start.rawValue, to: change.end.rawValue, by: 0x1000) {
        let offset = page - change.start.rawValue
        func target(_ target: MappingChange.Target?) -> Page? {
          target.map { Page(physical: $0.physical.map { $0.rawValue + offset }, access: $0.access) }
        }
        #expect(pages[change.key]?[page] == target(change.old))
        pages[change.key]?[page] = target(change.new)
      }
    }
  }
}
