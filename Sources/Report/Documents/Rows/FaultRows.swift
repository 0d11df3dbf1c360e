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
      "unitMessages", \.unitMessages, "Other messages about units in it, each counted.", .count)
    fields.field(
      "suppressed", \.suppressed, "Fault messages that the kernel says it left out.", .count)
    fields.field("problem", \.problem, "Why the log, or a part of it, could not be read.")
  }
}

extension FaultsDocument.Given: DocumentRow {
  static var rowName: String { "given" }
  static var rowMeaning: String { "The lines that were given." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FaultsDocument.Given {
    fields.field("lines", \.lines, "Lines that are not blank.", .count)
    fields.field("faults", \.faults, "Faults in them, each counted.", .count)
    fields.field("unitMessages", \.unitMessages, "Other messages about units in them.", .count)
    fields.field(
      "suppressed", \.suppressed, "Fault messages that the kernel says it left out.", .count)
    fields.field(
      "reasonsAlone", \.reasonsAlone, "Reasons of faults whose own line is missing.", .count)
    fields.field("others", \.others, "Lines that tell nothing about a unit.", .count)
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
    fields.field("severity", \.severity, "How bad it is, for --fail-on.")
    fields.field("device", \.device, "The source id, as the line names it.")
    fields.field("pasid", \.pasid, "The PASID; null for a request without one.")
    fields.field("iova", \.iova, "The address of a DMA fault; the first of several pages.")
    fields.field(
      "lastIOVA", \.lastIOVA, "The last page of a DMA fault, which is that of iova where it is one."
    )
    fields.field(
      "pages", \.pages, "Pages between the two that faulted; 0 for interrupts.", .count)
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
      "isKnownDevice", \.isKnownDevice,
      "Whether the kernel knows a device of this source id; null where none were read.")
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
    fields.field(
      "window", \.window,
      "The device registers, or a host bridge's window, that the number is as a physical address.")
    fields.field(
      "crashKernel", \.crashKernel,
      "What a crash kernel would have seen; null where it was not asked.")
    fields.field(
      "isInLogOfDump", \.isInLogOfDump, "Whether the dump's own log holds such a fault.")
    fields.field("diagnosis", \.diagnosis, "What it comes to, most likely first.")
    fields.field(
      "excluded", \.excluded, "Where no rule fits: what was looked at and is not the cause.")
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
    fields.field("evidence", \.evidence, "What it rests on.")
    fields.field("confirm", \.confirm, "What would confirm it; null where nothing needs to.")
  }
}

extension FaultExplanation.Window: DocumentRow {
  static var rowName: String { "window" }
  static var rowMeaning: String { "A range of physical addresses that is no memory." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FaultExplanation.Window {
    fields.field("name", \.name, "As the kernel names it.")
    fields.field(
      "isOfPlatform", \.isOfPlatform, "Whether it is neither a BAR nor a bridge's window.")
    fields.field("device", \.device, "The device whose registers they are.")
    fields.field("start", \.start, "Its first byte.")
    fields.field("end", \.end, "Its last byte, inclusive.")
  }
}

extension FaultExplanation.CrashKernelOutlook: DocumentRow {
  static var rowName: String { "crashKernelOutlook" }
  static var rowMeaning: String { "What a crash kernel would have seen of a device's requests." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FaultExplanation.CrashKernelOutlook {
    fields.field("policy", \.policy, "The road that it takes, a policy of inherit.")
    fields.field("moments", \.moments, "From its start on.")
    fields.field("fits", \.fits, "Whether the fault's reason is foretold for one of them.")
  }
}

extension FaultExplanation.CrashKernelOutlook.Moment: DocumentRow {
  static var rowName: String { "crashKernelMoment" }
  static var rowMeaning: String { "A moment of a crash kernel's start-up." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == FaultExplanation.CrashKernelOutlook.Moment {
    fields.field("name", \.name, "T1 to T4, as inherit has them.")
    fields.field("fate", \.fate, "What becomes of requests then.")
    fields.field("reason", \.reason, "What the unit reports where they are blocked.")
  }
}

extension FaultExplanation.Rule: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .otherHypervisor:
      "Xen wrote the line: the tables that refused it are not in a dump of Linux."
    case .unreachable: "the unit read as all ones: what it reported is no fault of a device."
    case .otherMachine: "the line is of another machine than the dump."
    case .noUnit: "no remapping unit of the dump serves the device."
    case .crashKernel: "the crash kernel's start-up explains it: requests from before the panic."
    case .beyondWidth: "the address has more bits than the unit, or the table, translates."
    case .interruptWindow: "the address lies where writes are interrupts, not memory."
    case .pasid: "the request came with a PASID that has no entry, or came without one."
    case .noContext: "the unit found no root or context entry for the source id."
    case .badEntry: "an entry on the way is corrupt or out of reach."
    case .reservedRegion: "the address lies in a region that firmware reserved for a device."
    case .noPermission: "the page is mapped without the right that was asked for."
    case .staleTLB: "the address waits in a flush queue: the IOTLB held it for some requests."
    case .unmappedInUse: "the driver gave the address back before the device stopped."
    case .overrun: "the address lies just behind or in front of a live buffer."
    case .revoked: "the allocator says in use, and the entry was cleared under running transfers."
    case .nullPointer: "the address is 0 or little more, and nothing is mapped there."
    case .peerToPeer: "as a physical address the number is another device's registers."
    case .truncated: "a live address whose upper bits got lost: the DMA mask is too wide."
    case .noDriver: "no driver is bound to the device."
    case .physicalAddress: "the number is the physical address of a page mapped elsewhere."
    case .unmanaged: "the domain is VFIO's or another owner's, whose addresses are its own choice."
    case .notInAllocator: "the allocator does not know the address, and no other rule tells more."
    case .mappedNow: "the tables let the request through now."
    case .interrupt: "an interrupt request was refused."
    case .unknown: "no rule fits, or the dump does not hold what would tell."
    }
  }
}
