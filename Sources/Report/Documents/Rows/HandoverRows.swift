// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

extension Handover: DocumentRow {
  static var rowName: String { "handover" }
  static var rowMeaning: String { "What one kernel hands to the next in a live update." }
  static var blank: Handover? { Handover(stage: .incoming, address: PhysicalAddress(0)) }

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == Handover {
    fields.field("stage", \.stage, "Whether it came in or is to go out.")
    fields.field("compatible", \.compatible, "Name of its form; null if unreadable.")
    fields.field("version", \.version, "Version of the form, where the kernel has one.")
    fields.field("address", \.address, "Of the struct iommu_flb_ser.")
    fields.field("units", \.units, "Intel units, in the chain's order.")
    fields.field("domains", \.domains, "Domains, likewise.")
    fields.field("devices", \.devices, "Devices, likewise.")
  }
}

extension Handover.Stage: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .incoming: "this kernel came out of a live update and has not finished it."
    case .outgoing: "this kernel has prepared one."
    }
  }
}

extension Handover.Unit: DocumentRow {
  static var rowName: String { "handoverUnit" }
  static var rowMeaning: String { "A unit whose root is handed over." }
  static var blank: Handover.Unit? {
    Handover.Unit(
      address: PhysicalAddress(0), unit: nil, registerBase: PhysicalAddress(0),
      rootTable: PhysicalAddress(0), contextTables: [], presentTables: nil)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == Handover.Unit {
    fields.field("address", \.address, "Of the struct iommu_hw_ser.")
    fields.field("unit", \.unit, "Name of the unit; null where this kernel has none there.")
    fields.field("registerBase", \.registerBase, "Its registers' physical address.")
    fields.field("rootTable", \.rootTable, "The root table that is handed over.")
    fields.field(
      "contextTables", \.contextTables,
      "Context tables that are handed over, as 2 * bus + half of the root table.")
    fields.field(
      "presentTables", \.presentTables,
      "Those that the unit's root table has; null where it cannot be read.")
  }
}

extension Handover.Domain: DocumentRow {
  static var rowName: String { "handoverDomain" }
  static var rowMeaning: String { "A domain whose tables are handed over." }
  static var blank: Handover.Domain? {
    Handover.Domain(
      address: PhysicalAddress(0), table: PhysicalAddress(0), levels: 0, addressSize: 0,
      signExtended: false)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == Handover.Domain {
    fields.field("address", \.address, "Of the struct iommu_domain_ser.")
    fields.field("table", \.table, "Physical address of its top table.")
    fields.field("levels", \.levels, "Levels of the table.")
    fields.field("addressSize", \.addressSize, "Bits of its addresses.")
    fields.field("signExtended", \.signExtended, "Whether its addresses are sign-extended.")
  }
}

extension Handover.Device: DocumentRow {
  static var rowName: String { "handoverDevice" }
  static var rowMeaning: String { "A device that is preserved." }
  static var blank: Handover.Device? {
    Handover.Device(
      address: PhysicalAddress(0), device: .other(""), domainID: 0, domain: PhysicalAddress(0),
      unit: PhysicalAddress(0), pasidTable: nil, pasidBound: nil)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == Handover.Device {
    fields.field("address", \.address, "Of the struct iommu_device_ser.")
    fields.field("device", \.device, "Its name.")
    fields.field("domainID", \.domainID, "The id of its attachment.")
    fields.field("domain", \.domain, "Address of its domain's structure.")
    fields.field("unit", \.unit, "Address of its unit's structure.")
    fields.field("pasidTable", \.pasidTable, "Directory of its PASID table; null for none.")
    fields.field("pasidBound", \.pasidBound, "PASIDs that the table is for; null without one.")
  }
}
