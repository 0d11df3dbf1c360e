// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import Owners
internal import RemappingState

extension OwnersDocument.Answer: DocumentRow {
  static var rowName: String { "answer" }
  static var rowMeaning: String { "What is known of one range of physical memory." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == OwnersDocument.Answer {
    fields.field("start", \.start, "First byte.")
    fields.field("end", \.end, "Last byte, inclusive.")
    fields.field("pages", \.pages, "What the pages are, neighbours that are alike joined.")
    fields.field("reaches", \.reaches, "Who can reach them, and how.")
  }
}

extension OwnersDocument.Pages: LongRow {
  static var rowName: String { "pages" }
  static var rowMeaning: String { "Neighbouring pages of one kind." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == OwnersDocument.Pages {
    fields.field("start", \.start, "First byte.")
    fields.field("end", \.end, "Last byte, inclusive.")
    fields.field("kind", \.kind, "What they were used for when the kernel crashed.")
    fields.field(
      "detail", \.detail,
      "The slab cache's name, the file's inode, the table's kind, or why nothing is known.")
  }
}

extension PageState.Kind: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .free: "in the page allocator, or on its way to it."
    case .slab: "kernel objects."
    case .pageCache: "a file's contents."
    case .anonymous: "a process's memory."
    case .pageTable: "a processor's page table."
    case .pagePool: "a network driver's receive buffer."
    case .kernelText: "the kernel's text."
    case .kernelData: "the kernel image beyond its text."
    case .iommuTable: "a table of a remapping unit."
    case .reserved: "memory that the allocator never had."
    case .kernel: "in use by the kernel, and nothing tells for what."
    case .mmio: "no memory that the dump describes."
    case .unknown: "the page's descriptor cannot be read."
    }
  }
}

extension Reach: LongRow {
  static var rowName: String { "reach" }
  static var rowMeaning: String {
    "A way to a piece of physical memory that the tables hold for devices."
  }

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == Reach {
    fields.field("unit", \.unit, "Name of the unit; null where the kernel has none.")
    fields.field("devices", \.devices, "Who uses the domain; ascending.")
    fields.field("domainID", \.domainID, "Id of the domain.")
    fields.field("translation", \.translation, "How its requests are translated.")
    fields.field("iova", \.iova, "First I/O virtual address.")
    fields.field("iovaEnd", \.iovaEnd, "Last one, inclusive.")
    fields.field("physical", \.physical, "First physical address.")
    fields.field("physicalEnd", \.physicalEnd, "Last one, inclusive.")
    fields.field("access", \.access, "What the tables grant.")
    fields.field(
      "reachable", \.reachable, "Whether requests get there; mapped and reachable are two things.")
    fields.field(
      "obstacle", \.obstacle, "What stops requests on a way that is not reachable; null otherwise.")
  }
}

extension Reach.Route: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .secondStage: "through a second-stage table."
    case .firstStage: "through a first-stage table."
    case .nested: "through a first-stage table whose output a second stage translates."
    case .passThrough: "addresses are physical ones."
    case .untranslated: "translation is off in the unit: every address is physical."
    }
  }
}

extension Reach.Requester: DocumentRow {
  static var rowName: String { "requester" }
  static var rowMeaning: String { "Who sends the requests." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == Reach.Requester {
    fields.field("device", \.device, "The source id.")
    fields.field("pasid", \.pasid, "The PASID; null for requests without one.")
    fields.field("driver", \.driver, "Name of the bound driver.")
  }
}
