// SPDX-License-Identifier: Apache-2.0

internal import Faults
internal import Memory
internal import RemappingState
internal import Translation

extension UnitExplanation: DocumentRow {
  static var rowName: String { "unitMessage" }
  static var rowMeaning: String {
    "A message about a unit, other than a refused request, held against the dump."
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitExplanation {
    fields.field("kind", \.kind, "What it is about.")
    fields.field("severity", \.severity, "How bad it is, for --fail-on.")
    fields.field("text", \.text, "The first one's text.")
    fields.field("count", \.count, "How many alike were met.", .count)
    fields.field("first", \.first, "When the first was logged, in seconds since boot.")
    fields.field("last", \.last, "When the last was.")
    fields.field("unit", \.unit, "Name of the unit.")
    fields.field("device", \.device, "The device that the message or its descriptor is about.")
    fields.field("driver", \.driver, "Name of the device's driver.")
    fields.field("iova", \.iova, "The address that it is about.")
    fields.field("meaning", \.meaning, "What it says, in a sentence.")
    fields.field("entries", \.entries, "Descriptors and entries that it holds, decoded.")
    fields.field("evidence", \.evidence, "What the dump says about it.")
    fields.field("next", \.next, "What to look at next; null where nothing follows.")
  }
}

extension UnitExplanation.Kind: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .status: "the fault status register."
    case .unreachable: "a unit that does not answer."
    case .invalidationError: "an error of the invalidation queue."
    case .lockup: "a CPU that hung in the invalidation queue."
    case .malfunction: "a command that was not carried out."
    case .pageRequest: "a page request that was refused or lost."
    case .alreadySet: "a mapping that met an entry that was set."
    case .tables: "the tables of a refused request, as the kernel printed them."
    case .firmware: "a complaint about firmware's tables."
    case .takeover: "how a kernel came to terms with a unit that was on."
    case .failure: "something of the driver that failed."
    case .foreign: "another remapping unit's driver."
    }
  }
}

extension UnitExplanation.Entry: DocumentRow {
  static var rowName: String { "loggedEntry" }
  static var rowMeaning: String { "Words of a message." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitExplanation.Entry {
    fields.field("name", \.name, "What they are.")
    fields.field("logged", \.logged, "As the message has them, lowest first.")
    fields.field("fields", \.fields, "The fields that are not zero.")
    fields.field("now", \.now, "The same entry in the dump; null where none is compared.")
  }
}
