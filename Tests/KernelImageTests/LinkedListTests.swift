// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import Memory
import Testing

struct LinkedListTests {
  private let kernel = SyntheticKernel(cpuCount: 0)
  private let head: KernelAddress
  private let links: [KernelAddress]

  init() {
    let kernel = kernel
    head = kernel.allocate(16)
    links = (0..<5).map { _ in kernel.allocatePage() }
    kernel.link(links, at: head)
  }

  private func next(of link: KernelAddress, _ value: UInt64) { kernel.write(value, at: link) }

  private func walk(limit: Int = 1 << 20) -> LinkWalk<KernelAddress> {
    kernel.image().list(at: head, limit: limit)
  }

  @Test func entriesInOrder() {
    #expect(walk().elements == links)
    #expect(walk().problem == nil)
  }

  @Test func emptyAndNeverInitialised() {
    kernel.link([], at: head)
    #expect(walk().elements.isEmpty && walk().problem == nil)
    next(of: head, 0)
    #expect(walk().elements.isEmpty && walk().problem == nil)
  }

  @Test func cycleThatMissesTheHead() {
    next(of: links[4], links[2].rawValue)
    #expect(walk().elements == links)
    #expect(walk().problem?.description.contains("does not close") == true)
  }

  @Test func entryThatLeadsToItself() {
    next(of: links[1], links[1].rawValue)
    #expect(walk().elements == Array(links[..<2]))
    #expect(walk().problem != nil)
  }

  @Test func wrongPrevIsAProblemButTheWalkGoesOn() {
    kernel.write(0xdead as UInt64, at: KernelAddress(links[2].rawValue + 8))
    #expect(walk().elements == links)
    #expect(walk().problem?.address == links[2])
  }

  @Test func nullNext() {
    next(of: links[2], 0)
    #expect(walk().elements == Array(links[..<3]))
    #expect(walk().problem?.address == links[2])
  }

  @Test func whatLiesBehindAnAbsentPageIsReachedFromTheEnd() {
    kernel.setAbsence(.excluded, at: links[1])
    #expect(walk().elements == [links[0]] + links[2...])
    #expect(walk().problem?.absence == .excluded)
    #expect(walk(limit: 3).elements == [links[0]] + links[3...])
  }

  @Test func theWayBackEndsWhereItIsNotTheWayForth() {
    kernel.setAbsence(.excluded, at: links[0])
    next(of: links[3], links[3].rawValue)
    #expect(walk().elements == [links[4]])
    next(of: links[3], links[4].rawValue)
    kernel.setAbsence(.excluded, at: links[2])
    #expect(walk().elements == Array(links[3...]))
    // An entry that says that it is its own predecessor.
    kernel.write(links[4].rawValue, at: KernelAddress(links[4].rawValue + 8))
    #expect(walk().elements == [links[4]])
  }

  @Test func absentHead() {
    kernel.setAbsence(.excluded, at: head)
    #expect(walk().elements.isEmpty)
    #expect(walk().problem?.absence == .excluded)
  }

  @Test func limit() {
    #expect(walk(limit: 5).problem == nil)
    #expect(walk(limit: 4).elements == Array(links[..<4]))
    #expect(walk(limit: 4).problem != nil)
  }

  @Test func objectsAroundTheLinks() {
    kernel.types.define("thing", "u64 number", "list_head list")
    let things = (0..<3).map { kernel.make("thing", ["number": $0]) }
    kernel.link(things, by: "list", at: head)
    let walk = kernel.image().list(at: head, of: "thing", linkedBy: "list")
    #expect(walk.elements.map(\.address) == things.map(\.address))
    #expect(kernel.image().list(at: head, of: "thing", linkedBy: "no").problem != nil)
    #expect(kernel.image().list(at: head, of: "no", linkedBy: "list").problem != nil)
  }
}
