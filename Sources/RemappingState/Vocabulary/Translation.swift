// SPDX-License-Identifier: Apache-2.0

/// What a context does with a request.
public enum Translation: String, Hashable, Sendable, CaseIterable {
  case secondStage = "second-stage"
  case firstStage = "first-stage"
  case nested
  case passThrough = "pass-through"
  /// No translation: a reserved type, or no PASID entry to go on with.
  case none
}

/// Which of the two translations a page table belongs to, and with it its format.
public enum Stage: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
  /// The format of x86 paging.
  case first
  /// The format of the VT-d specification's second-stage paging entries (9.8).
  case second

  public var description: String { self == .first ? "first-stage" : "second-stage" }
}
