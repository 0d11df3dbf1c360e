// SPDX-License-Identifier: Apache-2.0

internal import Inheritance
internal import Memory
internal import RemappingState
internal import Survey

extension SurveyedDump: DocumentRow {
  static var rowName: String { "surveyedDump" }
  static var rowMeaning: String {
    "One dump, or why it could not be judged: everything that follows from reading it is null then."
  }
  static var blank: SurveyedDump? { SurveyedDump(file: "") }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == SurveyedDump {
    fields.field("file", \.file, "The file, as it was given or found; of a split dump, the first.")
    fields.field("parts", \.parts, "All files of a split dump; empty for others.")
    fields.field("failure", \.failure, "Why it could not be judged; null where it could.")
    fields.field("format", \.format, "elf, kdump, flattened-elf and so on.")
    fields.field("release", \.release, "uname -r of the crashed kernel.")
    fields.field(
      "buildID", \.buildID, "The crashed kernel's GNU build id, hexadecimal.", .kind(.buildID))
    fields.field("panic", \.panic, "The last panic message of the kernel log, one line.")
    fields.field("crashTime", \.crashTime, "When the kernel crashed, in Unix seconds.")
    fields.field(
      "typesFrom", \.typesFrom,
      "What told the layout of the kernel's structures, dwarf or btf; null where nothing did.")
    fields.field(
      "crash", \.crash,
      "The same text for two files only if they are of one crash: kernel, time and message.")
    fields.field(
      "pattern", \.pattern, "The message with # for each number: what crashes have in common.")
    fields.field("units", \.units, "Its remapping units.")
    fields.field("devices", \.devices, "Devices that the kernel knew behind them.", .count)
    fields.field(
      "inFlight", \.inFlight,
      "Address spaces with transfers in flight; null where their tables could not be read.")
    fields.field("findings", \.findings, "Findings of the audit, by severity.")
    fields.field("rules", \.rules, "The rules that they are of, the worst first.")
    fields.field(
      "faults", \.faults, "Refused requests in the log; null where no log was read.", .count)
    fields.field("drivers", \.drivers, "Drivers by name; devices without one last.")
    fields.field(
      "crashKernel", \.crashKernel,
      "What a crash kernel that does what Linux does meets; null where the kernel was not read.")
    fields.field("gaps", \.gaps, "Structures and pages that could not be read.", .count)
    fields.field("cuts", \.cuts, Cut.meaning)
  }
}

extension SurveyedDump.Failure: DocumentRow {
  static var rowName: String { "failure" }
  static var rowMeaning: String { "Why a dump could not be judged." }
  static var blank: SurveyedDump.Failure? { SurveyedDump.Failure(.notRead, "") }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == SurveyedDump.Failure {
    fields.field("kind", \.kind, "The sort of failure.")
    fields.field("text", \.text, "The sentence for a person.", .notEmpty)
  }
}

extension SurveyedDump.Failure.Kind: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .notRead: "the file, or the kernel in it, could not be read."
    case .timeOut: "it took longer than allowed."
    case .ended: "the process that read it ended without an answer."
    }
  }
}

extension SurveyedDump.Units: DocumentRow {
  static var rowName: String { "surveyedUnits" }
  static var rowMeaning: String { "The remapping units of a dump." }
  static var blank: SurveyedDump.Units? {
    SurveyedDump.Units(count: 0, translating: 0, remappingInterrupts: 0, modes: [])
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == SurveyedDump.Units {
    fields.field("count", \.count, "How many.", .count)
    fields.field("translating", \.translating, "How many translate DMA.", .count)
    fields.field(
      "remappingInterrupts", \.remappingInterrupts, "How many remap interrupts.", .count)
    fields.field("modes", \.modes, "How they read their root tables, each mode once.")
  }
}

extension SurveyedDump.InFlight: DocumentRow {
  static var rowName: String { "surveyedTransfers" }
  static var rowMeaning: String { "What was in flight at the panic." }
  static var blank: SurveyedDump.InFlight? { SurveyedDump.InFlight(domains: 0, bytes: 0) }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == SurveyedDump.InFlight {
    fields.field("domains", \.domains, "Address spaces.", .count)
    fields.field("bytes", \.bytes, "Bytes that they map.")
  }
}

extension SurveyedDump.FindingCounts: DocumentRow {
  static var rowName: String { "surveyedFindings" }
  static var rowMeaning: String { "How many findings there are." }
  static var blank: SurveyedDump.FindingCounts? {
    SurveyedDump.FindingCounts(errors: 0, warnings: 0, notes: 0)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == SurveyedDump.FindingCounts {
    fields.field("errors", \.errors, "Errors.", .count)
    fields.field("warnings", \.warnings, "Warnings.", .count)
    fields.field("notes", \.notes, "What is worth knowing.", .count)
  }
}

extension SurveyedDump.RuleCount: DocumentRow {
  static var rowName: String { "surveyedRule" }
  static var rowMeaning: String { "A rule that found something." }
  static var blank: SurveyedDump.RuleCount? {
    SurveyedDump.RuleCount(rule: "", severity: .info, count: 0)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == SurveyedDump.RuleCount {
    fields.field("rule", \.rule, "Stable id of the rule.", .kind(.ruleID))
    fields.field("severity", \.severity, "The worst of its findings.")
    fields.field("count", \.count, "How many there are.", .count)
  }
}

extension SurveyedDump.DriverUse: DocumentRow {
  static var rowName: String { "surveyedDriver" }
  static var rowMeaning: String { "The devices of one driver, and the address space they hold." }
  static var blank: SurveyedDump.DriverUse? {
    SurveyedDump.DriverUse(driver: nil, devices: 0, mappedBytes: 0, leaves: 0, hasErrors: false)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == SurveyedDump.DriverUse {
    fields.field("driver", \.driver, "Its name; null for devices without one.")
    fields.field("devices", \.devices, "Its devices.", .count)
    fields.field("mappedBytes", \.mappedBytes, "Bytes that their address spaces map.")
    fields.field("leaves", \.leaves, "Mapped pages of any size.", .count)
    fields.field(
      "nodes", \.nodes, "Nodes of their allocators; null where they have none.", .count)
    fields.field(
      "unmappedNodes", \.unmappedNodes,
      "Nodes that the driver holds and that map nothing: many of them are a leak of addresses.",
      .count)
    fields.field(
      "hasErrors", \.hasErrors, "Whether an error was found with one of the devices.")
  }
}

extension SurveyedDump.CrashKernelVerdict: DocumentRow {
  static var rowName: String { "crashKernelVerdict" }
  static var rowMeaning: String { "What a crash kernel that does what Linux does meets." }
  static var blank: SurveyedDump.CrashKernelVerdict? {
    SurveyedDump.CrashKernelVerdict(answer: .no, verdict: .unsafe, concerns: [], faulting: 0)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == SurveyedDump.CrashKernelVerdict {
    fields.field("answer", \.answer, "Whether it gets through.")
    fields.field("verdict", \.verdict, "The verdict on the policy linux.")
    fields.field("concerns", \.concerns, "What speaks against it, the weightiest first.")
    fields.field(
      "faulting", \.faulting,
      "Devices with transfers in flight that fault under the new tables: the makings of a storm.",
      .count)
  }
}

extension SurveyGroup: DocumentRow {
  static var rowName: String { "surveyGroup" }
  static var rowMeaning: String { "Dumps that belong together, and what they share." }
  static var blank: SurveyGroup? { nil }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == SurveyGroup {
    fields.field("kind", \.kind, "What makes them a group.")
    fields.field("files", \.files, "Their files, in the order of the dumps.")
    fields.field("release", \.release, "The kernel release, where it is one.")
    fields.field("panic", \.panic, "The panic message, with # for numbers that differ.")
    fields.field("rules", \.rules, "Rules with errors or warnings that all of them break.")
  }
}

extension SurveyGroup.Kind: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .sameCrash: "one crash, saved more than once."
    case .alike: "crashes with the same message and the same broken rules."
    }
  }
}
