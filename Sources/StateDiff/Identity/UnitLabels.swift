// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

/// One name for each unit of two states, although kernels number units as they find them.
///
/// A unit is the same if its segment and register base are; its label is its name where both states
/// call it so, and `segment:base` where they do not.
struct UnitLabels {
  private var old: [String: String] = [:]
  private var new: [String: String] = [:]

  private struct Place: Hashable {
    var segment: UInt32
    var registerBase: PhysicalAddress
  }

  enum Side {
    case old
    case new
  }

  init(_ oldUnits: [Unit], _ newUnits: [Unit]) {
    old = Self.labels(oldUnits, beside: newUnits)
    new = Self.labels(newUnits, beside: oldUnits)
  }

  private static func labels(_ units: [Unit], beside others: [Unit]) -> [String: String] {
    let named = Dictionary(
      others.map { (Place(segment: $0.segment, registerBase: $0.registerBase), $0.name) },
      uniquingKeysWith: { first, _ in first })
    let names = Set(others.map(\.name))
    var labels: [String: String] = [:]
    for unit in units where labels[unit.name] == nil {
      let place = Place(segment: unit.segment, registerBase: unit.registerBase)
      let isCommon = named[place].map { $0 == unit.name } ?? !names.contains(unit.name)
      labels[unit.name] = isCommon ? unit.name : "\(unit.segment):\(unit.registerBase)"
    }
    return labels
  }

  /// The label of the unit that one side calls `name`.
  func label(_ name: String?, _ side: Side) -> String? {
    name.map { (side == .old ? old : new)[$0] ?? $0 }
  }

  func value(_ name: String?, _ side: Side) -> FieldValue { FieldValue(label(name, side)) }
}
