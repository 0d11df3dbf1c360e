// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

extension Unit: DocumentRow {
  static var rowName: String { "unit" }
  static var rowMeaning: String {
    "A DMA remapping unit as the kernel's struct intel_iommu holds it."
  }
  static var blank: Unit? {
    Unit(
      name: "", segment: 0, registerBase: PhysicalAddress(0), capability: 0,
      extendedCapability: 0, tableMode: .legacy)
  }

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == Unit {
    fields.field("name", \.name, "dmar0, dmar1 and so on; other rows name the unit so.")
    fields.field("segment", \.segment, "PCI segment of its devices.")
    fields.field("registerBase", \.registerBase, "Physical address of its registers.")
    fields.field("capability", \.capability, "The CAP register.")
    fields.field("extendedCapability", \.extendedCapability, "The ECAP register.")
    fields.field(
      "tableMode", \.tableMode,
      "How the unit reads its root table; without a root table and capabilities it means nothing.")
    fields.field(
      "translationEnabled", \.translationEnabled,
      "Whether DMA was translated (global command, bit 31).")
    fields.field(
      "interruptRemappingEnabled", \.interruptRemappingEnabled,
      "Whether interrupts were remapped (global command, bit 25).")
    fields.field("rootTable", \.rootTable, "Physical address of the root table.", .page)
    fields.field("rootFrom", \.rootFrom, "Where the root pointer comes from.")
    fields.field("domainIDs", \.domainIDs, "Domain-ids of the unit.")
    fields.field("kernelObject", \.kernelObject, "Address of its struct intel_iommu.")
    fields.field("sequence", \.sequence, "The kernel's number of the unit (seq_id).")
    fields.field(
      "globalCommand", \.globalCommand, "The kernel's shadow of the global command register.")
    fields.field(
      "levels", \.levels, "Levels of the second-stage tables that the kernel chose for the unit.")
    fields.field("ignored", \.ignored, "Whether Linux skips the unit.")
    fields.field(
      "includeAll", \.includeAll,
      "Whether it owns every device of its segment that no other unit names.")
    fields.field(
      "scope", \.scope, "Devices of the unit's ACPI scope; null for one that Linux had not found.")
    fields.field(
      "inherited", \.inherited,
      "Whether this kernel took the unit over with translation enabled.")
    fields.field(
      "copiedContexts", \.copiedContexts,
      "Source ids whose context entry is still the previous kernel's.")
    fields.field("interruptRemapping", \.interruptRemapping, "Its interrupt-remapping table.")
    fields.field("invalidationQueue", \.invalidationQueue, "Its invalidation queue.")
    fields.field(
      "hostAddressWidth", \.hostAddressWidth,
      "Bits of host physical addresses: as the kernel logged them, else the processor's.",
      since: "0.1.0")
  }
}

extension TableMode: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .legacy: "requests without PASID only."
    case .extended: "the extended entries of early PASID hardware."
    case .scalable: "PASID tables."
    }
  }
}

extension RootOrigin: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .kernel: "the kernel's structures."
    case .carved: "found by its shape in memory."
    case .given: "named on the command line."
    }
  }
}

extension DomainIDs: DocumentRow {
  static var rowName: String { "domainIDs" }
  static var rowMeaning: String { "Domain-ids of one unit." }
  static var blank: DomainIDs? { DomainIDs(supported: 0, used: nil) }

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == DomainIDs {
    fields.field("supported", \.supported, "How many the unit has.", .count)
    fields.field("used", \.used, "Ids that the kernel marks as taken, ascending.")
    fields.field(
      "reserved", \.reserved,
      "Ids that the kernel gives to no domain although it does not mark them, ascending.")
  }
}

extension InterruptRemapping: DocumentRow {
  static var rowName: String { "interruptRemapping" }
  static var rowMeaning: String { "The interrupt-remapping table of a unit." }
  static var blank: InterruptRemapping? { InterruptRemapping(table: nil, entries: 0) }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == InterruptRemapping {
    fields.field("table", \.table, "Physical address of the table.")
    fields.field("entries", \.entries, "Entries of the table, present or not.", .count)
    fields.field("present", \.present, "Entries with the present bit.", .count)
    fields.field("posted", \.posted, "Present entries in posted format.", .count)
    fields.field("allocated", \.allocated, "Entries that the kernel's bitmap marks.", .count)
    fields.field(
      "presentButFree", \.presentButFree,
      "Indices of present entries that the bitmap does not mark; the first 64.",
      FormRefinement(.count, items: 0...64))
    fields.field(
      "unreadablePages", \.unreadablePages, "Pages of the table that the dump lacks.", .count)
  }
}

extension InvalidationQueue: DocumentRow {
  static var rowName: String { "invalidationQueue" }
  static var rowMeaning: String { "The invalidation queue as software sees it." }
  static var blank: InvalidationQueue? {
    InvalidationQueue(
      base: nil, entries: 0, descriptorSize: 16, freeHead: 0, freeTail: 0, pending: 0)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == InvalidationQueue {
    fields.field("base", \.base, "Physical address of the ring.")
    fields.field("entries", \.entries, "Slots of the ring.", .count)
    fields.field("descriptorSize", \.descriptorSize, "Bytes of a descriptor.", .numbers(16, 32))
    fields.field("freeHead", \.freeHead, "The next slot that software will fill.")
    fields.field("freeTail", \.freeTail, "The oldest slot that is not reclaimed yet.")
    fields.field(
      "pending", \.pending, "Slots between the two whose status is still in use.", .count)
  }
}
