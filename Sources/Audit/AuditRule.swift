// SPDX-License-Identifier: Apache-2.0

import Memory
public import RemappingState

/// One thing that can be wrong with a state, and how to tell.
///
/// A rule sees one state and returns values. It never reads memory, so it also runs on a state that
/// came out of a JSON report.
public protocol AuditRule: Sendable {
  /// Stable and unique: `subject.problem`. Scripts match on it.
  static var id: String { get }
  /// The severity of the rule's findings; where a rule grades them, the worst.
  static var severity: Finding.Severity { get }
  /// What of a state the rule looks at; where some of it is missing, its silence says nothing. Empty
  /// for rules about what is missing.
  static var needs: Set<AuditNeed> { get }

  init()

  /// What is wrong, in the state's order; empty where nothing is.
  func check(_ state: RemappingState) -> [Finding]

  /// The same, with what was found out about the state's mappings for all rules together.
  func check(_ state: RemappingState, _ mappings: MappingFacts) -> [Finding]
}

/// A rule about what domains map.
public protocol MappingRule: AuditRule {}

extension MappingRule {
  public func check(_ state: RemappingState) -> [Finding] { check(state, MappingFacts(state)) }
}

extension AuditRule {
  public static var needs: Set<AuditNeed> { [] }

  public func check(_ state: RemappingState, _ mappings: MappingFacts) -> [Finding] {
    check(state)
  }

  /// A finding of this rule.
  func finding(
    _ message: Finding.Message, severity: Finding.Severity = Self.severity, unit: String? = nil,
    device: DeviceName? = nil, evidence: [Evidence] = []
  ) -> Finding {
    Finding(
      rule: Self.id, severity: severity, unit: unit, device: device, message: message.text,
      evidence: evidence)
  }
}

extension Finding {
  /// A rule's wording, kept at the end of its file.
  struct Message: ExpressibleByStringInterpolation {
    var text: String

    init(stringLiteral text: String) { self.text = text }

    /// So that a long sentence can be broken into lines.
    static func + (a: Self, b: Self) -> Self {
      var sum = a
      sum.text += b.text
      return sum
    }
  }
}
