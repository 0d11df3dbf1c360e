// SPDX-License-Identifier: Apache-2.0

internal import Inheritance
internal import Memory

extension PolicyForecast: DocumentRow {
  static var rowName: String { "policy" }
  static var rowMeaning: String { "What a crash kernel would find under one policy." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == PolicyForecast {
    fields.field("policy", \.policy, "By which road the crash kernel takes the units over.")
    fields.field("units", \.units, "What becomes of each unit's tables.")
    fields.field("devices", \.devices, "What becomes of each device's transfers.")
    fields.field("verdict", \.verdict, "The worst over the devices and units.")
    fields.field("reasons", \.reasons, "Why.")
    fields.field("memory", \.memory, "Memory that the new tables take, over all units.")
    fields.field(
      "dumpStable", \.dumpStable,
      "No device can alter memory while the dump is saved; false, too, where units or devices may be missing."
    )
    fields.field("changing", \.changing, "What devices may write into while the dump is saved.")
  }
}

extension Policy: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .linux: "what Linux does since 4.2: root and context tables are copied."
    case .fullCopy: "every level is copied, and devices inherit their addresses."
    case .isolate: "everything is blocked but devices with firmware regions."
    case .disable: "translation is switched off, and on again with empty tables."
    case .reset: "devices behind PCI Express ports are reset, then as linux."
    case .adopt: "nothing is copied: the next kernel goes on with the old tables in place."
    case .liveUpdate: "a planned update: chosen devices keep their tables, the others' are cleared."
    }
  }
}

extension Verdict: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .safe: "nothing that old transfers do can hurt."
    case .risky: "it may go wrong."
    case .unsafe: "it goes wrong, or memory that matters is exposed."
    }
  }
}

extension Fate: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .translated: "as before the panic."
    case .remapped: "a new domain: old addresses fault, or hit a new buffer at an equal address."
    case .blocked: "faults."
    case .physical:
      "translation is off: addresses are physical ones, even those that were made to be translated."
    case .passThrough: "addresses were physical ones all the time."
    case .silent: "the device was reset and sends nothing."
    }
  }
}

extension UnitForecast: LongRow {
  static var rowName: String { "unit" }
  static var rowMeaning: String { "What becomes of one unit's tables." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitForecast {
    fields.field("unit", \.unit, "Name of the unit.")
    fields.field("outcome", \.outcome, "What becomes of its tables.")
    fields.field("reason", \.reason, "Why, where it is not the normal way.")
    fields.field("rootTable", \.rootTable, "Address of the root table.")
    fields.field("roots", \.roots, "Root entries of the old or the new table.")
    fields.field(
      "contexts", \.contexts,
      "Context entries present in the old or the new table; 2 words in legacy mode, otherwise 4.")
    fields.field("pasids", \.pasids, "PASID entries, likewise.")
    fields.field("domainIDs", \.domainIDs, "Domain-ids that the crash kernel reserves.")
    fields.field(
      "interruptRemapping", \.interruptRemapping, "What becomes of the interrupt-remapping table.")
    fields.field("memory", \.memory, "Memory that the new tables take.")
    fields.field(
      "ambiguity", \.ambiguity,
      "What the other variant of the code would do, where the two differ.")
    fields.field("problems", \.problems, "Sanity checks that failed in the old tables.")
    fields.field(
      "proof", \.proof,
      "The walk of the copy against that of the original; null where page tables are not copied.")
  }
}

extension UnitForecast.Outcome: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .copied: "all of it is copied."
    case .partial: "some of it could not be copied."
    case .refused: "the kernel gives up and starts with empty tables."
    case .disabled: "translation is switched off."
    case .isolated: "everything is blocked but what firmware needs."
    case .adopted: "the old tables stay in place."
    }
  }
}

extension UnitForecast.RootTable: DocumentRow {
  static var rowName: String { "rootTable" }
  static var rowMeaning: String { "Where the root table lies." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitForecast.RootTable {
    fields.field("old", \.old, "The crashed kernel's.")
    fields.field("new", \.new, "The crash kernel's.")
  }
}

extension UnitForecast.RootRow: DocumentRow {
  static var rowName: String { "root" }
  static var rowMeaning: String { "A root entry before and after." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitForecast.RootRow {
    fields.field("bus", \.bus, "The bus.", .range(0...255))
    fields.field(
      "half", \.half, "Half of the bus in extended and scalable mode; null in legacy mode.",
      .words(["lower": "devices 0 to 15.", "upper": "devices 16 to 31."]))
    fields.field("old", \.old, "The word in the old table.")
    fields.field("new", \.new, "The word in the new table.")
  }
}

extension UnitForecast.ContextRow: DocumentRow {
  static var rowName: String { "contextWords" }
  static var rowMeaning: String { "A context entry before and after." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitForecast.ContextRow {
    fields.field("device", \.device, "The source id.")
    fields.field("old", \.old, "Words of the old entry, lowest first; null where not present.")
    fields.field("new", \.new, "Words of the new entry, lowest first; null where not present.")
  }
}

extension UnitForecast.PASIDRow: DocumentRow {
  static var rowName: String { "pasidWords" }
  static var rowMeaning: String { "A PASID entry before and after." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitForecast.PASIDRow {
    fields.field("device", \.device, "The source id.")
    fields.field("pasid", \.pasid, "The PASID.", .pasid)
    fields.field("old", \.old, "Words of the old entry, lowest first; null where not present.")
    fields.field("new", \.new, "Words of the new entry, lowest first; null where not present.")
  }
}

extension UnitForecast.Problem: DocumentRow {
  static var rowName: String { "problem" }
  static var rowMeaning: String { "A sanity check that failed in the old tables." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitForecast.Problem {
    fields.field("check", \.check, "Which check.")
    fields.field(
      "outcome", \.outcome, "What the copy does about it.",
      .words([
        "copied": "the words are copied as they are.", "dropped": "the entry is left out.",
        "kept": "the entry is copied and points to the old table still.",
        "ended": "the copy ends there.",
      ]))
    fields.field("device", \.device, "The source id.")
    fields.field("pasid", \.pasid, "The PASID.")
    fields.field("address", \.address, "Physical address of the entry.")
    fields.field("iova", \.iova, "I/O virtual address that the entry stands for.")
    fields.field("detail", \.detail, "What is wrong.")
  }
}

extension UnitForecast.Proof: DocumentRow {
  static var rowName: String { "proof" }
  static var rowMeaning: String { "The walk of the copy against that of the original." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitForecast.Proof {
    fields.field("identical", \.identical, "Whether both translate alike.")
    fields.field("contexts", \.contexts, "Contexts compared.", .count)
    fields.field("spaces", \.spaces, "Address spaces compared.", .count)
    fields.field("leaves", \.leaves, "Leaves compared.", .count)
    fields.field("runs", \.runs, "Runs compared.", .count)
    fields.field("bytes", \.bytes, "Mapped bytes compared.")
    fields.field("differences", \.differences, "Where they differ.")
  }
}

extension UnitForecast.Proof.Difference: DocumentRow {
  static var rowName: String { "proofDifference" }
  static var rowMeaning: String { "A place where the copy translates otherwise." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitForecast.Proof.Difference {
    fields.field("device", \.device, "The source id.")
    fields.field("pasid", \.pasid, "The PASID.")
    fields.field("iova", \.iova, "The I/O virtual address.")
    fields.field("what", \.what, "What differs.")
  }
}

extension ForecastWord: DocumentValue {
  func write(to writer: JSONWriter) {
    switch self {
    case .exact(let word): writer.hexadecimal(word)
    case .arena: writer.string(description)
    }
  }

  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form {
    .pattern(.newWord)
  }
}

extension DomainIDOutlook: DocumentRow {
  static var rowName: String { "domainIDs" }
  static var rowMeaning: String { "Domain-ids in the crash kernel." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DomainIDOutlook {
    fields.field("reserved", \.reserved, "Ids that the crash kernel marks as taken, ascending.")
    fields.field("remaining", \.remaining, "Ids that are left for new domains.", .count)
    fields.field("firstFree", \.firstFree, "The one that a device new to it would get.")
    fields.field("lost", \.lost, "In use by inherited entries and not reserved.")
  }
}

extension InterruptOutlook: DocumentRow {
  static var rowName: String { "interruptRemapping" }
  static var rowMeaning: String { "What becomes of the interrupt-remapping table." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == InterruptOutlook {
    fields.field("outcome", \.outcome, "What the crash kernel starts with.")
    fields.field("entries", \.entries, "Present entries that are copied.", .count)
  }
}

extension InterruptOutlook.Outcome: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .copied: "the old entries."
    case .empty: "an empty table."
    case .off: "no interrupt remapping."
    }
  }
}

extension MemoryCost: DocumentRow {
  static var rowName: String { "memoryCost" }
  static var rowMeaning: String { "Memory that new tables take." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == MemoryCost {
    fields.field("bytes", \.bytes, "Bytes.")
    fields.field("pages", \.pages, "Pages.", .count)
    fields.field("levels", \.levels, "By table level, from the root down.")
  }
}

extension MemoryCost.Level: DocumentRow {
  static var rowName: String { "memoryLevel" }
  static var rowMeaning: String { "Pages of one kind of table." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == MemoryCost.Level {
    fields.field("kind", \.kind, "The kind of table.")
    fields.field("pages", \.pages, "Pages.", .count)
  }
}
