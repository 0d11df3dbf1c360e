// SPDX-License-Identifier: Apache-2.0

internal import Inheritance
internal import RemappingState

extension SurveyedDump {
  /// Whether `a` is worse news than `b`: whose crash kernel does not get through, then by errors,
  /// faults, warnings and gaps; the newest crash first, and last by name, so that the order is total.
  /// Dumps that could not be judged come last.
  public static func isWorse(_ a: SurveyedDump, _ b: SurveyedDump) -> Bool {
    let (left, right) = (a.badness, b.badness)
    if left != right { return right.lexicographicallyPrecedes(left) }
    return a.file < b.file
  }

  /// What counts, the weightiest first.
  private var badness: [Int] {
    [
      failure == nil ? 1 : 0,
      crashKernel?.answer.weight ?? 0,
      findings?.errors ?? 0,
      crashKernel?.verdict.weight ?? 0,
      faults ?? 0,
      findings?.warnings ?? 0,
      gaps ?? 0,
      crashTime ?? 0,
    ]
  }
}

extension Outlook.Answer {
  fileprivate var weight: Int {
    switch self {
    case .no: 3
    case .doubtful: 2
    case .probably: 1
    }
  }
}

extension Verdict {
  fileprivate var weight: Int {
    switch self {
    case .unsafe: 2
    case .risky: 1
    case .safe: 0
    }
  }
}

/// Dumps that belong together, and what they share.
public struct SurveyGroup: Hashable, Sendable {
  public var kind: Kind
  /// In the survey's order.
  public var files: [String]
  /// What all of them have; `nil` where it differs or is unknown.
  public var release: String?
  /// The message, without its numbers where they differ.
  public var panic: String?
  /// Rules with errors or warnings that all of them break.
  public var rules: [String]

  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// One crash, saved more than once.
    case sameCrash = "same-crash"
    /// Crashes that look alike.
    case alike
  }

  /// The groups among dumps, largest first; a crash that was saved more than once counts as one
  /// among those that it is like.
  public static func groups(of dumps: [SurveyedDump]) -> [SurveyGroup] {
    var groups: [SurveyGroup] = []
    for (_, copies) in grouped(dumps, by: \.crash) where copies.count > 1 {
      groups.append(SurveyGroup(.sameCrash, copies))
    }
    for (_, alike) in grouped(dumps, by: \.likeness) {
      let crashes = Set(alike.map { $0.crash ?? $0.file })
      if crashes.count > 1 { groups.append(SurveyGroup(.alike, alike)) }
    }
    return groups.enumerated().sorted { a, b in
      (b.element.files.count, a.offset) < (a.element.files.count, b.offset)
    }.map(\.element)
  }

  /// In the order of the first of each.
  private static func grouped(
    _ dumps: [SurveyedDump], by key: (SurveyedDump) -> String?
  ) -> [(String, [SurveyedDump])] {
    var order: [String] = []
    var members: [String: [SurveyedDump]] = [:]
    for dump in dumps {
      guard let key = key(dump) else { continue }
      if members[key] == nil { order.append(key) }
      members[key, default: []].append(dump)
    }
    return order.map { ($0, members[$0] ?? []) }
  }

  private init(_ kind: Kind, _ dumps: [SurveyedDump]) {
    self.kind = kind
    files = dumps.map(\.file)
    release = Self.shared(dumps.map(\.release))
    panic = Self.shared(dumps.map(\.panic)) ?? Self.shared(dumps.map(\.pattern))
    let broken = dumps.map(\.brokenRules)
    let common = broken.dropFirst().reduce(Set(broken.first ?? [])) { $0.intersection($1) }
    rules = (broken.first ?? []).filter(common.contains)
  }

  private static func shared(_ values: [String?]) -> String? {
    values.allSatisfy { $0 == values.first } ? values.first ?? nil : nil
  }
}

extension SurveyedDump {
  /// Rules with errors or warnings.
  var brokenRules: [String] { rules.filter { $0.severity != .info }.map(\.rule) }

  /// What crashes that are alike share: the message without its numbers, and the rules that are
  /// broken; `nil` where no message is known.
  var likeness: String? {
    pattern.map { ([$0] + brokenRules.sorted()).joined(separator: "\n") }
  }
}
