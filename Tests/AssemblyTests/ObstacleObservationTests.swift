// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import Testing

@testable import Assembly
@testable import VTd

/// What the state says of obstacles: rules judge by kind and cause, whatever the words.
struct ObstacleObservationTests {
  private static let unit = Unit(
    name: "dmar0", segment: 2, registerBase: PhysicalAddress(0xfed9_0000), capability: 0,
    extendedCapability: 0, tableMode: .scalable)

  private static func error(_ absence: Absence) -> MemoryError {
    MemoryError(at: PhysicalAddress(0x5000), absence)
  }

  @Test func `the same obstacle is the same thing in either kind of table`() {
    let paging = [
      PagingObstacle.Kind.unreadable(Self.error(.excluded)),
      .unreadable(Self.error(.truncated(fileOffset: 0x900))),
      .assumedZero, .reservedBits(0x80),
    ].map { kind in
      Observation(
        PagingObstacle(
          kind, level: 2, iova: IOVirtualAddress(0x1000), entry: PhysicalAddress(0x5008),
          word: 0x83), stage: .second)
    }
    let contexts = [
      ContextObstacle.Kind.unreadable(Self.error(.excluded)),
      .unreadable(Self.error(.truncated(fileOffset: 0x900))), .assumedZero,
      .reservedBits(EntryMask([0x80])),
    ].map { kind in
      Observation(
        ContextObstacle(
          structure: .contextEntry, kind: kind, address: PhysicalAddress(0x5008), bus: 3,
          devfn: 0x10
        ), unit: Self.unit)
    }
    #expect(
      paging.map(\.kind) == [.unreadable, .unreadable, .assumedZero, .reservedBits])
    #expect(
      paging.map(\.cause) == [.excluded, .truncated, .zeroOrExcluded, .reservedBits])
    #expect(contexts.map(\.kind) == paging.map(\.kind))
    #expect(contexts.map(\.cause) == paging.map(\.cause))
    #expect(contexts.allSatisfy { $0.device?.description == "0002:03:02.0" && $0.unit == "dmar0" })
    #expect(paging.allSatisfy { $0.word == 0x83 && $0.address == 0x5008 })
  }

  @Test func `reserved bits, misaligned pages and wide addresses are told apart by cause`() {
    let causes = [
      PagingObstacle.Kind.reservedBits(1), .misalignedSuperpage(0x1000),
      .beyondHostAddressWidth(1 << 50),
    ].map { kind in
      Observation(
        PagingObstacle(
          kind, level: 2, iova: IOVirtualAddress(0), entry: nil, word: 0x83), stage: .first)
    }
    #expect(causes.allSatisfy { $0.kind == .reservedBits && $0.word == nil && $0.address == nil })
    #expect(causes.map(\.cause) == [.reservedBits, .misaligned, .beyondHostAddressWidth])
  }

  @Test func `a device is named only where bus and function are known`() {
    let observation = Observation(
      ContextObstacle(
        structure: .contextTable, kind: .shared(firstBus: 9), address: PhysicalAddress(0x5000),
        bus: 3, devfn: nil), unit: Self.unit)
    #expect(observation.device == nil)
    #expect(observation.kind == .alias)
    #expect(observation.cause == nil)
    #expect(observation.detail == "the page is also used for bus 09")
  }
}
