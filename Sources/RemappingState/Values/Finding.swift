// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A rule's sentence about a state, with its severity and the bytes it rests on.
public struct Finding: Hashable, Sendable {
  /// Stable id of the rule, such as `device.context-missing`.
  public var rule: String
  public var severity: Severity
  public var unit: String?
  public var device: DeviceName?
  public var message: String
  public var evidence: [Evidence]

  public enum Severity: String, Hashable, Sendable, CaseIterable {
    /// DMA goes wrong or memory is exposed.
    case error
    /// A state that should not be.
    case warning
    /// Worth knowing.
    case info
  }

  public init(
    rule: String, severity: Severity, unit: String? = nil, device: DeviceName? = nil,
    message: String, evidence: [Evidence] = []
  ) {
    self.rule = rule
    self.severity = severity
    self.unit = unit
    self.device = device
    self.message = message
    self.evidence = evidence
  }
}

extension [Finding] {
  /// Devices with an error; a policy that keeps their mappings is never safe.
  public var devicesWithErrors: Set<DeviceName> {
    Set(lazy.filter { $0.severity == .error }.compactMap(\.device))
  }
}

/// Where a finding's bytes are.
public struct Evidence: Hashable, Sendable {
  /// `context entry`, `struct dmar_domain`, `leaf`, …
  public var what: String
  /// Physical address of a table entry, kernel address of an object.
  public var address: HexWord?
  /// The words found there, lowest first.
  public var words: [HexWord]

  public init(what: String, address: HexWord? = nil, words: [HexWord] = []) {
    self.what = what
    self.address = address
    self.words = words
  }
}

/// A rule that could not be judged on a state, so that its silence says nothing.
public struct UnjudgedRule: Hashable, Sendable {
  /// Stable id of the rule.
  public var rule: String
  /// What it would have needed, as a sentence without full stop.
  public var reason: String

  public init(rule: String, reason: String) {
    self.rule = rule
    self.reason = reason
  }
}

/// What a rule of the audit states, for people who read its findings.
public struct RuleText: Hashable, Sendable {
  /// Stable id of the rule.
  public var id: String
  /// The worst that its findings can be.
  public var severity: Finding.Severity
  /// The statement, what it means, and last its source with its severity.
  public var paragraphs: [String]

  /// - Parameter text: paragraphs, with an empty line between them.
  public init(_ id: String, _ severity: Finding.Severity, _ text: String) {
    self.id = id
    self.severity = severity
    var paragraphs: [String] = []
    var lines: [Substring] = []
    let all: [Substring] = text.split(separator: "\n", omittingEmptySubsequences: false)
    for line in all + [""] {
      if line.isEmpty {
        if !lines.isEmpty { paragraphs.append(lines.joined(separator: " ")) }
        lines.removeAll()
      } else {
        lines.append(line)
      }
    }
    self.paragraphs = paragraphs
  }
}
