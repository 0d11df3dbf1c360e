// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

extension Finding: DocumentRow {
  static var rowName: String { "finding" }
  static var rowMeaning: String { "What a rule of the audit says about the state." }
  static var blank: Finding? { Finding(rule: "", severity: .info, message: "") }

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == Finding {
    fields.field("rule", \.rule, "Stable id of the rule.", .kind(.ruleID))
    fields.field("severity", \.severity, "How bad it is.")
    fields.field("unit", \.unit, "Name of the unit that it is about.")
    fields.field("device", \.device, "The device that it is about.")
    fields.field("message", \.message, "The sentence for a person.", .notEmpty)
    fields.field("evidence", \.evidence, "The bytes it rests on.")
  }
}

extension Finding.Severity: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .error: "DMA goes wrong or memory is exposed."
    case .warning: "a state that should not be."
    case .info: "worth knowing."
    }
  }
}

extension Evidence: DocumentRow {
  static var rowName: String { "evidence" }
  static var rowMeaning: String { "Where a finding's bytes are." }
  static var blank: Evidence? { Evidence(what: "") }

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == Evidence {
    fields.field(
      "what", \.what, "What lies there: context entry, struct dmar_domain, leaf and so on.")
    fields.field(
      "address", \.address, "Physical address of a table entry, kernel address of an object.")
    fields.field("words", \.words, "The words found there, lowest first.")
  }
}

extension Observation: DocumentRow {
  static var rowName: String { "observation" }
  static var rowMeaning: String {
    "Something that a reader or the table walk met and could not, or need not, resolve."
  }
  static var blank: Observation? { Observation(.unreadable, structure: .dump) }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == Observation {
    fields.field("kind", \.kind, "What was met.")
    fields.field("unit", \.unit, "Name of the unit that it is about.")
    fields.field("device", \.device, "The device that it is about.")
    fields.field("domainID", \.domainID, "The domain-id that it is about.")
    fields.field("subject", \.structure, "What was being read.")
    fields.field(
      "address", \.address, "Where: physical, or a kernel address for kernel structures.")
    fields.field("word", \.word, "The word that was read there, where there is one.")
    fields.field("detail", \.detail, "A reason, or the values that disagree.")
    fields.field(
      "count", \.count, "How many alike were met; only the first of a kind are listed one by one.",
      .count)
    fields.field(
      "cause", \.cause, "What stood in the way, or is wrong; null where the kind says it all.",
      since: "0.1.0")
  }
}

extension Structure: DocumentValue {
  func write(to writer: JSONWriter) { writer.string(description) }

  static func read(from reader: JSONReader) throws(JSONReadingError) -> Structure {
    Structure(try reader.string())
  }

  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form {
    .text(isEmptyAllowed: true)
  }
}

extension Cause: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .excluded: "a filter left the page out of the dump."
    case .zeroOrExcluded: "the page is a hole: zeros, or left out."
    case .notInDump: "the dump does not describe the address."
    case .truncated: "the dump ends before it."
    case .corrupt: "the dump's data for it is damaged."
    case .unsupported: "the dump holds it in a form that cannot be read here."
    case .system: "the operating system refused to read the file."
    case .budget: "what the run may do was spent before."
    case .unmapped: "the kernel's page tables map nothing at the address."
    case .nullPointer: "a pointer is null."
    case .unknownShape: "the kernel has no such symbol, structure or member."
    case .contradiction: "the structure contradicts itself."
    case .reservedBits: "reserved bits are set."
    case .impossibleField: "a field holds a value that the unit does not allow."
    case .misaligned: "an address is not aligned as it must be."
    case .beyondHostAddressWidth: "an address is beyond what the machine has."
    case .secondStage: "the second stage of a nested translation ends."
    }
  }
}

extension Observation.Kind: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .unreadable: "a page or structure that the dump does not hold."
    case .assumedZero: "a hole of an ELF dump taken for zeros."
    case .reservedBits: "reserved bits set in a present entry."
    case .cycle: "a table that contains itself."
    case .alias: "a table page used in more than one place."
    case .budget: "a walk or list that was cut because its budget was spent."
    case .malformed: "a kernel structure that contradicts itself."
    case .outsideMemory: "a present entry whose target is no memory that the dump describes."
    case .sharedTable: "a table page that serves two domains."
    case .mapsTable: "a domain maps a page of the remapping unit's own tables."
    case .freePage: "a domain maps a page that the kernel's allocator holds for free."
    case .interruptEntry: "an interrupt-remapping entry that cannot be what the kernel wrote."
    case .otherDriver: "a remapping unit of another driver than VT-d's, whose tables are not read."
    }
  }
}

extension MemoryRegion: DocumentRow {
  static var rowName: String { "memoryRegion" }
  static var rowMeaning: String { "A range of physical addresses whose use the kernel knew." }
  static var blank: MemoryRegion? {
    MemoryRegion(kind: .memory, start: PhysicalAddress(0), end: PhysicalAddress(0))
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == MemoryRegion {
    fields.field("kind", \.kind, "What the range is used for.")
    fields.field("start", \.start, "First byte.")
    fields.field("end", \.end, "Last byte, inclusive.")
  }
}

extension MemoryRegion.Kind: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .memory: "usable memory; the kernel's own regions lie inside."
    case .firmware: "what firmware keeps for itself."
    case .acpi: "ACPI tables, which Linux may reclaim."
    case .kernelText: "the kernel's text."
    case .kernelData: "the kernel's data."
    case .crashKernel: "set aside for the crash kernel."
    }
  }
}
