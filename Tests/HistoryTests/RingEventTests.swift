// SPDX-License-Identifier: Apache-2.0

import History
import KernelFixtures
import KernelImage
import Memory
import Testing

/// Events of a trace ring, in the words that the kernel's own trace files would print.
struct RingEventTests {
  /// A field of an event: C type, name, offset and size in the record.
  private typealias Field = (type: String, name: String, offset: UInt64, size: UInt64)

  private static let text = "__data_loc char[]"

  /// Sources of the forms: include/trace/events/iommu.h; drivers/iommu/intel/trace.h.
  private static let formats: [(type: UInt16, name: String, fields: [Field])] = [
    (11, "map", [("u64", "iova", 8, 8), ("u64", "paddr", 16, 8), ("size_t", "size", 24, 8)]),
    (
      12, "unmap",
      [("u64", "iova", 8, 8), ("size_t", "size", 16, 8), ("size_t", "unmapped_size", 24, 8)]
    ),
    (13, "attach_device_to_domain", [(text, "device", 8, 4)]),
    (14, "add_device_to_group", [("int", "gid", 8, 4), (text, "device", 12, 4)]),
    (
      15, "qi_submit",
      (0..<4).map { ("u64", "qw\($0)", 8 + 8 * $0, 8) } + [(text, "iommu", 40, 4)]
    ),
    (
      16, "cache_tag_flush_range",
      [
        (text, "iommu", 8, 4), (text, "dev", 12, 4), ("u16", "type", 16, 2),
        ("u16", "domain_id", 18, 2), ("u32", "pasid", 20, 4), ("ulong", "start", 24, 8),
        ("ulong", "end", 32, 8), ("ulong", "addr", 40, 8), ("ulong", "mask", 48, 8),
      ]
    ),
    // Of no form that is known.
    (
      17, "io_page_fault",
      [(text, "device", 8, 4), ("u64", "iova", 16, 8), ("int", "flags", 24, 4)]
    ),
  ]

  // MARK: Records

  private static func bytes(_ value: UInt64, _ size: Int) -> [UInt8] {
    (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }

  /// A record: type, flags, preemption count and process, then the fields.
  ///
  /// - Parameter texts: put behind the fields; each with the offset of its field.
  private static func record(
    _ type: UInt16, size: Int, numbers: [(offset: Int, value: UInt64, size: Int)] = [],
    texts: [(offset: Int, text: String)] = []
  ) -> [UInt8] {
    var record = bytes(UInt64(type), 2) + [0, 0] + bytes(77, 4)
    record += [UInt8](repeating: 0, count: size - record.count)
    for (offset, value, size) in numbers {
      record.replaceSubrange(offset..<offset + size, with: bytes(value, size))
    }
    for (offset, text) in texts {
      let place = UInt64(record.count) | UInt64(text.utf8.count + 1) << 16
      record.replaceSubrange(offset..<offset + 4, with: bytes(place, 4))
      record += Array(text.utf8) + [0]
    }
    while record.count % 4 != 0 { record.append(0) }
    return record
  }

  /// An entry of the ring, `delta` nanoseconds after the one before.
  ///
  /// Source: include/linux/ring_buffer.h, `struct ring_buffer_event`.
  private static func entry(_ delta: UInt64, _ record: [UInt8]) -> [UInt8] {
    record.count <= 28 * 4
      ? bytes(delta << 5 | UInt64(record.count / 4), 4) + record
      : bytes(delta << 5, 4) + bytes(UInt64(record.count) + 4, 4) + record
  }

  // MARK: The kernel

  /// A kernel whose only ring has one page with these bytes.
  ///
  /// - Parameter isOld: the structures are those of 3.10.0-1160.el7 (kernel/trace/trace.h,
  ///   kernel/trace/ring_buffer.c, include/linux/ftrace_event.h).
  private static func kernel(
    _ data: [UInt8], read: UInt64 = 0, isOld: Bool = false
  ) -> SyntheticKernel {
    let kernel = SyntheticKernel(cpuCount: 1)
    let types = kernel.types
    let prefix = isOld ? "ftrace" : "trace"
    types.define("trace_event", "u32 type")
    types.define(
      "ftrace_event_field", "list_head link", "char *name", "char *type", "int offset",
      "int size", "int is_signed")
    types.define("\(prefix)_event_class", "char *system", "list_head fields")
    types.define(
      "\(prefix)_event_call", "list_head list", "\(prefix)_event_class *class", "char *name",
      "trace_event event", "int flags")
    types.define(
      "\(prefix)_event_file", "list_head list", "\(prefix)_event_call *event_call", "u64 flags")
    types.define("local_t", "atomic64_t a")
    let ring = isOld ? "ring_buffer" : "trace_buffer"
    let holder = isOld ? "trace_buffer" : "array_buffer"
    types.define(ring, "u32 cpus", "atomic64_t record_disabled", "void **buffers")
    types.define(holder, "void *tr", "\(ring) *buffer")
    types.define(
      "trace_array", "\(holder) \(holder)", "list_head events", "int buffer_disabled",
      "int clock_id")
    types.define("buffer_data_page", "u64 time_stamp", "u64 commit", "u8 data[4080]")
    types.define("buffer_page", "list_head list", "u32 read", "buffer_data_page *page")
    types.define(
      "ring_buffer_per_cpu", "list_head *pages", "buffer_page *head_page",
      "buffer_page *reader_page", "buffer_page *commit_page", "local_t overrun",
      "local_t commit_overrun", "local_t dropped_events")

    let calls = formats.map { type, name, fields in
      let kind = kernel.make(
        "\(prefix)_event_class", ["system": kernel.string("iommu").rawValue])
      let objects = fields.reversed().map { field in
        kernel.make(
          "ftrace_event_field",
          [
            "name": kernel.string(field.name).rawValue, "type": kernel.string(field.type).rawValue,
            "offset": field.offset, "size": field.size,
          ])
      }
      kernel.link(objects, by: "link", at: kind.address(of: "fields"))
      return kernel.make(
        "\(prefix)_event_call",
        [
          "class": kind.address.rawValue, "name": kernel.string(name).rawValue,
          "event.type": UInt64(type),
        ])
    }
    let events = kernel.allocate(16)
    kernel.symbols["ftrace_events"] = [events]
    kernel.link(calls, by: "list", at: events)

    let page = kernel.make(
      "buffer_data_page", ["time_stamp": 1_000_000, "commit": UInt64(data.count)])
    kernel.write(data, at: page.address(of: "data"))
    let reader = kernel.make("buffer_page", ["page": page.address.rawValue, "read": read])
    let cpu = kernel.make(
      "ring_buffer_per_cpu",
      [
        "reader_page": reader.address.rawValue, "commit_page": reader.address.rawValue,
        "overrun.a.counter": 5, "commit_overrun.a.counter": 2, "dropped_events.a.counter": 1,
      ])
    let table = kernel.allocate(8)
    kernel.write(cpu.address.rawValue, at: table)
    let buffer = kernel.make(ring, ["cpus": 1, "buffers": table.rawValue])
    let top = kernel.make(
      "trace_array", ["\(holder).buffer": buffer.address.rawValue, "clock_id": 4])
    kernel.symbols["global_trace"] = [top.address]
    // The first two events are switched on.
    let files = calls.enumerated().map { index, call in
      kernel.make(
        "\(prefix)_event_file", ["flags": index < 2 ? 1 : 0, "event_call": call.address.rawValue])
    }
    kernel.link(files, by: "list", at: top.address(of: "events"))
    return kernel
  }

  private static let samples: [(record: [UInt8], text: String)] = [
    (
      record(11, size: 32, numbers: [(8, 0x1000, 8), (16, 0x8000, 8), (24, 4096, 8)]),
      "IOMMU: iova=0x0000000000001000 - 0x0000000000002000 paddr=0x0000000000008000 size=4096"
    ),
    (
      record(12, size: 32, numbers: [(8, 0xffff_f000, 8), (16, 4096, 8), (24, 0, 8)]),
      "IOMMU: iova=0x00000000fffff000 - 0x0000000100000000 size=4096 unmapped_size=0"
    ),
    (record(13, size: 12, texts: [(8, "0000:00:02.0")]), "IOMMU: device=0000:00:02.0"),
    (
      record(14, size: 16, numbers: [(8, 7, 4)], texts: [(12, "0000:00:02.0")]),
      "IOMMU: groupID=7 device=0000:00:02.0"
    ),
    (
      record(
        15, size: 44, numbers: [(8, 0x9_00e2, 8), (16, 0x1000, 8)], texts: [(40, "dmar0")]),
      "iotlb_inv dmar0: 0x900e2 0x1000 0x0 0x0"
    ),
    (
      record(
        16, size: 56,
        numbers: [
          (16, 1, 2), (18, 9, 2), (20, 3, 4), (24, 0x1000, 8), (32, 0x1fff, 8), (40, 0x1000, 8),
          (48, 1, 8),
        ], texts: [(8, "dmar0"), (12, "0000:00:02.0")]),
      "dmar0 0000:00:02.0[3] type devtlb did 9 [0x1000-0x1fff] addr 0x1000 mask 0x1"
    ),
    (
      record(17, size: 28, numbers: [(16, 0xf000, 8), (24, 1, 4)], texts: [(8, "0000:00:02.0")]),
      "device=0000:00:02.0 iova=0xf000 flags=0x1"
    ),
  ]

  // MARK: What is read

  @Test(arguments: [false, true])
  func `events are printed in the kernel's words`(isOld: Bool) throws {
    let data = Self.samples.flatMap { Self.entry(10, $0.record) }
    let ring = TraceRing(reading: Self.kernel(data, isOld: isOld).image())
    #expect(ring.problems == [])
    #expect(ring.events.map(\.text) == Self.samples.map(\.text))
    #expect(ring.events.map(\.name) == Self.formats.map(\.name))
    let times: [UInt64] = (1...7).map { 1_000_000 + 10 * $0 }
    #expect(ring.events.map(\.time) == times)
    #expect(ring.events.allSatisfy { $0.process == 77 && $0.cpu == 0 && $0.system == "iommu" })
    #expect(ring.events[0].iova == 0x1000)
    #expect(ring.events[0].physical == 0x8000)
    #expect(ring.events[1].length == 4096)
    #expect(ring.events[2].devices.map(\.description) == ["0000:00:02.0"])
    #expect(ring.events[4].unit == "dmar0")
    #expect(ring.events[4].words == [0x9_00e2, 0x1000, 0, 0])
    #expect(ring.events[5].devices.map(\.description) == ["0000:00:02.0"])
  }

  @Test(arguments: [false, true])
  func `what the ring covers is told with what it lost`(isOld: Bool) throws {
    // The last is of another system.
    let data =
      Self.samples.prefix(2).flatMap { Self.entry(10, $0.record) }
      + Self.entry(30, Self.record(99, size: 16))
    let coverage = try #require(
      TraceRing(reading: Self.kernel(data, isOld: isOld).image()).coverage)
    #expect(coverage.isRecording == true)
    #expect(coverage.enabled == ["map", "unmap"])
    #expect(coverage.clock == 4)
    #expect(coverage.first == 1_000_010)
    #expect(coverage.last == 1_000_050)
    #expect(coverage.others == 1)
    #expect(coverage.overruns == 5)
    #expect(coverage.dropped == 3)
    #expect(coverage.panic == nil)
  }

  @Test func `times add up over every kind of entry`() {
    let map = Self.samples[0].record
    var long = map
    long += [UInt8](repeating: 0, count: 160)
    var data = Self.entry(1, map)
    // A discarded event of 12 bytes, 100 ns on.
    data += Self.bytes(100 << 5 | 29, 4) + Self.bytes(8, 4) + [0, 0, 0, 0]
    // A wait of 1 << 27 and 5 ns.
    data += Self.bytes(5 << 5 | 30, 4) + Self.bytes(1, 4)
    data += Self.entry(2, long)
    // The time itself: 3 << 27 and 9 ns.
    data += Self.bytes(9 << 5 | 31, 4) + Self.bytes(3, 4)
    data += Self.entry(4, map)
    // Padding without a time ends the page.
    data += Self.bytes(29, 4) + Self.entry(1, map)
    let ring = TraceRing(reading: Self.kernel(data).image())
    let first: UInt64 = 1_000_001
    let second: UInt64 = first + 100 + (1 << 27) + 5 + 2
    let third: UInt64 = (3 << 27) + 9 + 4
    #expect(ring.events.map(\.time) == [first, second, third])
    #expect(ring.events.allSatisfy { $0.text == Self.samples[0].text })
  }

  @Test func `what a reader has taken already is left out`() {
    let first = Self.entry(10, Self.samples[0].record)
    let data = first + Self.entry(10, Self.samples[1].record)
    let ring = TraceRing(reading: Self.kernel(data, read: UInt64(first.count)).image())
    #expect(ring.events.map(\.name) == ["unmap"])
    #expect(ring.events.map(\.time) == [1_000_020])
  }

  @Test func `records that are too short for their fields say so, and nothing else`() {
    // A map of which only the address is there, text that lies outside, and a record that the page
    // does not hold to its end.
    let data =
      Self.entry(1, Self.record(11, size: 16, numbers: [(8, 0x1000, 8)]))
      + Self.entry(1, Self.record(13, size: 12, numbers: [(8, 0xffff_0400, 4)]))
      + Self.bytes(1 << 5 | 28, 4) + Self.record(11, size: 32)
    let ring = TraceRing(reading: Self.kernel(data).image())
    #expect(ring.problems == [])
    #expect(ring.events.map(\.text) == ["iova=0x1000 paddr=? size=?", "device=?"])
    #expect(ring.events[0].physical == nil)
    #expect(ring.events[1].devices.isEmpty)
  }
}
