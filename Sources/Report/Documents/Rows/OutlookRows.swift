// SPDX-License-Identifier: Apache-2.0

internal import Inheritance
internal import Memory

extension Outlook: DocumentRow {
  static var rowName: String { "outlook" }
  static var rowMeaning: String {
    "Whether a crash kernel that does what Linux does gets through, and what to do about it."
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == Outlook {
    fields.field("answer", \.answer, "Whether it gets through.")
    fields.field("concerns", \.concerns, "What speaks against it, the weightiest first.")
    fields.field(
      "usesCommandLine", \.usesCommandLine,
      "Whether the command line that was given can be used; null if none was.")
    fields.field(
      "writers", \.writers, "Drivers through whose devices the dump could be written.")
    fields.field("leaveOut", \.leaveOut, "Drivers to leave out of the crash kernel's initramfs.")
    fields.field("add", \.add, "Words that belong on its command line.")
    fields.field("never", \.never, "Words that never belong there.")
  }
}

extension Outlook.Answer: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .probably: "nothing that was looked at speaks against it."
    case .doubtful: "something can keep it from writing a dump."
    case .no: "it cannot start, or nothing could write the dump."
    }
  }
}

extension Outlook.Concern: DocumentRow {
  static var rowName: String { "concern" }
  static var rowMeaning: String { "One thing that speaks against it, or that is worth knowing." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == Outlook.Concern {
    fields.field("kind", \.kind, "What it is.")
    fields.field("weight", \.weight, "How much it counts.")
    fields.field("unit", \.unit, "Name of the unit that it is about.")
    fields.field("devices", \.devices, "Devices that it is about.")
    fields.field("text", \.text, "In words.")
  }
}

extension Outlook.Weight: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .note: "worth knowing; it rarely keeps a dump from being written."
    case .doubt: "it can keep a dump from being written."
    case .no: "no dump can be written."
    }
  }
}

extension Outlook.Kind: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .nothingTranslates: "no unit translated: nothing is inherited."
    case .notReserved: "no memory is reserved for a crash kernel."
    case .noWriter: "no driver has a device that a dump could be written to."
    case .unknownState: "it is not known whether a unit translated."
    case .switchedOff: "the command line switches translation off."
    case .refused: "the crash kernel does not take the tables over."
    case .incomplete: "some of the tables cannot be copied."
    case .identityNotAttached: "a driver is given the identity, which is never attached."
    case .staleContext: "the unit may go on with the old pass-through entry."
    case .passThroughAssumed: "the answer rests on a command line that asks for pass-through again."
    case .identityAssumed:
      "the fates of drivers rest on a command line that asks for the identity again."
    case .crashMemoryMapped: "mappings that stay in force reach the crash kernel's memory."
    case .tablesMapped: "mappings that stay in force reach translation tables."
    case .tablesUnread: "the dump lacks contexts or tables of devices, which may reach more."
    case .interruptsLost: "interrupts meet an empty remapping table."
    case .errorFound: "an error was found with a device whose mappings stay in force."
    case .oldTransfers: "addresses that are live are given out again first."
    case .notTranslated: "devices that nothing keeps from the crash kernel's memory."
    }
  }
}

extension Outlook.Driver: DocumentRow {
  static var rowName: String { "namedDriver" }
  static var rowMeaning: String { "A driver, and why it is named." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == Outlook.Driver {
    fields.field("driver", \.driver, "Its name.")
    fields.field("devices", \.devices, "Its devices.")
    fields.field("reason", \.reason, "Why.")
  }
}

extension Outlook.Word: DocumentRow {
  static var rowName: String { "advisedWord" }
  static var rowMeaning: String { "A word of the command line, and why it is named." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == Outlook.Word {
    fields.field("word", \.word, "The word.")
    fields.field("reason", \.reason, "Why.")
  }
}

extension CrashCommandLine.Effect: DocumentRow {
  static var rowName: String { "wordEffect" }
  static var rowMeaning: String { "A word of the command line, and what it does." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == CrashCommandLine.Effect {
    fields.field("word", \.word, "The word.")
    fields.field("effect", \.effect, "What it does to what is inherited.")
  }
}
