// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Why something could not be read, or what is wrong with what was read.
public enum Cause: String, Hashable, Sendable, CaseIterable {
  // A page is absent: the kinds of `Absence`.
  case excluded
  case zeroOrExcluded = "zero-or-excluded"
  case notInDump = "not-in-dump"
  case truncated
  case corrupt
  case unsupported
  case system

  /// What a run may do was spent before.
  case budget

  // A kernel structure cannot be followed.
  /// The kernel's page tables map nothing at the address.
  case unmapped
  case nullPointer = "null-pointer"
  /// The kernel has no such symbol, structure or member, or another kind of member.
  case unknownShape = "unknown-shape"
  /// The structure contradicts itself.
  case contradiction

  // An entry of a table is not what hardware accepts.
  case reservedBits = "reserved-bits"
  /// A field holds a value that the unit does not allow.
  case impossibleField = "impossible-field"
  case misaligned
  case beyondHostAddressWidth = "beyond-host-address-width"
  /// The second stage of a nested translation ends.
  case secondStage = "second-stage"
}

extension Cause {
  public init(_ absence: Absence) {
    self =
      switch absence {
      case .excluded: .excluded
      case .zeroOrExcluded: .zeroOrExcluded
      case .notInDump: .notInDump
      case .truncated: .truncated
      case .corrupt: .corrupt
      case .unsupported: .unsupported
      case .budget: .budget
      case .system: .system
      }
  }
}
