// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// Tells targets that only one domain reaches, without sorting them.
///
/// Memory is cut into pieces of 2 MiB, and pieces far apart share a slot: a slot that two domains
/// touch proves nothing, but what two domains reach lies in such a slot, always.
struct SharedPlaces: Sendable {
  private static let shift: UInt64 = 21
  private static let slotMask: UInt64 = (1 << 18) - 1
  private static let nobody = Int32.max
  private static let several = Int32.max - 1

  private var slots: [Int32] = Array(repeating: nobody, count: Int(slotMask) + 1)
  /// Slots that may be marked; 2^26 are 128 TiB. When they are spent, nothing is told apart.
  private static let marks: UInt64 = 1 << 26
  private var marksLeft = marks
  private var isBlind = false

  private static func pieces(_ range: ClosedRange<UInt64>) -> ClosedRange<UInt64> {
    range.lowerBound >> shift...range.upperBound >> shift
  }

  /// Takes what may be written through some runs of a domain.
  mutating func add(_ runs: [Run], domain: Int) {
    let ranges = Workers.ranges(of: runs.count)
    guard ranges.count > 1 else {
      for run in runs where run.access != .read { add(run.targets, domain: domain) }
      return
    }
    let parts = Workers.map(ranges.count) { number in
      var part = SharedPlaces()
      for run in runs[ranges[number]] where run.access != .read {
        part.add(run.targets, domain: domain)
      }
      return part
    }
    for part in parts { add(part) }
  }

  /// Takes what was marked elsewhere.
  private mutating func add(_ other: SharedPlaces) {
    let marked = Self.marks - other.marksLeft
    guard !isBlind, !other.isBlind, marked <= marksLeft else {
      isBlind = true
      return
    }
    marksLeft -= marked
    for slot in slots.indices
    where other.slots[slot] != Self.nobody && slots[slot] != other.slots[slot] {
      slots[slot] = slots[slot] == Self.nobody ? other.slots[slot] : Self.several
    }
  }

  mutating func add(_ range: ClosedRange<UInt64>, domain: Int) {
    guard !isBlind else { return }
    let pieces = Self.pieces(range)
    let last = pieces.upperBound - pieces.lowerBound
    guard last < marksLeft, let domain = Int32(exactly: domain), domain < Self.several else {
      isBlind = true
      return
    }
    marksLeft -= last + 1
    for piece in pieces {
      let slot = Int(truncatingIfNeeded: piece & Self.slotMask)
      if slots[slot] != domain {
        slots[slot] = slots[slot] == Self.nobody ? domain : Self.several
      }
    }
  }

  /// Whether another domain may reach some of the range, which was added for one.
  func mayShare(_ range: ClosedRange<UInt64>) -> Bool {
    isBlind
      || Self.pieces(range).contains {
        slots[Int(truncatingIfNeeded: $0 & Self.slotMask)] == Self.several
      }
  }
}
