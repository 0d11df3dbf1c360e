// SPDX-License-Identifier: Apache-2.0

import Memory
import Testing

@testable import Assembly
@testable import LinuxIOMMU
@testable import RemappingState

struct IOVAStatesTests {
  /// Nodes of the allocator by page frame number, with what the kernel holds about each.
  private static func space(_ nodes: [ClosedRange<UInt64>]) -> LinuxIOVAAllocator {
    var allocator = LinuxIOVAAllocator(granule: 4096)
    allocator.nodes = nodes.map { .init(low: $0.lowerBound, high: $0.upperBound) }
    return allocator
  }

  private static func mapping(_ pages: [UInt64]) -> Mapping {
    Mapping(
      leaves: pages.count, bytes: UInt64(pages.count) << 12,
      runs: pages.sorted().map { RegionCoverageTests.run($0 << 12, 0x1000, at: $0 << 12 | 1 << 30) }
    )
  }

  @Test func theFirstStateThatAppliesCounts() {
    var allocator = Self.space([0x10...0x1f, 0x20...0x20, 0x21...0x21, 0x22...0x22, 0x23...0x23])
    allocator.queued = [0x20: true, 0x21: false]
    allocator.cached = [0x20, 0x21, 0x22]
    let space = IOVASpace(
      allocator, mapping: Self.mapping([0x10, 0x20, 0x21, 0x22, 0x23]),
      reserved: AddressRanges([0x1_2000...0x1_2fff]))
    #expect(space.allocated.map(\.state) == [.reserved, .pending, .flushed, .cached, .live])
  }

  @Test func aNodeLivesByOneLeafAndIsUnmappedWithout() {
    let space = IOVASpace(
      Self.space([0x10...0x1f, 0x20...0x2f]), mapping: Self.mapping([0x1f]),
      reserved: AddressRanges([]))
    #expect(space.allocated.map(\.state) == [.live, .unmapped])
    #expect(space.allocated[0].start == IOVirtualAddress(0x1_0000))
    #expect(space.allocated[0].end == IOVirtualAddress(0x1_ffff))
  }

  @Test func aRunOverTwoNodesMakesBothLive() {
    let run = RegionCoverageTests.run(0x1_0000, 0x2_0000, at: 0x100_0000)
    let space = IOVASpace(
      Self.space([0x10...0x1f, 0x20...0x2f]),
      mapping: Mapping(leaves: 32, bytes: 0x2_0000, runs: [run]), reserved: AddressRanges([]))
    #expect(space.allocated.map(\.state) == [.live, .live])
    #expect(space.unallocated == [])
  }

  @Test func mappedRangesOutsideNodesAreJoined() {
    let space = IOVASpace(
      Self.space([0x10...0x10]), mapping: Self.mapping([0x0f, 0x10, 0x11, 0x12, 0x40]),
      reserved: AddressRanges([]))
    #expect(
      space.unallocated?.map { $0.start.rawValue...$0.end.rawValue } == [
        0xf000...0xffff, 0x1_1000...0x1_2fff, 0x4_0000...0x4_0fff,
      ])
  }

  /// A node that could not be read may have covered any range.
  @Test func nothingIsOutsideATreeThatWasNotReadWhole() {
    var allocator = Self.space([0x10...0x10])
    allocator.lacksNodes = true
    let space = IOVASpace(
      allocator, mapping: Self.mapping([0x10, 0x40]), reserved: AddressRanges([]))
    #expect(space.allocated.map(\.state) == [.live])
    #expect(space.unallocated == nil)
  }

  /// What is not in a cache that was read may be in one that was not.
  @Test func statesThatCouldNotBeToldAreNamed() {
    var allocator = Self.space([0x10...0x10])
    func uncertain(isReservedComplete: Bool = true) -> [IOVARange.State] {
      IOVASpace(
        allocator, mapping: nil, reserved: AddressRanges([]), isReservedComplete: isReservedComplete
      ).uncertain
    }
    #expect(uncertain() == [])
    #expect(uncertain(isReservedComplete: false) == [.reserved])
    allocator.lacksCaches = true
    #expect(uncertain() == [.cached])
    allocator.lacksQueues = true
    #expect(uncertain(isReservedComplete: false) == [.cached, .pending, .flushed, .reserved])
  }

  @Test func theLastGranuleOfTheAddressSpaceIsARange() {
    let space = IOVASpace(
      Self.space([(.max >> 12)...(.max >> 12)]), mapping: nil, reserved: AddressRanges([]))
    #expect(space.allocated.map(\.end) == [IOVirtualAddress(.max)])
  }
}
