// SPDX-License-Identifier: Apache-2.0

import History
import KernelFixtures
import KernelImage
import Memory
import Testing

/// Trace rings that lead nowhere, or to the same page over and over.
struct HostileRingTests {
  /// A kernel with a ring of `pages` pages of CPU 0, all with the same data behind them.
  ///
  /// - Parameter isOld: names as of Linux 3.10 (kernel/trace/ring_buffer.c, `struct ring_buffer`;
  ///   kernel/trace/trace.h, `struct trace_buffer`; include/linux/ftrace_event.h).
  private func kernel(
    pages: Int, isOld: Bool = false
  ) -> (kernel: SyntheticKernel, links: [KernelAddress]) {
    let kernel = SyntheticKernel(cpuCount: 1)
    let types = kernel.types
    let (holder, holds, ringName) =
      isOld
      ? ("trace_buffer", "trace_buffer", "ring_buffer")
      : ("array_buffer", "array_buffer", "trace_buffer")
    types.define(holder, "\(ringName) *buffer")
    types.define("trace_array", "\(holder) \(holds)", "list_head events")
    types.define(ringName, "u32 cpus", "ring_buffer_per_cpu **buffers")
    types.define(
      "ring_buffer_per_cpu", "list_head *pages", "buffer_page *head_page",
      "buffer_page *reader_page", "buffer_page *commit_page")
    types.define("buffer_page", "list_head list", "u32 read", "buffer_data_page *page")
    types.define("buffer_data_page", "u64 time_stamp", "u64 commit", "u8 data[4080]")
    types.define(isOld ? "ftrace_event_call" : "trace_event_call", "list_head list")
    let events = kernel.allocate(16)
    kernel.link([], at: events)
    kernel.symbols["ftrace_events"] = [events]

    let data = kernel.make("buffer_data_page", ["time_stamp": 5, "commit": 4080])
    // Events of 8 bytes: a header with a length of one word, and its data.
    for offset in stride(from: 0, to: 4080, by: 8) {
      kernel.write(
        1 as UInt32, at: KernelAddress(data.address(of: "data").rawValue + UInt64(offset)))
    }
    let ring = (0..<pages).map { _ in kernel.make("buffer_page", ["page": data.address.rawValue]) }
    let links = ring.map { $0.address(of: "list") }
    for (index, link) in links.enumerated() {
      kernel.write(links[(index + 1) % pages].rawValue, at: link)
    }
    let other = kernel.make("buffer_page", ["page": data.address.rawValue])
    let reader = kernel.make("buffer_page", ["page": data.address.rawValue])
    let cpu = kernel.make(
      "ring_buffer_per_cpu",
      [
        "pages": links[0].rawValue, "head_page": ring[0].address.rawValue,
        "reader_page": reader.address.rawValue, "commit_page": other.address.rawValue,
      ])
    let table = kernel.allocate(8)
    kernel.write(cpu.address.rawValue, at: table)
    let buffer = kernel.make(ringName, ["cpus": 1, "buffers": table.rawValue])
    let top = kernel.make("trace_array", ["\(holds).buffer": buffer.address.rawValue])
    kernel.symbols["global_trace"] = [top.address]
    return (kernel, links)
  }

  @Test func `a ring that links to itself ends at once`() {
    let (kernel, links) = kernel(pages: 1)
    kernel.write(links[0].rawValue, at: links[0])
    let work = WorkBudget(WorkLimits(runs: 1 << 20, objects: 1 << 20))
    let ring = TraceRing(reading: kernel.image(work: work))
    #expect(ring.problems.contains { $0.contains("does not close") })
    #expect(work.limit(.objects) - work.left(.objects) < 1000)
    #expect(work.cuts.isEmpty)
  }

  /// What the walk of CPU 0 meets tells that the ring was found.
  @Test func `a ring of kernels before 5 6 goes by other names`() {
    func problems(isOld: Bool) -> [String] {
      let (kernel, links) = kernel(pages: 1, isOld: isOld)
      kernel.write(links[0].rawValue, at: links[0])
      return TraceRing(reading: kernel.image()).problems
    }
    #expect(problems(isOld: true) == problems(isOld: false))
    #expect(problems(isOld: true).contains { $0.contains("does not close") })
  }

  @Test func `a ring of many pages with one page of data is paid for by what is read`() {
    let (kernel, _) = kernel(pages: 2000)
    let work = WorkBudget(WorkLimits(runs: 1 << 20, objects: 20_000))
    let ring = TraceRing(reading: kernel.image(work: work))
    #expect(work.left(.objects) == 0)
    #expect(work.cuts.map(\.what) == [.objects])
    #expect(ring.problems.contains { $0.contains("limit of kernel objects") })
  }
}
