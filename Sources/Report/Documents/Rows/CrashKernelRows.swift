// SPDX-License-Identifier: Apache-2.0

internal import Inheritance
internal import Memory

extension ForecastRange: DocumentRow {
  static var rowName: String { "range" }
  static var rowMeaning: String { "A range of physical or I/O virtual addresses." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == ForecastRange {
    fields.field("start", \.start, "First byte.")
    fields.field("end", \.end, "Last byte, inclusive.")
  }
}

extension CrashKernelSummary: DocumentRow {
  static var rowName: String { "crashKernel" }
  static var rowMeaning: String { "What the forecast takes the crash kernel to be." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == CrashKernelSummary {
    fields.field("variant", \.variant, "Generation of the code that copies tables.")
    fields.field(
      "variantFrom", \.variantFrom, "What told the generation.",
      .words(["types": "the crashed kernel's types.", "option": "the command line."]))
    fields.field(
      "isAmbiguous", \.isAmbiguous, "Whether v2a could as well be v2b: no type tells them apart.")
    fields.field("commandLine", \.commandLine, "Its command line, as far as it was given.")
    fields.field(
      "effects", \.effects, "What words of it do that the forecast takes into account.")
    fields.field("notModelled", \.notModelled, "Words of it that the forecast does not know.")
    fields.field(
      "drivers", \.drivers, "Drivers that it loads; null for those of the crashed kernel.")
    fields.field(
      "strict", \.strict,
      "Whether the code's quirks are left out of the forecast, and contexts that hardware refuses.")
    fields.field("reservations", \.reservations, "Memory that it lives in.")
    fields.field("kernelText", \.kernelText, "The crashed kernel's text in physical memory.")
    fields.field("gaps", \.gaps, "What could not be read; the forecast is blind there.")
  }
}

extension CopyVariant: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .v0: "no such code, translation is switched off (before 4.2)."
    case .v1: "copied entries are marked with their bit 67 (4.2 to 5.19)."
    case .v2a: "a bitmap of copied entries; an upper context table alone lands in the wrong half."
    case .v2b: "the same, corrected."
    }
  }
}

extension CrashKernelSummary.Reservation: DocumentRow {
  static var rowName: String { "reservation" }
  static var rowMeaning: String { "Memory that the crash kernel lives in." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == CrashKernelSummary.Reservation {
    fields.field("kind", \.kind, "Which reservation.")
    fields.field("start", \.start, "First byte.")
    fields.field("end", \.end, "Last byte, inclusive.")
    fields.field("bytes", \.bytes, "Its size.")
  }
}

extension MachineFacts.Reservation.Kind: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .main: "crashkernel=."
    case .low: "the part below 4 GiB beside it."
    case .cma: "movable pages of the crashed kernel that the crash kernel may take."
    case .given: "named on the command line."
    }
  }
}

extension InheritedContext: DocumentRow {
  static var rowName: String { "inheritedContext" }
  static var rowMeaning: String { "A context entry that is still another kernel's." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == InheritedContext {
    fields.field("unit", \.unit, "Name of the unit.")
    fields.field("device", \.device, "The source id.")
    fields.field("by", \.by, "What tells that it is inherited.", .words(copyMarks))
  }

  static let copyMarks: KeyValuePairs<String, String> = [
    "bitmap": "the kernel's bitmap of copied entries.", "marker": "bit 67 of the entry.",
  ]
}

extension ObservedTakeover: DocumentRow {
  static var rowName: String { "observed" }
  static var rowMeaning: String {
    "What a crash kernel whose memory is in the dump as well has really done."
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == ObservedTakeover {
    fields.field("release", \.release, "uname -r of the crash kernel.")
    fields.field("units", \.units, "Its remapping units.")
  }
}

extension ObservedTakeover.Unit: DocumentRow {
  static var rowName: String { "observedUnit" }
  static var rowMeaning: String { "What the crash kernel made of one unit's tables." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == ObservedTakeover.Unit {
    fields.field("unit", \.unit, "Name of the unit.")
    fields.field("rootTable", \.rootTable, "Physical address of its new root table.")
    fields.field("tookOver", \.tookOver, "Whether it says that it found translation enabled.")
    fields.field("copied", \.copied, "Contexts that are still the crashed kernel's.")
    fields.field(
      "by", \.by, "What tells that they are; null where the kernel marks nothing.",
      .words(InheritedContext.copyMarks))
    fields.field("words", \.words, "Words compared with the forecast of linux.", .count)
    fields.field("replaced", \.replaced, "Foretold contexts that the kernel has replaced since.")
    fields.field("differences", \.differences, "Where the forecast was wrong.")
    fields.field("domainIDs", \.domainIDs, "Domain-ids in use, ascending; null if unreadable.")
    fields.field(
      "interrupts", \.interrupts, "Its interrupt-remapping entries; null without both tables.")
  }
}

extension ObservedTakeover.Unit.Interrupts: DocumentRow {
  static var rowName: String { "observedInterrupts" }
  static var rowMeaning: String { "Interrupt-remapping entries of both kernels compared." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == ObservedTakeover.Unit.Interrupts {
    fields.field("same", \.same, "As in the crashed kernel's table.", .count)
    fields.field("different", \.different, "Present in both, with other words.", .count)
    fields.field("added", \.added, "Only in the crash kernel's table.", .count)
  }
}
