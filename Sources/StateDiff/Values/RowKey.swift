// SPDX-License-Identifier: Apache-2.0

/// What makes a row the same row in another dump: its identity, never its contents.
public struct RowKey: Hashable, Sendable {
  public var members: [FieldValue.Member]

  init(_ members: [FieldValue.Member]) {
    self.members = members
  }

  /// The identity field `name`; `null` where the key has none.
  public subscript(name: String) -> FieldValue {
    members.first { $0.name == name }?.value ?? .null
  }
}

extension RowKey: Comparable {
  public static func < (a: Self, b: Self) -> Bool {
    for (x, y) in zip(a.members, b.members) where x.value != y.value { return x.value < y.value }
    return a.members.count < b.members.count
  }
}

extension RowKey: CustomStringConvertible {
  /// The known identity fields, in order.
  public var description: String { FieldValue.members(members).description }
}
