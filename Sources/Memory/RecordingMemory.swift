// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A decorator that remembers every page that was asked for: what `extract` has to store.
public final class RecordingMemory: PhysicalMemory {
  private let wrapped: any PhysicalMemory
  private let asked = Mutex<[UInt64: Absence?]>([:])

  public init(_ wrapped: any PhysicalMemory) {
    self.wrapped = wrapped
  }

  /// Every frame asked for so far, in order, with the reason where the page was absent.
  public var record: [(frame: UInt64, absence: Absence?)] {
    asked.withLock { $0.sorted { $0.key < $1.key }.map { (frame: $0.key, absence: $0.value) } }
  }

  public func page(_ frame: UInt64) throws(MemoryError) -> Page {
    do {
      let page = try wrapped.page(frame)
      asked.withLock { $0[frame] = .some(nil) }
      return page
    } catch {
      asked.withLock { $0[frame] = error.absence }
      throw error
    }
  }

  public func part(_ frame: UInt64) -> PagePart? {
    // It was asked for as a page before.
    wrapped.part(frame)
  }

  public func absence(_ frame: UInt64) -> Absence? {
    wrapped.absence(frame)
  }

  public var memoryFrames: [Range<UInt64>] { wrapped.memoryFrames }
}
