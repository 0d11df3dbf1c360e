// SPDX-License-Identifier: Apache-2.0

/// How one list of rows differs from another.
public struct RowDifference<Row: Hashable & Sendable>: Hashable, Sendable {
  /// Rows that only the new state has, in its order.
  public var added: [Row]
  /// Rows that only the old state has, in its order.
  public var removed: [Row]
  /// By key; within a row in the report's order of fields, mappings last and by address.
  public var changed: [Change]

  public var isEmpty: Bool { added.isEmpty && removed.isEmpty && changed.isEmpty }

  public init(added: [Row] = [], removed: [Row] = [], changed: [Change] = []) {
    self.added = added
    self.removed = removed
    self.changed = changed
  }
}

/// A row as it is compared.
struct ComparedRow<Row> {
  var row: Row
  var key: RowKey
  /// The same names in the same order for every row of a kind.
  var fields: [FieldValue.Member]
  /// What the row maps; empty for rows that map nothing by nature.
  var ranges: [MappedRange] = []
}

extension RowDifference {
  init(from old: [ComparedRow<Row>], to new: [ComparedRow<Row>], ignorePhysical: Bool) {
    let oldKeys = Self.uniqueKeys(old)
    let newKeys = Self.uniqueKeys(new)
    let newByKey = Dictionary(
      zip(newKeys, new.indices).map { ($0, $1) }, uniquingKeysWith: { first, _ in first })
    let oldSet = Set(oldKeys)
    added = zip(newKeys, new).filter { !oldSet.contains($0.0) }.map(\.1.row)
    removed = []
    changed = []
    for (key, before) in zip(oldKeys, old).sorted(by: { $0.0 < $1.0 }) {
      guard let index = newByKey[key] else { continue }
      let after = new[index]
      for (x, y) in zip(before.fields, after.fields) where x.value != y.value {
        changed.append(
          .field(FieldChange(key: key, field: x.name, old: x.value, new: y.value)))
      }
      changed += MappedRange.changes(
        from: before.ranges, to: after.ranges, key: key, ignorePhysical: ignorePhysical
      ).map(Change.mapping)
    }
    removed = zip(oldKeys, old).filter { newByKey[$0.0] == nil }.map(\.1.row)
  }

  /// Keys in the rows' order; rows that share one are told apart by their position among each other.
  static func uniqueKeys(_ rows: [ComparedRow<Row>]) -> [RowKey] {
    var seen: [RowKey: Int] = [:]
    return rows.map { row in
      let number = seen[row.key, default: 0]
      seen[row.key] = number + 1
      guard number > 0 else { return row.key }
      return RowKey(row.key.members + [FieldValue.Member("ordinal", .number(number))])
    }
  }
}
