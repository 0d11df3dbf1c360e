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
    fields.field(
      "iova", \.iovaWord, "First I/O virtual address of a map or unmap; null for other events.")
    fields.field("length", \.lengthWord, "Bytes of a map or unmap.")
    fields.field("physical", \.physicalWord, "Where a map led to.")
    fields.field(
      "devices", \.devices,
      "Devices that the event names, or whose tables still lead where the map says.")
  }
}

extension TraceEvent {
  fileprivate var iovaWord: HexWord? {
    get { iova.map { HexWord($0) } }
    set { iova = newValue?.rawValue }
  }
  fileprivate var lengthWord: HexWord? {
    get { length.map { HexWord($0) } }
    set { length = newValue?.rawValue }
  }
  fileprivate var physicalWord: HexWord? {
    get { physical.map { HexWord($0) } }
    set { physical = newValue?.rawValue }
  }
}

extension RingCoverage: DocumentRow {
  static var rowName: String { "ring" }
  static var rowMeaning: String { "What the kernel's trace ring covers." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == RingCoverage {
    fields.field(
      "isRecording", \.isRecording, "Whether it took events at the crash; null if not known.")
    fields.field(
      "enabled", \.enabled,
      "Events of the systems iommu and intel_iommu that were switched on; null if not known.")
    fields.field("clock", \.clock, "The trace clock's number in the kernel's list, 0 for local.")
    fields.field("first", \.first, "Time of the oldest event of any system, in nanoseconds.")
    fields.field("last", \.last, "Time of the newest one.")
    fields.field("panic", \.panic, "When the log says that the kernel panics, in nanoseconds.")
    fields.derived(
      "beforePanic", \.beforePanic,
      "Nanoseconds from the newest event to the panic; null where the clocks cannot be compared.")
    fields.field("others", \.others, "Events of other systems.", .count)
    fields.field("overruns", \.overruns, "Events that newer ones overwrote.")
    fields.field("dropped", \.dropped, "Events that were lost otherwise.")
  }
}

extension HistorySelection: DocumentRow {
  static var rowName: String { "selection" }
  static var rowMeaning: String { "Which of the past was asked for." }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == HistorySelection {
    fields.field("device", \.device, "Only what is about this device; null for all.")
    fields.field("last", \.last, "Only events of the last nanoseconds; null for all.")
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
    fields.field("devices", \.devices, "Devices of its source id or domain-id.")
  }
}
