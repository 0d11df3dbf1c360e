// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import StateFixtures
import Testing

@testable import History

/// Where an invalidation queue stands: the unit's registers beside the kernel's belief.
struct QueueAccountTests {
  private static func account(
    entries: Int = 8, next: Int, oldest: Int? = nil, free: Int? = nil, status: [UInt32]? = nil,
    pending: [Int] = [], head: Int, tail: Int, base: PhysicalAddress = 0x1000, size: Int = 16,
    ring: Int? = nil, globalStatus: HexWord? = 0x8400_0000
  ) -> QueueAccount {
    QueueAccount(
      unit: "dmar0",
      InvalidationQueue(
        base: 0x1000, entries: entries, descriptorSize: 16, freeHead: next,
        freeTail: oldest ?? next, pending: pending.count),
      free: free, status: status, pending: pending,
      registers: UnitRegisters(
        unit: "dmar0", globalStatus: globalStatus,
        queue: UnitRegisters.Queue(
          base: base, entries: ring ?? entries, descriptorSize: size, head: head, tail: tail)))
  }

  private static func fetched(_ account: QueueAccount) -> [Bool?] {
    (0..<account.entries).map { account.isFetched($0) }
  }

  @Test func `a unit that has caught up has fetched everything`() {
    let account = Self.account(next: 3, free: 8, head: 3, tail: 3)
    #expect(account.unfetched == 0)
    #expect(Self.fetched(account) == Array(repeating: true, count: 8))
    #expect(account.remarks.isEmpty)
  }

  @Test func `slots from the head to before the tail are not fetched`() {
    let account = Self.account(
      next: 5, oldest: 2, free: 5, status: [0, 0, 1, 1, 1, 0, 0, 0], pending: [2, 3, 4], head: 2,
      tail: 5)
    #expect(account.unfetched == 3)
    #expect(Self.fetched(account) == [true, true, false, false, false, true, true, true])
    #expect(account.remarks.isEmpty)
  }

  @Test func `the ring begins anew behind its last slot`() {
    let account = Self.account(
      next: 1, oldest: 6, free: 5, status: [1, 0, 0, 0, 0, 0, 1, 1], pending: [6, 7, 0], head: 7,
      tail: 1)
    #expect(account.unfetched == 2)
    #expect(Self.fetched(account) == [false, true, true, true, true, true, true, false])
    // Slot 6 was fetched, and nobody has answered for it.
    #expect(account.remarks == [.unanswered(count: 1, first: 6)])
  }

  @Test func `what was filled after the registers were read is not told`() {
    let account = Self.account(next: 1, head: 6, tail: 7)
    #expect(Self.fetched(account) == [nil, true, true, true, true, true, false, nil])
    #expect(account.remarks == [.otherNext(tail: 7, next: 1)])
  }

  @Test func `the kernel takes for done what the unit has not fetched`() {
    let account = Self.account(
      next: 5, status: [0, 0, 3, 2, 0, 0, 0, 0], head: 2, tail: 5)
    #expect(account.remarks == [.doneUnfetched(count: 2, first: 3)])
  }

  @Test(arguments: [
    (account(next: 3, head: 3, tail: 3, base: 0x9000), QueueAccount.Remark.otherQueue(0x9000)),
    (
      account(next: 3, head: 3, tail: 3, ring: 16),
      .otherShape(entries: 16, descriptorSize: 16)
    ),
    (
      account(next: 3, head: 3, tail: 3, size: 32),
      .otherShape(entries: 8, descriptorSize: 32)
    ),
    (account(next: 3, head: 9, tail: 3), .outside(head: 9, tail: 3)),
    (account(next: 3, head: 3, tail: 3, globalStatus: 0x8000_0000), .off),
  ])
  func `registers that tell nothing of this queue`(
    _ account: QueueAccount, _ remark: QueueAccount.Remark
  ) {
    #expect(account.remarks == [remark])
    #expect(account.head == nil && account.unfetched == nil)
    #expect(Self.fetched(account) == Array(repeating: nil, count: 8))
  }

  @Test(arguments: [
    (8, 3, 3, true), (7, 4, 3, true), (0, 3, 3, true), (6, 4, 3, false), (9, 3, 3, false),
    (-1, 3, 3, false), (5, 1, 6, true),
  ])
  func `the kernel's count of free slots follows from its head and tail`(
    free: Int, next: Int, oldest: Int, agrees: Bool
  ) {
    let account = Self.account(next: next, oldest: oldest, free: free, head: next, tail: next)
    let left = 8 - (next - oldest + 8) % 8
    #expect(account.remarks == (agrees ? [] : [.freeCount(counted: free, left: left)]))
  }
}
