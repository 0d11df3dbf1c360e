// SPDX-License-Identifier: Apache-2.0

public import Evidence
internal import LinuxIOMMU
public import Memory
internal import RemappingState
public import Translation
internal import VTd

/// A descriptor that the invalidation queue still holds.
public struct PastInvalidation: Hashable, Sendable {
  public var unit: String
  /// Slot of the ring.
  public var slot: Int
  /// 1 for the newest descriptor.
  public var age: Int
  /// `iotlb`, `wait`, ….
  public var type: String
  public var raw: [HexWord]
  /// Fields that are not zero, from the lowest up.
  public var fields: [DecodedField]
  /// 0 free, 1 in use, 2 done, 3 aborted, as the kernel keeps it; `nil` if unreadable.
  public var status: UInt32?
  /// Whether it was submitted and is not known to be done, by itself or by a later wait.
  public var isPending = false
  /// Whether the unit has fetched it, by its head register; `nil` where no registers tell.
  public var isFetched: Bool?
  /// Devices of its source id or domain-id.
  public var devices: [DeviceName]

  /// Whether it only waits for the ones before it.
  public var isWait: Bool { type == "wait" }
}

/// What the invalidation queues were told last.
public enum InvalidationHistory {
  /// Where every unit's queue stands, by unit.
  public static func queues(_ evidence: DumpEvidence) -> [QueueAccount] {
    evidence.state.units.compactMap { unit in
      guard let queue = unit.invalidationQueue, isRing(queue),
        (0..<queue.entries).contains(queue.freeTail)
      else { return nil }
      let kernel = kernelQueue(of: unit, evidence)
      return QueueAccount(
        unit: unit.name, queue, free: kernel?.freeCount, status: kernel?.status,
        pending: kernel?.pending ?? [],
        registers: evidence.state.registers?.first { $0.unit == unit.name })
    }
  }

  private static func isRing(_ queue: InvalidationQueue) -> Bool {
    (1...4096).contains(queue.entries) && (0..<queue.entries).contains(queue.freeHead)
      && (queue.descriptorSize == 16 || queue.descriptorSize == 32)
  }

  private static func kernelQueue(
    of unit: Unit, _ evidence: DumpEvidence
  ) -> LinuxInvalidationQueue? {
    evidence.kernel?.structures.units.first { $0.name == unit.name }?.invalidationQueue
  }

  /// The descriptors of every unit's ring, oldest first; old slots are not erased, so a ring holds
  /// the last 256.
  public static func descriptors(_ evidence: DumpEvidence) -> [PastInvalidation] {
    var result: [PastInvalidation] = []
    let names = EventNames(evidence.state)
    let accounts = queues(evidence)
    for unit in evidence.state.units {
      guard let queue = unit.invalidationQueue, let base = queue.base, isRing(queue) else {
        continue
      }
      let account = accounts.first { $0.unit == unit.name }
      let kernelQueue = kernelQueue(of: unit, evidence)
      let status = kernelQueue?.status
      let pending = Set(kernelQueue?.pending ?? [])
      for back in stride(from: queue.entries, through: 1, by: -1) {
        let slot = (queue.freeHead + queue.entries - back) % queue.entries
        guard let address = base.advanced(by: UInt64(slot * queue.descriptorSize)),
          // A ring that is not aligned to its descriptors is none.
          address.pageOffset + queue.descriptorSize <= Page.size,
          let page = try? evidence.memory.pageOrAssumedZero(address.frame).page
        else { continue }
        let words = (0..<queue.descriptorSize / 8).map {
          page[word: address.pageOffset / 8 + $0]
        }
        // A slot that was never filled.
        guard words[0] != 0 else { continue }
        let descriptor = InvalidationDescriptor(words: words)
        result.append(
          PastInvalidation(
            unit: unit.name, slot: slot, age: back, type: descriptor.type.description,
            raw: words.map { HexWord($0) },
            fields: descriptor.fields.filter {
              $0.bits.lowerBound < words.count * 64 && $0.value(in: words) != 0
            }.map { DecodedField($0, in: words) },
            status: status.flatMap { slot < $0.count ? $0[slot] : nil },
            isPending: pending.contains(slot), isFetched: account?.isFetched(slot),
            devices: names.devices(unit: unit.name, words: words)
          ))
      }
    }
    return result
  }
}
