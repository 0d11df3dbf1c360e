// SPDX-License-Identifier: Apache-2.0

internal import Inheritance
internal import Memory

extension LiveUpdateForecast: DocumentRow {
  static var rowName: String { "liveUpdate" }
  static var rowMeaning: String { "What a live update keeps, clears and refuses." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == LiveUpdateForecast {
    fields.field(
      "isKnown", \.isKnown, "Whether the kernel's types know live updates of remapping units.")
    fields.field("chosenBy", \.chosenBy, "How the devices to preserve were chosen.")
    fields.field(
      "handover", \.handover,
      "Address of what the kernel has prepared to hand over; null where that did not decide.")
    fields.field("units", \.units, "What becomes of each unit's tables.")
    fields.field(
      "devices", \.devices,
      "What becomes of each device that a unit translates for, or that was asked for.")
  }
}

extension LiveUpdateForecast.Choice: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .byOwner: "devices that VFIO and iommufd have."
    case .byOption: "devices named on the command line."
    case .byHandover: "devices that the kernel of the dump has preserved for an update."
    }
  }
}

extension LiveUpdateForecast.Outcome: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .preserved: "its context and its domain are handed over."
    case .refused: "it was to be preserved and cannot be; its context is cleared."
    case .dropped: "nobody wants it preserved; its context is cleared."
    }
  }
}

extension LiveUpdateForecast.Unit: DocumentRow {
  static var rowName: String { "liveUpdateUnit" }
  static var rowMeaning: String { "What a live update does to one unit's tables." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == LiveUpdateForecast.Unit {
    fields.field("unit", \.unit, "Name of the unit.")
    fields.field(
      "isPreserved", \.isPreserved,
      "Whether its root is handed over; without a preserved device translation is switched off.")
    fields.field("contextTables", \.contextTables, "Context tables that stay in force.", .count)
    fields.field("clearedRoots", \.clearedRoots, "Root entries, or halves, that are zeroed.")
    fields.field("cleared", \.cleared, "Source ids whose context is zeroed.")
    fields.field(
      "withoutPageRequests", \.withoutPageRequests,
      "Source ids whose context loses its page-request bit.")
    fields.field(
      "unclaimed", \.unclaimed,
      "Source ids whose context stays although no device of the kernel stands for it.")
    fields.field(
      "domainIDs", \.domainIDs, "Domain-ids that the next kernel takes for preserved devices.")
  }
}

extension LiveUpdateForecast.Root: DocumentRow {
  static var rowName: String { "clearedRoot" }
  static var rowMeaning: String { "A root entry, or a half of one." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == LiveUpdateForecast.Root {
    fields.field("bus", \.bus, "The bus.", .range(0...255))
    fields.field(
      "half", \.half, "Half of the bus in extended and scalable mode; null in legacy mode.",
      .words(["lower": "devices 0 to 15.", "upper": "devices 16 to 31."]))
  }
}

extension LiveUpdateForecast.Device: DocumentRow {
  static var rowName: String { "liveUpdateDevice" }
  static var rowMeaning: String { "What a live update does to one device." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == LiveUpdateForecast.Device {
    fields.field("device", \.device, "Its name.")
    fields.field("unit", \.unit, "Name of its unit.")
    fields.field("outcome", \.outcome, "Whether it is preserved.")
    fields.field(
      "reasons", \.reasons,
      "Why it is refused, what stands between it and being preserved, and what it loses.")
    fields.field(
      "domainID", \.domainID, "The id that the next kernel takes for it; null unless preserved.")
    fields.field(
      "pasidTable", \.pasidTable,
      "Directory of its PASID table, which is handed over; null outside scalable mode.")
    fields.field("pasidBound", \.pasidBound, "PASIDs that the table has room for.", .count)
    fields.field(
      "lostPASIDs", \.lostPASIDs,
      "PASIDs whose entries stay in that table although nobody hands over their domain.")
    fields.field("aliases", \.aliases, "Other source ids that its requests may carry.")
    fields.field(
      "bytesReachable", \.bytesReachable,
      "Bytes that its translations reach; requests to them fault where it is not preserved.")
  }
}

extension LiveUpdateForecast.Alias: DocumentRow {
  static var rowName: String { "liveUpdateAlias" }
  static var rowMeaning: String { "Another source id that a device's requests may carry." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == LiveUpdateForecast.Alias {
    fields.field("device", \.device, "The source id.")
    fields.field("outcome", \.outcome, "What becomes of its context.")
    fields.field(
      "sharedWith", \.sharedWith,
      "Devices of the other kind, preserved or not, whose requests may carry it too.")
  }
}

extension LiveUpdateForecast.Alias.Outcome: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .kept: "it stays in place."
    case .cleared: "it is zeroed."
    case .absent: "it had none."
    }
  }
}
