// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

extension Domain: DocumentRow {
  static var rowName: String { "domain" }
  static var rowMeaning: String { "An address space, one row per unit, domain-id and table." }
  static var blank: Domain? { Domain(unit: nil, domainID: nil) }

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == Domain {
    fields.field(
      "unit", \.unit, "Name of the unit; null for a kernel domain with no id on any unit.")
    fields.field("domainID", \.domainID, "Its id on the unit.")
    fields.field("type", \.type, "The kernel's type of the domain.")
    fields.field("kernelObject", \.kernelObject, "Address of the kernel's domain.")
    fields.field("stage", \.stage, "Which stage its table is of.")
    fields.field("table", \.table, "Physical address of its top table.", .page)
    fields.field("levels", \.levels, "Levels of the table.")
    fields.field("devices", \.devices, "Source ids whose contexts reach the domain, each once.")
    fields.field(
      "inFlight", \.inFlight,
      "Whether a context reaches the domain and its tables map something beyond fixed regions.")
    fields.field("mapping", \.mapping, "What the tables map; null for pass-through and blocked.")
    fields.field("iova", \.iova, "The kernel's allocator; null where the domain has none.")
    fields.field("walk", \.walk, "What the walk of the table met; null where nothing was walked.")
    fields.field(
      "references", \.references, "How often the kernel has attached the domain to the unit.")
  }
}

extension DomainType: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .dma: "the kernel's DMA API, strict."
    case .dmaFQ: "the kernel's DMA API with a flush queue (lazy)."
    case .identity: "every address to itself."
    case .unmanaged: "a driver's or a user's own, such as VFIO."
    case .blocked: "nothing goes through."
    case .sva: "a process's address space."
    case .nested: "a guest's first stage on a second stage."
    case .unknown: "no kernel object tells."
    }
  }
}

extension Stage: DocumentChoice {
  var meaning: StaticString { "" }
}

extension Mapping: DocumentRow {
  static var rowName: String { "mapping" }
  static var rowMeaning: String { "What a domain's tables map." }
  static var blank: Mapping? { Mapping(leaves: 0, bytes: 0, runs: []) }

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == Mapping {
    fields.field("leaves", \.leaves, "Present entries that map a page of any size.", .count)
    fields.field("bytes", \.bytes, "Sum over the runs.")
    fields.field("runs", \.runs, "By I/O virtual address, disjoint.")
  }
}

extension Run: FlatRow {
  static var rowName: String { "run" }
  static var rowMeaning: String {
    "Leaves that are contiguous in I/O virtual and in physical address, with the same access."
  }
  static var blank: Run? {
    Run(
      iova: IOVirtualAddress(0), length: 0, physical: PhysicalAddress(0), access: .read)
  }

  static func readAtOnce(from reader: JSONReader) -> Run? {
    var cursor = RunCursor(reader.bytes, at: reader.position)
    guard let run = cursor.run() else { return nil }
    reader.move(to: cursor.place)
    return run
  }

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == Run {
    fields.field("iova", \.iova, "I/O virtual address of the first byte.")
    fields.field("length", \.length, "Bytes.")
    fields.field("physical", \.physical, "Host physical address of the first byte.")
    fields.field("access", \.access, "What a device may do, over all levels of the path.")
  }

  @inline(__always)
  func writeMembers(to line: inout RowLine) {
    line.member("iova", iova)
    line.member("length", length)
    line.member("physical", physical)
    line.member("access", access)
  }
}

extension Access: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .read: "read."
    case .write: "write."
    case .readWrite: "read and write."
    }
  }
}

extension WalkSummary: DocumentRow {
  static var rowName: String { "walk" }
  static var rowMeaning: String { "How the table walk of one domain went." }
  static var blank: WalkSummary? { WalkSummary() }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == WalkSummary {
    fields.field("tables", \.tables, "Table pages read, each counted once.", .count)
    fields.field(
      "unreadable", \.unreadable,
      "Tables that could not be read; their part of the address space is unknown, not empty.",
      .count)
    fields.field(
      "assumedEmpty", \.assumedEmpty,
      "Tables that were a hole of an ELF dump and were taken for empty.", .count)
    fields.field("cycles", \.cycles, "Tables met again on their own path.", .count)
    fields.field("aliases", \.aliases, "Tables reached over more than one path.", .count)
    fields.field("reservedBits", \.reservedBits, "Present entries with a reserved bit set.", .count)
    fields.field(
      "bytesOutsideMemory", \.bytesOutsideMemory,
      "Mapped bytes whose target is not memory that the dump describes.")
    fields.field(
      "budgetExhausted", \.budgetExhausted,
      "Whether the walk was cut because its budget was spent; the mapping is then incomplete.")
  }
}

extension IOVASpace: DocumentRow {
  static var rowName: String { "iovaSpace" }
  static var rowMeaning: String { "The kernel's allocator of I/O virtual addresses." }
  static var blank: IOVASpace? { IOVASpace(allocated: [], unallocated: []) }

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == IOVASpace {
    fields.field(
      "allocated", \.allocated, "Every node of the allocator's tree but its anchor, by address.")
    fields.field(
      "unallocated", \.unallocated,
      "Mapped ranges that lie in no node, by address; null where some nodes could not be read.")
    fields.field(
      "uncertain", \.uncertain,
      "States that could not be told everywhere: any range may be in one, whatever its own says.",
      since: "0.1.0")
  }
}

extension IOVARange: FlatRow {
  static var rowName: String { "iovaRange" }
  static var rowMeaning: String { "A node of the allocator." }
  static var blank: IOVARange? {
    IOVARange(start: IOVirtualAddress(0), end: IOVirtualAddress(0), state: .live)
  }

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == IOVARange {
    fields.field("start", \.start, "First byte.")
    fields.field("end", \.end, "Last byte, inclusive.")
    fields.field("state", \.state, "What the kernel holds the range for; the first that applies.")
  }

  @inline(__always)
  func writeMembers(to line: inout RowLine) {
    line.member("start", start)
    line.member("end", end)
    line.member("state", state)
  }
}

extension IOVARange.State: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .live: "at least one leaf maps something inside."
    case .unmapped: "no leaf inside."
    case .cached: "freed into a per-CPU cache."
    case .pending: "unmapped and queued for a flush; the IOTLB may still hold it."
    case .flushed: "still queued, already invalidated."
    case .reserved: "a host-bridge window, the MSI window or a reserved region."
    }
  }
}

extension AddressRange: FlatRow {
  static var rowName: String { "addressRange" }
  static var rowMeaning: String { "A range of I/O virtual addresses." }
  static var blank: AddressRange? {
    AddressRange(start: IOVirtualAddress(0), end: IOVirtualAddress(0))
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == AddressRange {
    fields.field("start", \.start, "First byte.")
    fields.field("end", \.end, "Last byte, inclusive.")
  }

  @inline(__always)
  func writeMembers(to line: inout RowLine) {
    line.member("start", start)
    line.member("end", end)
  }
}
