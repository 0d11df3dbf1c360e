// SPDX-License-Identifier: Apache-2.0

internal import Inheritance
internal import Memory

extension DeviceForecast: LongRow {
  static var rowName: String { "device" }
  static var rowMeaning: String { "What becomes of one device's old transfers." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DeviceForecast {
    fields.field("device", \.device, "Its name.")
    fields.field("at", \.at, "What its old transfers meet at each moment.")
    fields.field("faultReason", \.faultReason, "The fault that they cause at each moment.")
    fields.field("exposure", \.exposure, "What it could write into.")
    fields.field("verdict", \.verdict, "What that comes to.")
    fields.field("reason", \.reason, "Why.")
    fields.field("unit", \.unit, "Name of its unit.")
    fields.field("driver", \.driver, "The crashed kernel's driver.")
    fields.field("attaches", \.attaches, "Whether a driver attaches it in the crash kernel.")
    fields.field(
      "inFlight", \.inFlight, "Whether its old tables map something beyond fixed regions.")
    fields.field(
      "firmwareRegions", \.firmwareRegions, "What becomes of its firmware regions; null for none.",
      .words([
        "kept": "they stay mapped.", "rebuilt": "they are mapped again when a driver attaches.",
        "lost": "they are not mapped any more.",
      ]))
    fields.field(
      "iova", \.iova,
      "Addresses left for its driver; null where the crash kernel makes no allocator for it.")
    fields.field(
      "pasids", \.pasids, "Its requests with a PASID, whose fates are their own; by PASID.",
      since: "0.1.0")
  }
}

extension PASIDForecast: DocumentRow {
  static var rowName: String { "pasidForecast" }
  static var rowMeaning: String { "What becomes of a device's requests with one PASID." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == PASIDForecast {
    fields.field("pasid", \.pasid, "The PASID.")
    fields.field("at", \.at, "What its old transfers meet at each moment.")
    fields.field("faultReason", \.faultReason, "The fault that they cause at each moment.")
    fields.field("bytes", \.bytes, "Bytes that its translations reached at the panic.")
  }
}

extension DeviceForecast.Fates: DocumentRow {
  static var rowName: String { "fates" }
  static var rowMeaning: String { "What old transfers meet at each moment." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DeviceForecast.Fates {
    fields.field("T1", \.t1, "At the driver's start-up.")
    fields.field("T2", \.t2, "Once the new root pointer is in force.")
    fields.field("T3", \.t3, "Once a driver has attached the device; else what would be then.")
    fields.field("T4", \.t4, "While the dump is saved.")
  }
}

extension DeviceForecast.Reasons: DocumentRow {
  static var rowName: String { "faultReasons" }
  static var rowMeaning: String {
    "VT-d fault reason of a transfer that is blocked then; null if none is, or none is recorded."
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DeviceForecast.Reasons {
    fields.field("T1", \.t1, "At the driver's start-up.", .range(0...255))
    fields.field("T2", \.t2, "Once the new root pointer is in force.", .range(0...255))
    fields.field(
      "T3", \.t3, "Once a driver has attached the device; else what would be then.",
      .range(0...255))
    fields.field("T4", \.t4, "While the dump is saved.", .range(0...255))
  }
}

extension Exposure: DocumentRow {
  static var rowName: String { "exposure" }
  static var rowMeaning: String { "Bytes that the device could write into." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == Exposure {
    fields.field(
      "moment", \.moment, "The first moment at which it is worst; null where nothing is exposed.",
      .words(["T1": "", "T2": "", "T3": "", "T4": ""]))
    fields.field("crashReservation", \.crashReservation, "Of the crash kernel's main reservation.")
    fields.field("crashLowReservation", \.crashLowReservation, "Of its reservation below 4 GiB.")
    fields.field("crashCMA", \.crashCMA, "Of its movable pages.")
    fields.field("kernelText", \.kernelText, "Of the crashed kernel's text.")
    fields.field("tables", \.tables, "Of page and remapping tables.")
    fields.field("lowMemory", \.lowMemory, "Of memory below 1 MiB.")
    fields.field("otherMemory", \.otherMemory, "Of all other memory.")
    fields.field(
      "outsideMemory", \.outsideMemory,
      "Of what is no memory that the dump describes: device registers, firmware, nothing.")
  }
}

extension IOVAOutlook: DocumentRow {
  static var rowName: String { "iovaOutlook" }
  static var rowMeaning: String {
    "The I/O virtual addresses that the crash kernel can give to a device's driver."
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == IOVAOutlook {
    fields.field("left", \.left, "Bytes that are free.")
    fields.field("largestBelow4GiB", \.largestBelow4GiB, "The largest free range below 4 GiB.")
    fields.field("largest", \.largest, "The largest free range.")
    fields.field(
      "firstHandedOut", \.firstHandedOut,
      "The addresses that are handed out first, downwards from 4 GiB.")
    fields.field(
      "stillLive", \.stillLive, "Bytes of these that old transfers can still be aimed at.")
  }
}

extension ChangedPages: DocumentRow {
  static var rowName: String { "changedPages" }
  static var rowMeaning: String { "Whole pages that devices may write." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == ChangedPages {
    fields.field("pages", \.pages, "How many.")
    fields.field("ranges", \.ranges, "Physical, ascending.")
    fields.field("anywhere", \.anywhere, "Devices that may write to any page.")
  }
}

extension Recommendation: DocumentRow {
  static var rowName: String { "recommendation" }
  static var rowMeaning: String { "Which policy to follow." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == Recommendation {
    fields.field("policy", \.policy, "The one under which least can go wrong.")
    fields.field("available", \.available, "The best of those that released kernels can follow.")
    fields.field("reasons", \.reasons, "Why.")
    fields.field(
      "notWeighed", \.notWeighed,
      "Policies left out, because no type of this kernel says that it can follow them.",
      since: "0.1.0")
  }
}
