// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import Memory
import Testing

/// Linked things that would take for ever, or that a run has no more objects for.
struct HostileContainerTests {
  private let kernel = SyntheticKernel(cpuCount: 0)

  private func work(_ objects: Int) -> WorkBudget { WorkBudget(WorkLimits(objects: objects)) }

  @Test func `a list ends where the run's objects end, and says so`() {
    let head = kernel.allocate(16)
    let links = (0..<100).map { _ in kernel.allocate(16) }
    kernel.link(links, at: head)
    let work = work(30)
    let walk = kernel.image(work: work).list(at: head)
    #expect(walk.elements == Array(links[..<30]))
    #expect(walk.problem?.reason == .budget)
    #expect(work.cuts.map(\.what) == [.objects])
  }

  @Test func `lists that share their tail are paid for each time`() {
    let tail = (0..<50).map { _ in kernel.allocate(16) }
    let heads = (0..<1000).map { _ in kernel.allocate(16) }
    kernel.link(tail, at: heads[0])
    for head in heads.dropFirst() { kernel.write(tail[0].rawValue, at: head) }
    let work = work(5000)
    let image = kernel.image(work: work)
    let walks = heads.map { image.list(at: $0) }
    #expect(walks.reduce(0) { $0 + $1.elements.count } <= 5000)
    #expect(walks.last?.problem?.reason == .budget)
    #expect(work.cuts.count == 1)
  }

  @Test func `a tree ends where the run's objects end`() {
    let root = kernel.allocate(8)
    let nodes = (0..<200).map { _ in kernel.allocate(24) }
    kernel.fillTree(at: root, nodes)
    let walk = kernel.image(work: work(60)).redBlackTree(at: root)
    #expect(walk.elements.count < 60)
    #expect(walk.problem?.reason == .budget)
  }

  @Test func `a tree whose nodes are their own children ends`() {
    let root = kernel.allocate(8)
    let node = kernel.allocate(24)
    kernel.write(node.rawValue, at: root)
    kernel.write(node.rawValue, at: KernelAddress(node.rawValue + 8))
    kernel.write(node.rawValue, at: KernelAddress(node.rawValue + 16))
    let walk = kernel.image().redBlackTree(at: root)
    #expect(walk.elements == [node])
    #expect(walk.problem != nil)
  }

  @Test func `an xarray of a million claimed entries is paid for by its nodes`() {
    let array = kernel.make("xarray")
    kernel.fillXArray(
      at: array.address,
      Dictionary(uniqueKeysWithValues: (0..<4096).map { (UInt64($0), UInt64($0) << 2 | 1) }))
    let walk = kernel.image(work: work(100)).xarray(at: array.address)
    #expect(walk.elements.count < 100 * 64)
    #expect(walk.problem?.reason == .budget)
  }
}
