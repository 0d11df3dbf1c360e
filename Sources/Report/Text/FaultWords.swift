// SPDX-License-Identifier: Apache-2.0

import RemappingState

/// What a log's faults come to, in a line.
enum FaultWords {
  /// `3 reads, 1 write`.
  static func kinds(_ row: FaultSummary.DeviceFaults) -> String {
    [
      (row.reads, "read", "reads"), (row.writes, "write", "writes"),
      (row.interrupts, "interrupt", "interrupts"),
    ].filter { $0.0 > 0 }.map { Quantity.count($0.0, $0.1, $0.2) }.joined(separator: ", ")
  }

  /// The line of the summary.
  static func summary(_ faults: FaultSummary?) -> String {
    guard let faults else { return "not known: no kernel log was read" }
    var parts: [String] = []
    if faults.count > 0 {
      let shown = faults.devices.prefix(3).map { "\($0.device) (\(kinds($0)))" }
      let rest = faults.devices.count > 3 ? " and \(faults.devices.count - 3) more" : ""
      parts.append(
        Quantity.count(faults.count, "refused request") + " in the log, from "
          + shown.joined(separator: ", ") + rest)
    }
    for row in faults.messages {
      let (one, many) = name(row.kind)
      parts.append(Quantity.count(row.count, one, many))
    }
    if faults.suppressed > 0 {
      parts.append("\(faults.suppressed) more messages that the kernel left out")
    }
    if parts.isEmpty, faults.problem == nil { return "none in the log" }
    if !parts.isEmpty { parts.append("run `iommuscope faults`") }
    if let problem = faults.problem { parts.append("the log could not be read whole: \(problem)") }
    return parts.joined(separator: "; ")
  }

  private static func name(
    _ kind: FaultSummary.UnitTrouble.Kind
  ) -> (one: String, many: String) {
    switch kind {
    case .queueError: ("invalidation queue error", "invalidation queue errors")
    case .completionError: ("invalidation completion error", "invalidation completion errors")
    case .timeOut: ("invalidation time-out", "invalidation time-outs")
    case .malfunction: ("command without answer", "commands without answer")
    case .lockup: ("CPU hung in an invalidation queue", "CPUs hung in an invalidation queue")
    case .unreachable: ("unit that reads as all ones", "units that read as all ones")
    case .alreadySet: ("mapping that met a set entry", "mappings that met a set entry")
    case .pageRequest: ("refused page request", "refused page requests")
    case .failure: ("failure of the driver", "failures of the driver")
    case .firmware: ("complaint about firmware", "complaints about firmware")
    }
  }
}
