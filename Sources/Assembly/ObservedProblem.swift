// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

/// What an obstacle comes to in the state, whichever kind of table it was met in.
struct ObservedProblem {
  var kind: Observation.Kind
  var cause: Cause?
  var detail: String

  init(_ kind: Observation.Kind, cause: Cause? = nil, _ detail: String) {
    self.kind = kind
    self.cause = cause
    self.detail = detail
  }

  static func unreadable(_ absence: Absence, _ detail: String) -> Self {
    Self(.unreadable, cause: Cause(absence), detail)
  }

  static func assumedZero(for what: String) -> Self {
    Self(.assumedZero, cause: .zeroOrExcluded, "a hole of the ELF dump, taken for \(what)")
  }

  static func reservedBits(_ bits: String) -> Self {
    Self(.reservedBits, cause: .reservedBits, "reserved bits \(bits)")
  }
}
