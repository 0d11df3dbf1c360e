// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

extension Observation {
  /// What stood in the way of a read, as far as a rule needs to know.
  enum Cause {
    case excluded
    case truncated
    case corrupt
    case other
  }

  /// Told from the sentence that `Absence` wrote into the observation, because a state has no room
  /// for more; the audit's tests hold both together.
  var cause: Cause {
    if detail.contains(Absence.excluded.description) { return .excluded }
    if detail.contains("cut off, the file ends") { return .truncated }
    if detail.contains("corrupt at file offset") { return .corrupt }
    return .other
  }

  /// Whether a second-stage or first-stage table was being read.
  var isTranslationTable: Bool { subject.contains("stage table") }

  /// Whether a structure of the kernel was being read, not a table of the hardware; those are the
  /// walk's business.
  var isKernelStructure: Bool { !isAboutTheFile && !subject.contains("table") }

  /// Whether the dump's file as a whole is meant, not one structure in it.
  var isAboutTheFile: Bool { subject == "dump" }
}

extension [Observation] {
  /// `struct iova (3), context table`: each subject once, in order, at most four.
  var subjects: String {
    var order: [String] = []
    var counts: [String: Int] = [:]
    for observation in self {
      if counts[observation.subject] == nil { order.append(observation.subject) }
      let (sum, overflow) = counts[observation.subject, default: 0].addingReportingOverflow(
        observation.count)
      counts[observation.subject] = overflow ? .max : sum
    }
    var parts = order.prefix(4).map { subject in
      counts[subject] == 1 ? subject : "\(subject) (\(counts[subject] ?? 0))"
    }
    if order.count > 4 { parts.append("\(order.count - 4) more") }
    return parts.joined(separator: ", ")
  }
}
