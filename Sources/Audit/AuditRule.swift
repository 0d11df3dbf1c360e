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

  /// A finding for each domain that maps some of what no domain should.
  ///
  /// - Parameters:
  ///   - overlap: what it maps of that.
  ///   - name: what that is called.
  func findings(
    _ state: RemappingState, _ mappings: MappingFacts,
    _ overlap: KeyPath<MappingFacts.OfDomain, MappedOverlap>, of name: String
  ) -> [Finding] {
    zip(state.domains, mappings.domains).compactMap { domain, facts in
      let mapped = facts[keyPath: overlap]
      guard !mapped.isEmpty else { return nil }
      return finding(
        "\(domain.name) maps \(name): \(mapped)", about: domain,
        severity: mapped.isWritable ? .error : .warning)
    }
  }
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

  /// A finding about a domain.
  ///
  /// - Parameter evidence: `nil` for what the domain itself was read from.
  func finding(
    _ message: Finding.Message, about domain: Domain,
    severity: Finding.Severity = Self.severity, evidence: [Evidence]? = nil
  ) -> Finding {
    finding(
      message, severity: severity, unit: domain.unit, device: domain.onlyDevice,
      evidence: evidence ?? domain.evidence)
  }

  /// A finding that says what was observed, where it was observed.
  func finding(_ message: Finding.Message, about observation: Observation) -> Finding {
    finding(
      message, unit: observation.unit, device: observation.device,
      evidence: [observation.evidence])
  }

  /// A finding for each observation of a kind.
  func findings(
    _ state: RemappingState, _ kind: Observation.Kind,
    _ message: (Observation) -> Finding.Message
  ) -> [Finding] {
    state.observations.lazy.filter { $0.kind == kind }.map { finding(message($0), about: $0) }
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
