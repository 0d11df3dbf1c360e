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
    return (kernel, kernel.makeTraceRing(pages: pages, isOld: isOld).links)
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
