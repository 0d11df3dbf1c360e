// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A decorator that remembers every page that was asked for: what `extract` has to store.
public final class RecordingMemory: PhysicalMemory {
  private let wrapped: any PhysicalMemory
  private let asked = Mutex<[UInt64: Absence?]>([:])
  private let purposes = Mutex<(now: ReadingPurpose, first: [UInt64: ReadingPurpose])>(
    (.other, [:]))

  public init(_ wrapped: any PhysicalMemory) {
    self.wrapped = wrapped
  }

  /// Pages that are asked for from now on, for the first time, are read for this.
  public func begin(_ purpose: ReadingPurpose) { purposes.withLock { $0.now = purpose } }

  /// What every frame was first asked for.
  public var firstPurposes: [UInt64: ReadingPurpose] { purposes.withLock { $0.first } }

  /// Every frame asked for so far, in order, with the reason where the page was absent.
  public var record: [(frame: UInt64, absence: Absence?)] {
    asked.withLock { $0.sorted { $0.key < $1.key }.map { (frame: $0.key, absence: $0.value) } }
  }

  public func page(_ frame: UInt64) throws(MemoryError) -> Page {
    do {
      let page = try wrapped.page(frame)
      note(frame)
      asked.withLock { $0[frame] = .some(nil) }
      return page
    } catch {
      note(frame)
      asked.withLock { $0[frame] = error.absence }
      throw error
    }
  }

  private func note(_ frame: UInt64) {
    purposes.withLock { purposes in
      if purposes.first[frame] == nil { purposes.first[frame] = purposes.now }
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

  public var readsAhead: Bool { wrapped.readsAhead }

  /// What is only made ready was not asked for.
  public func willRead(_ frames: [UInt64]) { wrapped.willRead(frames) }

  public func relax(_ frames: Range<UInt64>) { wrapped.relax(frames) }
}
