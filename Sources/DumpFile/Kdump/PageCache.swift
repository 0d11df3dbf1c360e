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

  static let capacity = 256

  private struct State {
    var slots: [Key: Int] = [:]
    var entries: [(key: Key, page: Page, isUsed: Bool)] = []
    /// The clock's hand: the slot that is looked at next when one is needed.
    var hand = 0
  }

  private let state = Mutex(State())

  func page(_ key: Key) -> Page? {
    state.withLock { state in
      guard let slot = state.slots[key] else { return nil }
      state.entries[slot].isUsed = true
      return state.entries[slot].page
    }
  }

  func insert(_ page: Page, _ key: Key) {
    state.withLock { state in
      // Another thread may have decompressed the same page meanwhile.
      guard state.slots[key] == nil else { return }
      guard state.entries.count >= Self.capacity else {
        state.slots[key] = state.entries.count
        state.entries.append((key, page, false))
        return
      }
      // Entries used since the hand came by get another round; after one round none is left.
      while state.entries[state.hand].isUsed {
        state.entries[state.hand].isUsed = false
        state.hand = (state.hand + 1) % Self.capacity
      }
      state.slots[state.entries[state.hand].key] = nil
      state.slots[key] = state.hand
      state.entries[state.hand] = (key, page, false)
      state.hand = (state.hand + 1) % Self.capacity
    }
  }
}
