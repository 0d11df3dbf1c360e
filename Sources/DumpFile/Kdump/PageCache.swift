// SPDX-License-Identifier: Apache-2.0

import Memory
import Synchronization

/// The pages decompressed last, at most 1 MiB of them.
///
/// Keyed by where the compressed bytes are, so that the one stored page of zeros, which thousands
/// of frames share, is decompressed once.
final class PageCache: Sendable {
  /// What a page descriptor says; equal keys give equal pages.
  struct Key: Hashable, Sendable {
    var part: Int
    var offset: UInt64
    var size: UInt32
    var flags: UInt32
  }

  static let capacity = sets * ways
  private static let sets = 64
  private static let ways = 4

  private struct State {
    /// The slots of set n are those from 4 × n on; `nil` while empty.
    var slots: [(key: Key, page: Page)?] = Array(repeating: nil, count: capacity)
    /// The slot of a set that is given away next.
    var oldest: [UInt8] = Array(repeating: 0, count: sets)
  }

  private let state = Mutex(State())

  /// The first slot of the set that a key belongs to.
  private static func set(of key: Key) -> Int {
    // Places of neighbours differ in their low bits; the product carries them all to the top.
    let spread = (key.offset &+ UInt64(truncatingIfNeeded: key.part)) &* 0x9e37_79b9_7f4a_7c15
    return Int(truncatingIfNeeded: spread >> 58)
  }

  /// Whether the page is here, which changes nothing.
  func contains(_ key: Key) -> Bool { page(key) != nil }

  func page(_ key: Key) -> Page? {
    let first = Self.set(of: key) &* Self.ways
    return state.withLock { state in
      for slot in first..<first &+ Self.ways {
        if let entry = state.slots[slot], entry.key == key { return entry.page }
      }
      return nil
    }
  }

  func insert(_ page: Page, _ key: Key) {
    let set = Self.set(of: key)
    let first = set &* Self.ways
    state.withLock { state in
      // Another thread may have decompressed the same page meanwhile.
      for slot in first..<first &+ Self.ways {
        if let entry = state.slots[slot], entry.key == key { return }
      }
      let way = Int(state.oldest[set])
      state.slots[first &+ way] = (key, page)
      state.oldest[set] = UInt8(truncatingIfNeeded: (way &+ 1) % Self.ways)
    }
  }
}
