// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

extension UnitRegisters: DocumentRow {
  static var rowName: String { "unitRegisters" }
  static var rowMeaning: String { "Registers of a unit, read beside the dump, which holds none." }
  static var blank: UnitRegisters? { UnitRegisters() }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitRegisters {
    fields.field("unit", \.unit, "Name of the unit; null where it is not known which one it is.")
    fields.field("registerBase", \.registerBase, "Physical address of its registers.")
    fields.field(
      "rootTable", \.rootTable, "Where the unit found its root table (RTADDR).", .page)
    fields.field(
      "tableMode", \.tableMode,
      "How it read the table; null where it was not read, and in abort-DMA mode.")
    fields.field("globalStatus", \.globalStatus, "The GSTS register.")
    fields.field("faultStatus", \.faultStatus, "The FSTS register.")
    fields.field(
      "interruptTable", \.interruptTable,
      "Where the unit found its interrupt-remapping table (IRTA).", .page)
    fields.field("interruptEntries", \.interruptEntries, "Entries of that table.")
    fields.field(
      "queue", \.queue, "The invalidation queue as the unit sees it; null where it was not read.")
    fields.field(
      "queueError", \.queueError, "The IQERCD register: why the queue stopped, if it did.")
    fields.field(
      "faultRecords", \.faultRecords, "Refused requests that were still in the unit.")
    fields.field("words", \.words, "Everything that was read, by offset.")
  }
}

extension UnitRegisters.Queue: DocumentRow {
  static var rowName: String { "registerQueue" }
  static var rowMeaning: String { "An invalidation queue as the registers tell it." }
  static var blank: UnitRegisters.Queue? {
    UnitRegisters.Queue(
      base: PhysicalAddress(0), entries: 0, descriptorSize: 16, head: 0, tail: 0)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitRegisters.Queue {
    fields.field("base", \.base, "Its physical address (IQA).", .page)
    fields.field("entries", \.entries, "Slots of the ring.")
    fields.field("descriptorSize", \.descriptorSize, "Bytes of a descriptor.", .numbers(16, 32))
    fields.field("head", \.head, "The slot that the unit fetches next (IQH).")
    fields.field("tail", \.tail, "The slot that software fills next (IQT).")
  }
}

extension UnitRegisters.Word: DocumentRow {
  static var rowName: String { "registerWord" }
  static var rowMeaning: String { "A register of 64 bits, or two of 32." }
  static var blank: UnitRegisters.Word? { UnitRegisters.Word(offset: 0, value: 0) }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitRegisters.Word {
    fields.field("offset", \.offset, "Bytes from the register base.")
    fields.field("value", \.value, "Its value.")
  }
}

extension UnitRegisters.FaultRecord: DocumentRow {
  static var rowName: String { "faultRecord" }
  static var rowMeaning: String { "A fault recording register whose F bit is set." }
  static var blank: UnitRegisters.FaultRecord? {
    UnitRegisters.FaultRecord(
      device: PCIFunction(bus: 0, devfn: 0), reason: 0, address: 0, isWrite: false)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == UnitRegisters.FaultRecord {
    fields.field("device", \.device, "The source id, in the unit's segment.")
    fields.field("reason", \.reason, "The reason code.")
    fields.field("address", \.address, "The page's address, or an interrupt's index above bit 47.")
    fields.field("isWrite", \.isWrite, "Whether it was a write.")
    fields.field("pasid", \.pasid, "PASID of the request; null without one.")
  }
}
