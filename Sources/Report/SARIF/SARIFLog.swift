// SPDX-License-Identifier: Apache-2.0

internal import Faults
internal import Memory
public import RemappingState
internal import Translation

/// Findings or faults as a log in the Static Analysis Results Interchange Format.
///
/// One run with one artifact, the dump. Where a result lies is told by its device or unit (a logical
/// location) and by the addresses of its evidence. The fingerprint of a result is made of its rule
/// and subject alone, so that the same fault of two dumps has the same one.
///
/// Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0 Plus Errata 01.
public struct SARIFLog {
  /// The verb, which names the kind of run.
  let verb: String
  let dump: DumpSummary
  let rules: [Rule]
  var results: [Result]
  /// What the run could not judge, or read.
  let notifications: [Notification]

  /// A reporting descriptor.
  struct Rule {
    var id: String
    var severity: Finding.Severity?
    /// A sentence.
    var summary: String
    /// Paragraphs.
    var text: [String]
  }

  struct Result {
    var rule: String
    var severity: Finding.Severity
    var message: String
    var unit: String?
    var device: DeviceName?
    var evidence: [Evidence]
    var count: Int
    /// What identifies it beyond its rule, unit and device.
    var subject: [String]
    var fingerprint = ""
  }

  struct Notification {
    /// The rule that it is about.
    var rule: String?
    var severity: Finding.Severity
    var text: String
  }

  init(
    verb: String, dump: DumpSummary, rules: [Rule], results: [Result],
    notifications: [Notification]
  ) {
    self.verb = verb
    self.dump = dump
    self.rules = rules
    self.results = results
    self.notifications = notifications
    identify()
  }

  /// Gives every result its fingerprint: rule and subject; those that share both are counted.
  private mutating func identify() {
    var seen: [String: Int] = [:]
    for index in results.indices {
      let result = results[index]
      var parts = [result.rule, result.unit ?? "", result.device?.description ?? ""]
      parts += result.subject
      // A bar inside a part may not look like one between two.
      let key = parts.map { $0.replacing("\\", with: "\\\\").replacing("|", with: "\\|") }
        .joined(separator: "|")
      let number = seen[key, default: 0]
      seen[key] = number + 1
      results[index].fingerprint = number == 0 ? key : "\(key)|\(number)"
    }
  }
}

extension SARIFLog {
  /// The findings of a report.
  ///
  /// - Parameter rules: what the rules state; a finding of a rule that is not among them has the id
  ///   alone.
  public init(_ document: ReportDocument, rules: [RuleText]) {
    self.init(
      verb: ReportDocument.outline.verb, dump: document.state.dump,
      rules: rules.map {
        Rule(
          id: $0.id, severity: $0.severity, summary: $0.paragraphs.first ?? "", text: $0.paragraphs)
      },
      results: document.findings.map {
        Result(
          rule: $0.rule, severity: $0.severity, message: $0.message, unit: $0.unit,
          device: $0.device, evidence: $0.evidence, count: 1, subject: [])
      },
      notifications: document.notJudged.map {
        Notification(
          rule: $0.rule, severity: .info, text: "The rule was not judged: \($0.reason).")
      } + document.state.cuts.map { Notification($0) })
  }

  /// Faults of a log and messages about units.
  public init(_ document: FaultsDocument) {
    let faults = document.faults.map { fault in
      let diagnosis = fault.diagnosis.first
      var subject = ["\(fault.kind.rawValue)"]
      if let pasid = fault.pasid { subject.append("pasid \(pasid)") }
      if let reason = fault.reason { subject.append("reason \(reason.code)") }
      return Result(
        rule: "fault.\((diagnosis?.rule ?? .unknown).rawValue)", severity: fault.severity,
        message: fault.text + (diagnosis.map { ": " + $0.message } ?? ""), unit: fault.unit,
        device: .pci(fault.device),
        evidence: fault.diagnosis.flatMap(\.evidence).map { Evidence(what: $0) },
        count: fault.count, subject: subject)
    }
    let messages = document.unitMessages.map { message in
      Result(
        rule: "message.\(message.kind.rawValue)", severity: message.severity,
        message: message.text + ": " + message.meaning, unit: message.unit,
        device: message.device.map { .pci($0) },
        evidence: message.evidence.map { Evidence(what: $0) }, count: message.count, subject: [])
    }
    let problem = document.log?.problem.map {
      Notification(rule: nil, severity: .warning, text: "The log could not be read whole: \($0).")
    }
    self.init(
      verb: FaultsDocument.outline.verb, dump: document.dump,
      rules: FaultExplanation.Rule.allCases.map {
        Rule(id: "fault.\($0.rawValue)", severity: nil, summary: "\($0.meaning)", text: [])
      }
        + UnitExplanation.Kind.allCases.map {
          Rule(id: "message.\($0.rawValue)", severity: nil, summary: "\($0.meaning)", text: [])
        },
      results: faults + messages,
      notifications: (problem.map { [$0] } ?? []) + document.cuts.map { Notification($0) })
  }
}

extension SARIFLog.Notification {
  /// What was not looked at, which no result can tell.
  fileprivate init(_ cut: Cut) {
    self.init(rule: nil, severity: .warning, text: "Not all was looked at: \(cut).")
  }
}
