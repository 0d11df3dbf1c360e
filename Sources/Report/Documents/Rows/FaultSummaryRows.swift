// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

extension FaultSummary: DocumentRow {
  static var rowName: String { "faultSummary" }
  static var rowMeaning: String {
    "Trouble with remapping units that the kernel log tells of, counted; `faults` explains it."
  }
  static var blank: FaultSummary? { FaultSummary() }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FaultSummary {
    fields.derived("count", \.count, "Requests that units refused, each counted.", .count)
    fields.field("devices", \.devices, "The same by source id, the first to be refused first.")
    fields.field("messages", \.messages, "What units and their driver reported beside that.")
    fields.field(
      "suppressed", \.suppressed, "Messages that the kernel says it left out.", .count)
    fields.field("problem", \.problem, "Why the log, or a part of it, could not be read.")
  }
}

extension FaultSummary.DeviceFaults: DocumentRow {
  static var rowName: String { "deviceFaults" }
  static var rowMeaning: String { "Refused requests of one source id." }
  static var blank: FaultSummary.DeviceFaults? {
    FaultSummary.DeviceFaults(device: PCIFunction(bus: 0, devfn: 0))
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FaultSummary.DeviceFaults {
    fields.field(
      "device", \.device, "The source id; segment 0 where the log does not name the segment.")
    fields.field("reads", \.reads, "Reads.", .count)
    fields.field("writes", \.writes, "Writes.", .count)
    fields.field("interrupts", \.interrupts, "Interrupts.", .count)
  }
}

extension FaultSummary.UnitTrouble: DocumentRow {
  static var rowName: String { "unitTrouble" }
  static var rowMeaning: String { "Messages about units, of one kind." }
  static var blank: FaultSummary.UnitTrouble? {
    FaultSummary.UnitTrouble(kind: .failure, count: 0)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FaultSummary.UnitTrouble {
    fields.field("kind", \.kind, "What they tell.")
    fields.field("count", \.count, "How many there are.", .count)
  }
}

extension FaultSummary.UnitTrouble.Kind: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .queueError: "a descriptor of the invalidation queue was not understood or not fetched."
    case .completionError: "a completion that nobody waited for."
    case .timeOut: "a device did not complete the invalidation of its TLB."
    case .malfunction: "a command to a unit was not answered in time."
    case .lockup: "a CPU hung waiting for an invalidation queue."
    case .unreachable: "a unit's registers read as all ones."
    case .alreadySet: "a mapping met an entry that was set."
    case .pageRequest: "the driver refused page requests, or lost some."
    case .failure: "something of the driver failed."
    case .firmware: "the driver complains of firmware's tables."
    }
  }
}

extension StartUp: DocumentRow {
  static var rowName: String { "startUp" }
  static var rowMeaning: String {
    "What the kernel was told about remapping when it booted, and what it said of how that went."
  }
  static var blank: StartUp? { StartUp() }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == StartUp {
    fields.field(
      "commandLine", \.commandLine,
      "Words of the kernel's command line about remapping; null where it could not be read.")
    fields.field(
      "log", \.log, "Lines of the kernel log that tell how the units came up, each once.")
  }
}

extension UnjudgedRule: DocumentRow {
  static var rowName: String { "unjudgedRule" }
  static var rowMeaning: String {
    "A rule that could not be judged, so that its silence says nothing."
  }
  static var blank: UnjudgedRule? { UnjudgedRule(rule: "", reason: "") }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnjudgedRule {
    fields.field("rule", \.rule, "Stable id of the rule.", .kind(.ruleID))
    fields.field("reason", \.reason, "What it would have needed.", .notEmpty)
  }
}
