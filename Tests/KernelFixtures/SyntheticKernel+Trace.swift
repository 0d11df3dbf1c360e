// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A trace ring under construction.
public struct FixtureTraceRing {
  /// `struct buffer_page.list` of the ring's pages.
  public var links: [KernelAddress]
  /// What the pages hold, `struct buffer_data_page`.
  public var data: [FixtureObject]
}

extension SyntheticKernel {
  /// Makes `global_trace` with a ring of CPU 0, and one kind of event: `iommu:map`, number 5.
  ///
  /// Every page is full of events of eight bytes whose data are zeros.
  ///
  /// Source of the form: kernel/trace/ring_buffer.c, kernel/trace/trace_events.c.
  ///
  /// - Parameters:
  ///   - pages: how many the ring has, besides those that are read and written now.
  ///   - sharing: whether all of them have the same data behind them.
  ///   - isOld: names as of Linux 3.10 (kernel/trace/ring_buffer.c, `struct ring_buffer`;
  ///     kernel/trace/trace.h, `struct trace_buffer`; include/linux/ftrace_event.h).
  public func makeTraceRing(
    pages: Int, sharing: Bool = true, isOld: Bool = false
  ) -> FixtureTraceRing {
    let (holder, holds, ringName) =
      isOld
      ? ("trace_buffer", "trace_buffer", "ring_buffer")
      : ("array_buffer", "array_buffer", "trace_buffer")
    types.define(holder, "\(ringName) *buffer")
    types.define(
      "trace_array", "\(holder) \(holds)", "list_head events", "int buffer_disabled",
      "int clock_id")
    types.define(ringName, "u32 cpus", "ring_buffer_per_cpu **buffers")
    types.define(
      "ring_buffer_per_cpu", "list_head *pages", "buffer_page *head_page",
      "buffer_page *reader_page", "buffer_page *commit_page")
    types.define("buffer_page", "list_head list", "u32 read", "buffer_data_page *page")
    types.define("buffer_data_page", "u64 time_stamp", "u64 commit", "u8 data[4080]")
    makeTraceEvents(isOld: isOld)

    func makeData() -> FixtureObject {
      let data = make("buffer_data_page", ["time_stamp": 5, "commit": 4080])
      let place = data.address(of: "data").rawValue
      // Events of 8 bytes: a header with a length of one word, and its data.
      for offset in stride(from: 0, to: 4080, by: 8) {
        write(1 as UInt32, at: KernelAddress(place + UInt64(offset)))
      }
      return data
    }
    var data = [makeData()]
    if !sharing { data += (1..<max(1, pages)).map { _ in makeData() } }
    let ring = (0..<pages).map {
      make("buffer_page", ["page": data[$0 % data.count].address.rawValue])
    }
    let links = ring.map { $0.address(of: "list") }
    for (index, link) in links.enumerated() {
      write(links[(index + 1) % pages].rawValue, at: link)
    }
    let other = make("buffer_page", ["page": data[0].address.rawValue])
    let reader = make("buffer_page", ["page": data[0].address.rawValue])
    let cpu = make(
      "ring_buffer_per_cpu",
      [
        "pages": links[0].rawValue, "head_page": ring[0].address.rawValue,
        "reader_page": reader.address.rawValue, "commit_page": other.address.rawValue,
      ])
    let table = allocate(8)
    write(cpu.address.rawValue, at: table)
    let buffer = make(ringName, ["cpus": 1, "buffers": table.rawValue])
    let top = make("trace_array", ["\(holds).buffer": buffer.address.rawValue])
    link([], at: top.address(of: "events"))
    symbols["global_trace"] = [top.address]
    return FixtureTraceRing(links: links, data: data)
  }

  private func makeTraceEvents(isOld: Bool) {
    let callName = isOld ? "ftrace_event_call" : "trace_event_call"
    types.define("trace_event", "int type")
    types.define("trace_event_class", "char *system", "list_head fields")
    types.define(
      callName, "list_head list", "trace_event_class *class", "char *name",
      "trace_event event", "int flags")
    types.define(
      "ftrace_event_field", "list_head link", "char *name", "char *type", "int offset", "int size",
      "int is_signed")
    let kind = make("trace_event_class", ["system": string("iommu").rawValue])
    let fields = [("iova", 8), ("paddr", 16), ("size", 24)].map { name, offset in
      make(
        "ftrace_event_field",
        [
          "name": string(name).rawValue, "type": string("u64").rawValue, "offset": UInt64(offset),
          "size": 8,
        ])
    }
    link(fields, by: "link", at: kind.address(of: "fields"))
    let call = make(
      callName,
      [
        "class": kind.address.rawValue, "name": string("map").rawValue, "event.type": 5,
      ])
    let events = allocate(16)
    link([call], by: "list", at: events)
    symbols["ftrace_events"] = [events]
  }
}
