// SPDX-License-Identifier: Apache-2.0

internal import History
internal import Memory

extension TraceEvent: DocumentRow {
  static var rowName: String { "event" }
  static var rowMeaning: String { "One event of the kernel's trace ring." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == TraceEvent {
    fields.field("time", \.time, "Of the trace clock, in nanoseconds.")
    fields.field("cpu", \.cpu, "The processor that recorded it.", .count)
    fields.field("process", \.process, "The process that was running.")
    fields.field("system", \.system, "iommu or intel_iommu.")
    fields.field("name", \.name, "map, unmap, qi_submit and so on.")
    fields.field(
      "text", \.text,
      "As the kernel prints it where the form is known, otherwise field=value pairs.")
  }
}

extension PastInvalidation: DocumentRow {
  static var rowName: String { "invalidation" }
  static var rowMeaning: String { "A descriptor that the invalidation queue still holds." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == PastInvalidation {
    fields.field("unit", \.unit, "Name of the unit.")
    fields.field("slot", \.slot, "Slot of the ring.", .count)
    fields.field("age", \.age, "1 for the newest descriptor.", .count)
    fields.field("type", \.type, "iotlb, wait and so on.")
    fields.field("raw", \.raw, "Its words, lowest first.")
    fields.field("fields", \.fields, "Fields that are not zero, from the lowest up.")
    fields.field(
      "status", \.status,
      "As the kernel keeps it: 0 free, 1 in use, 2 done, 3 aborted; null if unreadable.")
  }
}
