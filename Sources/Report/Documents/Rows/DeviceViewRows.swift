// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import Owners
internal import RemappingState

extension DeviceView: DocumentRow {
  static var rowName: String { "deviceView" }
  static var rowMeaning: String {
    "One device: which address spaces its requests take, and what they can reach."
  }
  static var blank: DeviceView? { DeviceView(device: .other("")) }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DeviceView {
    fields.field("device", \.device, "Its name.")
    fields.field("pciID", \.pciID, "PCI vendor and device id.", .kind(.pciID))
    fields.field("driver", \.driver, "Name of the bound driver.")
    fields.field("group", \.group, "Number of its IOMMU group.")
    fields.field("unit", \.unit, "Name of its unit.")
    fields.field(
      "translationEnabled", \.translationEnabled, "Whether the unit translated; null if unknown.")
    fields.field(
      "domainType", \.domainType,
      "Type of the domain that the kernel attached it to; null where it attached none.")
    fields.field(
      "sourceIDs", \.sourceIDs, "Ids of its requests: its own first, then its aliases.")
    fields.field("spaces", \.spaces, "Address spaces that the ids lead to.")
    fields.field("reach", \.reach, "Whether it can reach what it should not.")
    fields.field(
      "pages", \.pages,
      "What the pages are that it can reach, most first; empty where they were not looked up.")
  }
}

extension DeviceView.SourceID: DocumentRow {
  static var rowName: String { "requesterID" }
  static var rowMeaning: String { "One id under which requests of the device arrive." }
  static var blank: DeviceView.SourceID? {
    DeviceView.SourceID(sourceID: PCIFunction(bus: 0, devfn: 0), context: .notKnown)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DeviceView.SourceID {
    fields.field("sourceID", \.sourceID, "The id.")
    fields.field("context", \.context, "Whether a context is there for it.")
    fields.field(
      "translation", \.translation,
      "What the context does with requests without PASID; null without a context.")
    fields.field("domainID", \.domainID, "Domain-id of requests without PASID.")
    fields.field("pasids", \.pasids, "PASIDs that are present beside that.")
  }
}

extension DeviceView.Presence: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .present: "a context is there."
    case .absent: "every request under the id faults."
    case .notKnown: "context tables could not be read, or no unit is known."
    }
  }
}

extension DeviceView.Space: DocumentRow {
  static var rowName: String { "space" }
  static var rowMeaning: String { "An address space of the device." }
  static var blank: DeviceView.Space? {
    DeviceView.Space(unit: nil, domainID: nil, type: .unknown)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DeviceView.Space {
    fields.field("unit", \.unit, "Name of the unit.")
    fields.field("domainID", \.domainID, "Its domain-id.")
    fields.field("type", \.type, "The kernel's type of the domain.")
    fields.field("stage", \.stage, "Which stage its tables are.")
    fields.field("table", \.table, "Physical address of its top table.", .page)
    fields.field("levels", \.levels, "Levels of its tables.")
    fields.field(
      "isPassThrough", \.isPassThrough, "Whether every address is let through as it is.")
    fields.field("others", \.others, "Other source ids that lead there.")
    fields.field("bytes", \.bytes, "Mapped bytes.")
    fields.field("distinctPages", \.distinctPages, "Pages of 4 KiB that are mapped, each once.")
    fields.field(
      "windows", \.windows, "Runs with gaps of less than 2 MiB between them, joined; by address.")
    fields.field("isWhole", \.isWhole, "Whether every table was read.")
  }
}

extension DeviceView.Window: DocumentRow {
  static var rowName: String { "window" }
  static var rowMeaning: String { "Mapped addresses that lie together." }
  static var blank: DeviceView.Window? {
    DeviceView.Window(
      start: IOVirtualAddress(0), end: IOVirtualAddress(0), bytes: 0, runs: 0, isReadable: false,
      isWritable: false)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DeviceView.Window {
    fields.field("start", \.start, "First byte.")
    fields.field("end", \.end, "Last byte, inclusive.")
    fields.field("bytes", \.bytes, "Mapped bytes, without the gaps.")
    fields.field("runs", \.runs, "Runs in it.", .count)
    fields.field("isReadable", \.isReadable, "Whether some of it may be read.")
    fields.field("isWritable", \.isWritable, "Whether some of it may be written.")
  }
}

extension DeviceView.Reach: DocumentRow {
  static var rowName: String { "reach" }
  static var rowMeaning: String { "Whether the device can reach one thing, and how one knows." }
  static var blank: DeviceView.Reach? {
    DeviceView.Reach(.kernelText, .notKnown, reason: "")
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DeviceView.Reach {
    fields.field("what", \.what, "The thing.")
    fields.field("answer", \.answer, "Whether it can.")
    fields.field("isWritable", \.isWritable, "Whether it can write there; null unless it can.")
    fields.field("reason", \.reason, "What the answer rests on.", .notEmpty)
  }
}

extension DeviceView.Reach.Subject: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .kernelText: "the kernel's code."
    case .kernelData: "the kernel's data."
    case .pageTables: "page tables of processes and of the kernel itself."
    case .remappingTables: "tables and queues of the remapping units."
    case .crashKernel: "memory that is set aside for the crash kernel."
    case .freePages: "pages that the kernel's allocator holds for free."
    }
  }
}

extension DeviceView.Reach.Answer: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .yes: "a mapping leads there, or nothing is translated."
    case .no: "all tables were read and none leads there."
    case .notKnown: "something could not be read; the reason says what."
    }
  }
}

extension DeviceView.PageCount: DocumentRow {
  static var rowName: String { "pageCount" }
  static var rowMeaning: String { "Pages of one kind among those that the device can reach." }
  static var blank: DeviceView.PageCount? {
    DeviceView.PageCount(kind: .unknown, pages: 0, writable: 0)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DeviceView.PageCount {
    fields.field("kind", \.kind, "What the pages are used for.")
    fields.field("pages", \.pages, "How many, each once.", .count)
    fields.field("writable", \.writable, "Those of them that it can write.", .count)
  }
}
