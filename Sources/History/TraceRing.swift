// SPDX-License-Identifier: Apache-2.0

public import KernelImage
internal import KernelTypes
internal import Memory

/// Reads the remapping events that the kernel's trace ring still holds.
///
/// The ring of the top trace instance has one list of pages per CPU. Each page starts with its time
/// and holds events with time differences; records start with the number of their event, whose
/// fields the kernel describes itself.
///
/// Source: kernel/trace/ring_buffer.c, kernel/trace/trace_events.c.
public struct TraceRing {
  /// By time.
  public private(set) var events: [TraceEvent] = []
  /// What could not be read.
  public private(set) var problems: [String] = []
  /// What the ring covers; `nil` where it could not be found.
  public private(set) var coverage: RingCoverage?

  /// The symbols that the ring is found by.
  public static let symbols: Set<String> = ["global_trace", "ftrace_events"]

  private let image: KernelImage
  private var formats: [UInt16: Format] = [:]
  /// The kernel's descriptions of these kinds of events, by their address.
  private var calls: [UInt64: String] = [:]

  /// A kind of event, as the kernel describes it.
  private struct Format {
    var system: String
    var name: String
    var fields: [Field]
  }

  private struct Field {
    var name: String
    var type: String
    var offset: Int
    var size: Int
    var isSigned: Bool
  }

  /// - Parameter systems: whose events are kept.
  public init(
    reading image: KernelImage, systems: Set<String> = ["iommu", "intel_iommu"]
  ) {
    self.image = image
    do throws(KernelError) {
      try readFormats(systems)
      let top = try image.object("trace_array", at: try image.requiredSymbol("global_trace"))
      let path =
        try top.has("array_buffer.buffer") ? "array_buffer.buffer" : "trace_buffer.buffer"
      // A `struct trace_buffer` of Linux v3.10 to v5.5 is what holds the ring, which was called
      // `struct ring_buffer` then; the ring is the one with buffers.
      let name = try image.has("trace_buffer", "buffers") ? "trace_buffer" : "ring_buffer"
      guard let ring = try top.target(path, as: name) else { return }
      readCoverage(top, ring)
      let cpus = try image.possibleCPUs()
      let table = try ring.pointer("buffers")
      for cpu in cpus {
        let pointer: UInt64 = try image.reader.littleEndian(
          at: KernelAddress(table.rawValue &+ UInt64(cpu) &* 8))
        guard pointer != 0 else { continue }
        do throws(KernelError) {
          try readCPU(try image.object("ring_buffer_per_cpu", at: KernelAddress(pointer)), cpu)
        } catch {
          problems.append("trace ring of CPU \(cpu): \(error)")
        }
      }
    } catch {
      problems.append("trace ring: \(error)")
    }
    events.sort { ($0.time, $0.cpu) < ($1.time, $1.cpu) }
  }

  // MARK: The kinds of events

  private mutating func readFormats(_ systems: Set<String>) throws(KernelError) {
    // The structures of events were named after ftrace up to Linux v4.1.
    let isOld = try image.structure("trace_event_call") == nil
    let walk = image.list(
      at: try image.requiredSymbol("ftrace_events"),
      of: isOld ? "ftrace_event_call" : "trace_event_call", linkedBy: "list", limit: 65536)
    if let problem = walk.problem { problems.append("trace events: \(problem)") }
    for call in walk.elements {
      // One unreadable event must not cost the others.
      guard let found = try? format(call, systems) else { continue }
      formats[found.0] = found.1
      calls[call.address.rawValue] = found.1.name
    }
  }

  private func format(
    _ call: KernelObject, _ systems: Set<String>
  ) throws(KernelError) -> (UInt16, Format)? {
    let isOld = call.layout.name == "ftrace_event_call"
    guard
      let kind = try call.target("class", as: isOld ? "ftrace_event_class" : "trace_event_class"),
      let system = try kind.string("system"), systems.contains(system),
      let type = UInt16(exactly: try call.unsigned("event.type"))
    else { return nil }
    // A tracepoint's event is named by the tracepoint.
    let flag = try image.enumerator("TRACE_EVENT_FL_TRACEPOINT") ?? 0
    let flags = try call.signed("flags")
    let isTracepoint = try call.has("tp") && (flag == 0 || flags & flag != 0)
    let name =
      isTracepoint
      ? try call.target("tp", as: "tracepoint")?.string("name") : try call.string("name")
    let fields = image.list(
      at: try kind.address(of: "fields"), of: "ftrace_event_field", linkedBy: "link", limit: 256)
    var format = Format(system: system, name: name ?? "event \(type)", fields: [])
    for field in fields.elements {
      format.fields.append(
        Field(
          name: try field.string("name") ?? "", type: try field.string("type") ?? "",
          offset: Int(truncatingIfNeeded: try field.signed("offset")),
          size: Int(truncatingIfNeeded: try field.signed("size")),
          isSigned: try field.unsigned("is_signed") != 0))
    }
    // The list is in reverse order of declaration.
    format.fields.sort { $0.offset < $1.offset }
    return (type, format)
  }

  // MARK: What the ring covers

  /// Whether the ring and its events were switched on, and by which clock it counts.
  ///
  /// Source: kernel/trace/trace.h, `struct trace_array`; include/linux/trace_events.h,
  /// `EVENT_FILE_FL_ENABLED`.
  private mutating func readCoverage(_ top: KernelObject, _ ring: KernelObject) {
    var coverage = RingCoverage()
    if let disabled = try? ring.unsigned("record_disabled.counter") {
      let stopped = (try? top.signed("buffer_disabled")) ?? 0
      coverage.isRecording = disabled == 0 && stopped == 0
    }
    coverage.clock = (try? top.signed("clock_id")).map { Int(truncatingIfNeeded: $0) }
    // Named after ftrace up to Linux v4.1, as the events themselves.
    let name = ["trace_event_file", "ftrace_event_file"].first {
      (try? image.structure($0)) != nil
    }
    if let name, let head = try? top.address(of: "events") {
      let files = image.list(at: head, of: name, linkedBy: "list", limit: 65536)
      var enabled: [String] = []
      for file in files.elements {
        guard let call = try? file.pointer("event_call"), let name = calls[call.rawValue],
          let flags = try? file.unsigned("flags")
        else { continue }
        if flags & 1 != 0 { enabled.append(name) }
      }
      coverage.enabled = files.problem == nil ? enabled.sorted() : nil
    }
    try? image.newestMessages { message in
      guard message.text.hasPrefix("Kernel panic - not syncing: ") else { return true }
      coverage.panic = message.time
      return false
    }
    self.coverage = coverage
  }

  private mutating func countLosses(_ buffer: KernelObject) {
    func add(_ path: String, _ sum: inout UInt64) {
      guard let count = try? buffer.unsigned(path) else { return }
      let (total, overflow) = sum.addingReportingOverflow(count)
      sum = overflow ? .max : total
    }
    var overruns = coverage?.overruns ?? 0
    var dropped = coverage?.dropped ?? 0
    add("overrun.a.counter", &overruns)
    add("commit_overrun.a.counter", &dropped)
    add("dropped_events.a.counter", &dropped)
    coverage?.overruns = overruns
    coverage?.dropped = dropped
  }

  // MARK: Pages

  private mutating func readCPU(_ buffer: KernelObject, _ cpu: Int) throws(KernelError) {
    countLosses(buffer)
    guard let reader = try buffer.target("reader_page", as: "buffer_page"),
      let commit = try buffer.target("commit_page", as: "buffer_page")
    else { return }
    try readPage(reader, from: try reader.count("read", limit: 1 << 20), cpu)
    guard reader.address != commit.address else { return }
    var link = try headPage(of: buffer)
    var seen: Set<KernelAddress> = []
    // A page is met once on the way to the one that is written now.
    while seen.insert(link).inserted {
      let page = try image.container("buffer_page", of: "list", at: link)
      try readPage(page, from: 0, cpu)
      if page.address == commit.address { return }
      let next: UInt64 = try image.reader.littleEndian(at: link)
      link = KernelAddress(next & ~3)
    }
    throw KernelError(at: link, .malformed("trace ring does not close"))
  }

  /// The oldest page of the ring: the one whose predecessor's pointer carries the head's mark.
  private func headPage(of buffer: KernelObject) throws(KernelError) -> KernelAddress {
    let start = try buffer.pointer("pages")
    var link = start
    var seen: Set<KernelAddress> = []
    while seen.insert(link).inserted {
      try image.spend(at: link)
      let next: UInt64 = try image.reader.littleEndian(at: link)
      if next & 3 != 0 { return KernelAddress(next & ~3) }
      link = KernelAddress(next)
    }
    // No mark while a writer moves it; the pointer is the next best.
    guard let page = try buffer.target("head_page", as: "buffer_page") else {
      throw KernelError(at: start, .malformed("trace ring has no head"))
    }
    return try page.address(of: "list")
  }

  private mutating func readPage(
    _ page: KernelObject, from start: Int, _ cpu: Int
  ) throws(KernelError) {
    try image.spend(at: page.address)
    guard let data = try page.target("page", as: "buffer_data_page") else { return }
    let committed = Int(try data.unsigned("commit") & 0xf_ffff)
    let place = try data.address(of: "data")
    guard committed > 0, committed <= 1 << 17 else { return }
    // An event has at least 8 bytes; eight of them cost about as much as an object.
    try image.spend(committed / 64, at: place)
    let bytes = try image.reader.bytes(at: place, count: committed)
    var time = try data.unsigned("time_stamp")
    var offset = 0
    while offset + 4 <= committed, let header: UInt32 = try? bytes.littleEndian(at: offset) {
      let kind = header & 0x1f
      var delta = UInt64(header >> 5)
      let word: UInt32? = try? bytes.littleEndian(at: offset + 4)
      var length = 0
      switch kind {
      case 29:
        // A discarded event keeps its length; without a time it fills the page.
        guard delta != 0, let word else { return }
        time = time &+ delta
        length = 4 + Int(word)
      case 30:
        guard let word else { return }
        delta |= UInt64(word) << 27
        time = time &+ delta
        length = 8
      case 31:
        guard let word else { return }
        // The upper five bits do not fit and stay.
        time = time & ~0x07ff_ffff_ffff_ffff | UInt64(word) << 27 | delta
        length = 8
      case 0:
        guard let word, word >= 4 else { return }
        time = time &+ delta
        length = 4 + Int(word)
        if offset >= start { try take(bytes, offset + 8, Int(word) - 4, time, cpu) }
      default:
        time = time &+ delta
        length = 4 + Int(kind) * 4
        if offset >= start { try take(bytes, offset + 4, Int(kind) * 4, time, cpu) }
      }
      offset += (length + 3) & ~3
    }
  }

  // MARK: Events

  private mutating func take(
    _ bytes: [UInt8], _ offset: Int, _ length: Int, _ time: UInt64, _ cpu: Int
  ) throws(KernelError) {
    guard length >= 8, offset + length <= bytes.count else { return }
    let record = Array(bytes[offset..<offset + length])
    guard let type: UInt16 = try? record.littleEndian(at: 0),
      let process: Int32 = try? record.littleEndian(at: 4)
    else { return }
    var covered = coverage ?? RingCoverage()
    covered.first = min(covered.first ?? time, time)
    covered.last = max(covered.last ?? time, time)
    let format = formats[type]
    if format == nil { covered.others += 1 }
    coverage = covered
    guard let format else { return }
    // An event takes about as much memory as eight runs.
    guard image.work.spend(.runs, 8) else {
      image.work.cut(.runs, "the keeping of trace events of CPU \(cpu)")
      throw KernelError(.budget)
    }
    var event = TraceEvent(
      time: time, cpu: cpu, process: process, system: format.system, name: format.name,
      text: Self.text(format, record))
    func number(_ name: String) -> UInt64? {
      format.fields.first { $0.name == name }.flatMap { Self.value($0, record) }
    }
    func string(_ name: String) -> String? {
      format.fields.first { $0.name == name }.flatMap { Self.text($0, record) }
    }
    if format.name == "map" || format.name == "unmap" {
      event.iova = number("iova")
      event.length = number("size")
      event.physical = number("paddr")
    }
    if format.name == "qi_submit" {
      event.unit = string("iommu")
      event.words = (0..<4).compactMap { number("qw\($0)") }
    }
    if let device = string("device") ?? string("dev"), !device.isEmpty {
      event.devices = [DeviceName(device)]
    }
    events.append(event)
  }

  private static func text(_ format: Format, _ record: [UInt8]) -> String {
    func number(_ name: String) -> UInt64? {
      format.fields.first { $0.name == name }.flatMap { value($0, record) }
    }
    func string(_ name: String) -> String? {
      format.fields.first { $0.name == name }.flatMap { text($0, record) }
    }
    switch format.name {
    case "map":
      if let iova = number("iova"), let physical = number("paddr"), let size = number("size") {
        return "IOMMU: iova=\(hex(iova)) - \(hex(iova &+ size)) paddr=\(hex(physical)) size=\(size)"
      }
    case "unmap":
      if let iova = number("iova"), let size = number("size"), let done = number("unmapped_size") {
        return "IOMMU: iova=\(hex(iova)) - \(hex(iova &+ size)) size=\(size) unmapped_size=\(done)"
      }
    case "attach_device_to_domain", "detach_device_from_domain":
      if let device = string("device") { return "IOMMU: device=\(device)" }
    case "add_device_to_group", "remove_device_from_group":
      if let group = number("gid"), let device = string("device") {
        return "IOMMU: groupID=\(group) device=\(device)"
      }
    case "qi_submit":
      let words = (0..<4).compactMap { number("qw\($0)") }
      if words.count == 4, let unit = string("iommu") {
        return "\(descriptor(words[0])) \(unit): "
          + words.map(\.hexadecimal).joined(separator: " ")
      }
    case "cache_tag_flush_range":
      let words = ["pasid", "type", "domain_id", "start", "end", "addr", "mask"].compactMap(number)
      if words.count == 7, let unit = string("iommu"), let device = string("dev") {
        let kinds = ["iotlb", "devtlb", "nesting_iotlb", "nesting_devtlb"]
        let kind = words[1] < 4 ? kinds[Int(words[1])] : words[1].hexadecimal
        return "\(unit) \(device)[\(words[0])] type \(kind) did \(words[2]) "
          + "[\(words[3].hexadecimal)-\(words[4].hexadecimal)] addr \(words[5].hexadecimal) "
          + "mask \(words[6].hexadecimal)"
      }
    default: break
    }
    return format.fields.map { field in
      if field.type.contains("__data_loc") || field.type.contains("char[") {
        return "\(field.name)=\(text(field, record) ?? "?")"
      }
      return "\(field.name)=\(value(field, record)?.hexadecimal ?? "?")"
    }.joined(separator: " ")
  }

  /// The kernel's word for a descriptor, by its low type bits.
  private static func descriptor(_ word: UInt64) -> String {
    let names = [
      1: "cc_inv", 2: "iotlb_inv", 3: "dev_tlb_inv", 4: "iec_inv", 5: "inv_wait",
      6: "p_iotlb_inv", 7: "pc_inv", 8: "p_dev_tlb_inv", 9: "page_grp_resp",
    ]
    let type = Int(word & 0xf)
    return names[type] ?? UInt64(type).hexadecimal
  }

  private static func hex(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: 16 - digits.count) + digits
  }

  private static func value(_ field: Field, _ record: [UInt8]) -> UInt64? {
    guard field.offset >= 0, (1...8).contains(field.size),
      field.offset <= record.count - field.size
    else { return nil }
    var value: UInt64 = 0
    for index in (0..<field.size).reversed() {
      value = value << 8 | UInt64(record[field.offset + index])
    }
    return value
  }

  /// Text of a `__data_loc` field: offset in the low half of a word, length in the upper one.
  private static func text(_ field: Field, _ record: [UInt8]) -> String? {
    var start = field.offset
    var length = field.size
    if field.type.contains("__data_loc") {
      guard let place: UInt32 = try? record.littleEndian(at: field.offset) else { return nil }
      start = Int(place & 0xffff)
      length = Int(place >> 16)
    }
    guard start >= 0, length >= 0, start <= record.count else { return nil }
    let bytes = record[start..<min(record.count, start + length)]
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}
