// SPDX-License-Identifier: Apache-2.0

internal import History
internal import Memory

extension QueueAccount: DocumentRow {
  static var rowName: String { "queue" }
  static var rowMeaning: String {
    "Where an invalidation queue stands, as the unit's registers and the kernel tell it."
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == QueueAccount {
    fields.field("unit", \.unit, "Name of the unit.")
    fields.field("base", \.base, "Physical address of the ring; null if unknown.")
    fields.field("entries", \.entries, "Slots of the ring.", .count)
    fields.field(
      "kernelNext", \.kernelNext, "The slot that the kernel fills next (free_head).", .count)
    fields.field(
      "kernelOldest", \.kernelOldest,
      "The oldest slot that the kernel has not taken back (free_tail).", .count)
    fields.field(
      "kernelFree", \.kernelFree,
      "Slots that the kernel counts as free (free_cnt); null if unreadable.")
    fields.field(
      "unitHead", \.head,
      "The slot that the unit fetches next (IQH); null where --registers tells nothing of this queue."
    )
    fields.field(
      "unitTail", \.tail, "The slot behind the last one that the unit was told of (IQT); or null.")
    fields.derived(
      "unfetched", \.unfetched,
      "Slots that the unit was told of and has not fetched; null where no registers tell.")
    fields.derived(
      "remarks", \.sentences, "What the unit and the kernel disagree on, and what they leave open.")
  }

  var sentences: [String] { remarks.map(sentence) }

  private func sentence(_ remark: Remark) -> String {
    func slots(_ count: Int, _ first: Int) -> String {
      count == 1 ? "slot \(first)" : "\(count) slots from \(first) on"
    }
    return switch remark {
    case .otherQueue(let base):
      "the registers are of a queue at \(base), and this kernel's is elsewhere: they were read when "
        + "another kernel had the unit, such as the crash kernel, and tell nothing of this one"
    case .otherShape(let count, let size):
      "the registers are of a queue with \(count) slots of \(size) bytes; where the unit stands in the "
        + "kernel's queue of \(entries) cannot be told"
    case .off: "queued invalidation was off in the unit when its registers were read"
    case .outside(let head, let tail):
      "the registers name slots \(head) (IQH) and \(tail) (IQT), and the ring has \(entries)"
    case .otherNext(let tail, let next):
      "the unit was told of slots up to before \(tail) (IQT), and the kernel fills slot \(next) next: "
        + "the registers were read at another moment, or the kernel stopped before it told the unit"
    case .doneUnfetched(let count, let first):
      "the kernel does not wait for \(slots(count, first)), which the unit has not fetched: the IOTLB "
        + "may hold what the kernel takes for invalidated"
    case .unanswered(let count, let first):
      "the kernel waits for \(slots(count, first)), which the unit has fetched: it works on them, or a "
        + "device does not answer"
    case .freeCount(let counted, let left):
      "the kernel counts \(counted) free slots, and its own head and tail leave \(left)"
    }
  }
}

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
    fields.field(
      "pending", \.isPending,
      "Whether the kernel waits for it: submitted, and not known to be done by itself or a later wait."
    )
    fields.field(
      "fetched", \.isFetched,
      "Whether the unit has fetched it, by its head register; null where no registers tell.")
    fields.field("devices", \.devices, "Devices of its source id or domain-id.")
  }
}
