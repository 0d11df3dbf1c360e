// SPDX-License-Identifier: Apache-2.0

internal import LinuxIOMMU
public import Memory
internal import RemappingState

/// Where one invalidation queue stands: as the unit's registers tell it, and as the kernel believes.
///
/// The unit fetches descriptors in order and moves its head past each one that it has fetched; that they
/// are done is known only when a wait behind them is answered.
///
/// Source: VT-d specification, section 6.5.2; drivers/iommu/intel/dmar.c, functions `qi_submit_sync` and
/// `reclaim_free_desc`.
public struct QueueAccount: Hashable, Sendable {
  /// Name of the unit.
  public var unit: String
  public var base: PhysicalAddress?
  /// Slots of the ring.
  public var entries: Int
  /// `free_head`: the slot that the kernel fills next.
  public var kernelNext: Int
  /// `free_tail`: the oldest slot that the kernel has not taken back.
  public var kernelOldest: Int
  /// `free_cnt`: how many slots the kernel counts as free; `nil` if unreadable.
  public var kernelFree: Int?
  /// IQH: the slot that the unit fetches next; `nil` where no registers tell of this queue.
  public var head: Int?
  /// IQT: the slot behind the last one that the unit was told of.
  public var tail: Int?
  /// What the two witnesses do not agree on, and what they leave open.
  public var remarks: [Remark] = []

  /// A statement about both witnesses.
  public enum Remark: Hashable, Sendable {
    /// The registers are of a queue elsewhere, such as the crash kernel's.
    case otherQueue(PhysicalAddress)
    /// The registers are of a ring with so many slots, or of descriptors with so many bytes.
    case otherShape(entries: Int, descriptorSize: Int)
    /// Queued invalidation was off in the unit.
    case off
    /// A head or tail outside the ring.
    case outside(head: Int, tail: Int)
    /// The unit was told of slots up to before `tail`, and the kernel fills another one next.
    case otherNext(tail: Int, next: Int)
    /// The kernel does not wait for so many slots that the unit has not fetched, from `first` on.
    case doneUnfetched(count: Int, first: Int)
    /// The kernel waits for so many slots that the unit has fetched, from `first` on.
    case unanswered(count: Int, first: Int)
    /// The kernel counts another number of free slots than its own head and tail leave.
    case freeCount(counted: Int, left: Int)
  }

  /// Slots that the unit was told of and has not fetched; `nil` where no registers tell.
  public var unfetched: Int? {
    guard let head, let tail else { return nil }
    return distance(head, tail)
  }

  /// Whether the unit has fetched what is in the slot; `nil` where no registers tell, also because the
  /// kernel filled it after they were read.
  public func isFetched(_ slot: Int) -> Bool? {
    guard let head, let tail, (0..<entries).contains(slot) else { return nil }
    if distance(tail, slot) < distance(tail, kernelNext) { return nil }
    return distance(head, slot) >= distance(head, tail)
  }

  /// Slots from `first` to before `second`, once around at most.
  private func distance(_ first: Int, _ second: Int) -> Int {
    let rest = (second - first) % entries
    return rest < 0 ? rest + entries : rest
  }

  /// - Parameters:
  ///   - queue: as the kernel describes it, with a head and a tail inside a ring that is not empty.
  ///   - status: of each slot, `desc_status`; `nil` if unreadable.
  ///   - pending: slots that the kernel still waits for.
  ///   - registers: of the unit; `nil` where nobody gave any.
  init(
    unit: String, _ queue: InvalidationQueue, free: Int?, status: [UInt32]?, pending: [Int],
    registers: UnitRegisters?
  ) {
    self.unit = unit
    base = queue.base
    entries = queue.entries
    kernelNext = queue.freeHead
    kernelOldest = queue.freeTail
    kernelFree = free
    if let free {
      let left = entries - distance(kernelOldest, kernelNext)
      // A full ring and an empty one have the same head and tail.
      if free != left, !(free == 0 && left == entries) {
        remarks.append(.freeCount(counted: free, left: left))
      }
    }
    if let registers { compare(with: registers, queue, status: status, pending: pending) }
  }

  private mutating func compare(
    with registers: UnitRegisters, _ queue: InvalidationQueue, status: [UInt32]?, pending: [Int]
  ) {
    guard let hardware = registers.queue else { return }
    guard registers.status(bit: 26) != false else {
      remarks.append(.off)
      return
    }
    guard hardware.base == queue.base else {
      remarks.append(.otherQueue(hardware.base))
      return
    }
    guard hardware.entries == entries, hardware.descriptorSize == queue.descriptorSize else {
      remarks.append(
        .otherShape(entries: hardware.entries, descriptorSize: hardware.descriptorSize))
      return
    }
    guard hardware.head < entries, hardware.tail < entries else {
      remarks.append(.outside(head: hardware.head, tail: hardware.tail))
      return
    }
    head = hardware.head
    tail = hardware.tail
    if hardware.tail != kernelNext {
      remarks.append(.otherNext(tail: hardware.tail, next: kernelNext))
    }
    if let status {
      let done = (0..<hardware.pending).map { (hardware.head + $0) % entries }.filter {
        // Free and done; what the kernel gave up is no belief that it was done.
        isFetched($0) == false && $0 < status.count && [0, 2].contains(status[$0])
      }
      if let first = done.first {
        remarks.append(.doneUnfetched(count: done.count, first: first))
      }
    }
    let unanswered = pending.filter { isFetched($0) == true }
    if let first = unanswered.first {
      remarks.append(.unanswered(count: unanswered.count, first: first))
    }
  }
}
