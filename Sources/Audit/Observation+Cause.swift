// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

extension Observation {
  /// Whether the dump's file is why something could not be read, so that a rule of its own says it.
  var isFilesFault: Bool {
    switch cause {
    case .excluded, .truncated, .corrupt: true
    default: false
    }
  }

  /// Whether a second-stage or first-stage table was being read.
  var isTranslationTable: Bool { structure.isPageTable }

  /// Whether a structure of the kernel was being read, not a table of the hardware; those are the
  /// walk's business.
  var isKernelStructure: Bool { structure.kernelStructure != nil }

  /// Whether the dump's file as a whole is meant, not one structure in it.
  var isAboutTheFile: Bool { structure == .dump }
}

extension [Observation] {
  /// `struct iova (3), context table`: each subject once, in order, at most four.
  var subjects: String {
    var order: [Structure] = []
    var counts: [Structure: Int] = [:]
    for observation in self {
      let structure = observation.structure
      if counts[structure] == nil { order.append(structure) }
      let (sum, overflow) = counts[structure, default: 0].addingReportingOverflow(
        observation.count)
      counts[structure] = overflow ? .max : sum
    }
    var parts = order.prefix(4).map { structure in
      counts[structure] == 1 ? "\(structure)" : "\(structure) (\(counts[structure] ?? 0))"
    }
    if order.count > 4 { parts.append("\(order.count - 4) more") }
    return parts.joined(separator: ", ")
  }
}
