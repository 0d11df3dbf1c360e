// SPDX-License-Identifier: Apache-2.0

internal import Faults
internal import Memory
internal import RemappingState
internal import Translation

extension FaultsDocument.Log: DocumentRow {
  static var rowName: String { "log" }
  static var rowMeaning: String { "The kernel log that was read." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FaultsDocument.Log {
    fields.field("messages", \.messages, "Messages in it.", .count)
    fields.field("faults", \.faults, "Faults in it, each counted.", .count)
    fields.field(
      "suppressed", \.suppressed, "Fault messages that the kernel says it left out.", .count)
    fields.field("problem", \.problem, "Why the log, or a part of it, could not be read.")
  }
}

extension FaultExplanation: DocumentRow {
  static var rowName: String { "explanation" }
  static var rowMeaning: String {
    "One fault, or several alike, held against everything the dump knows."
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FaultExplanation {
    fields.field("text", \.text, "The line as it stands in the log.")
    fields.field("kind", \.kind, "What kind of request faulted.")
    fields.field("device", \.device, "The source id, as the line names it.")
    fields.field("pasid", \.pasid, "The PASID; null for a request without one.")
    fields.field("iova", \.iova, "The address of a DMA fault.")
    fields.field(
      "index", \.index, "Of an interrupt fault: index into the interrupt-remapping table.")
    fields.field("reason", \.reason, "The reason, as the line has it.")
    fields.field("count", \.count, "How many alike were met.", .count)
    fields.field("first", \.first, "When the first was logged, in seconds since boot.")
    fields.field("last", \.last, "When the last was.")
    fields.field("rate", \.rate, "Faults per second, one decimal.")
    fields.field("unit", \.unit, "Name of the unit.")
    fields.field("driver", \.driver, "Name of the device's driver.")
    fields.field("group", \.group, "Number of its IOMMU group.")
    fields.field(
      "aliasOf", \.aliasOf,
      "Devices that send requests under this source id, if it is no device's own.")
    fields.field("domain", \.domain, "The domain that the way leads to.")
    fields.field(
      "translation", \.translation,
      "The way of the address as the tables are in the dump; null for interrupts.")
    fields.field("interrupt", \.interrupt, "The interrupt-remapping entry; null for DMA.")
    fields.field(
      "stillFaults", \.stillFaults,
      "Whether the tables in the dump would still give this reason; null if that cannot be told.")
    fields.field("nearestBelow", \.nearestBelow, "The nearest mapped run below the address.")
    fields.field("nearestAbove", \.nearestAbove, "The nearest mapped run above it.")
    fields.field(
      "allocator", \.allocator,
      "What the allocator of addresses says; null where the domain has none.")
    fields.field(
      "reservedRegion", \.reservedRegion, "The reserved region that holds the address.")
    fields.field("diagnosis", \.diagnosis, "What it comes to, most likely first.")
  }
}

extension FaultLine.Kind: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .read: "a device reads memory."
    case .write: "a device writes memory."
    case .interrupt: "a device sends an interrupt."
    }
  }
}

extension FaultExplanation.FaultDomain: DocumentRow {
  static var rowName: String { "faultDomain" }
  static var rowMeaning: String { "The domain that the way leads to." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FaultExplanation.FaultDomain {
    fields.field("domainID", \.domainID, "Its id on the unit.")
    fields.field("type", \.type, "The kernel's type of the domain.")
    fields.field("table", \.table, "Physical address of its top table.")
    fields.field("kernelObject", \.kernelObject, "Address of the kernel's domain.")
  }
}

extension FaultExplanation.FaultAllocator: DocumentRow {
  static var rowName: String { "faultAllocator" }
  static var rowMeaning: String { "What the allocator says about one address." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FaultExplanation.FaultAllocator {
    fields.field("state", \.state, "free, or the state of the node that holds the address.")
    fields.field("start", \.start, "First byte of the node; null if free.")
    fields.field("end", \.end, "Its last byte, inclusive.")
  }
}

extension FaultExplanation.Diagnosis: DocumentRow {
  static var rowName: String { "diagnosis" }
  static var rowMeaning: String { "A rule that fits a fault." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FaultExplanation.Diagnosis {
    fields.field("rule", \.rule, "Stable id of the rule; iommuscope-faults(1) has them.")
    fields.field("message", \.message, "The sentence for a person.")
  }
}

extension FaultExplanation.Rule: DocumentChoice {
  var meaning: StaticString { "" }
}
