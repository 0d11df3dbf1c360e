// SPDX-License-Identifier: Apache-2.0

public import Memory
import Synchronization

/// Physical memory made of the pages that a test wrote; any page can be made absent.
public final class FixtureMemory: PhysicalMemory {
  private struct State {
    var frames: [UInt64: [UInt8]] = [:]
    /// Pages handed out since their bytes changed last.
    var pages: [UInt64: Page] = [:]
    var absences: [UInt64: Absence] = [:]
  }

  private let state: Mutex<State>

  public init() {
    state = Mutex(State())
  }

  /// A copy that can be changed without changing `other`.
  public init(copying other: FixtureMemory) {
    state = Mutex(other.state.withLock { $0 })
  }

  public func page(_ frame: UInt64) throws(MemoryError) -> Page {
    let found: Result<Page, MemoryError> = state.withLock { state in
      if let absence = state.absences[frame] {
        return .failure(MemoryError(at: PhysicalAddress(frame &<< 12), absence))
      }
      if let page = state.pages[frame] { return .success(page) }
      guard let bytes = state.frames[frame] else {
        return .failure(MemoryError(at: PhysicalAddress(frame &<< 12), .notInDump))
      }
      let page = Page(bytes)
      state.pages[frame] = page
      return .success(page)
    }
    return try found.get()
  }

  public func absence(_ frame: UInt64) -> Absence? {
    state.withLock { $0.absences[frame] ?? ($0.frames[frame] == nil ? .notInDump : nil) }
  }

  public var memoryFrames: [Range<UInt64>] {
    frames.map { $0..<$0 + 1 }
  }

  /// The frames that have bytes, ascending.
  public var frames: [UInt64] { state.withLock { $0.frames.keys.sorted() } }

  /// Makes the page that contains `address` unreadable; `nil` brings it back.
  public func setAbsence(_ absence: Absence?, at address: PhysicalAddress) {
    state.withLock { $0.absences[address.frame] = absence }
  }

  /// Writes bytes, making pages of zeros where there were none.
  public func write(_ bytes: [UInt8], at address: PhysicalAddress) {
    state.withLock { state in
      var done = 0
      while done < bytes.count {
        let place = PhysicalAddress(address.rawValue + UInt64(done))
        let count = min(Page.size - place.pageOffset, bytes.count - done)
        state.frames[place.frame, default: [UInt8](repeating: 0, count: Page.size)]
          .replaceSubrange(
            place.pageOffset..<place.pageOffset + count, with: bytes[done..<done + count])
        state.pages[place.frame] = nil
        done += count
      }
    }
  }

  /// Bytes as they were written; zeros where nothing was.
  public func read(at address: PhysicalAddress, count: Int) -> [UInt8] {
    state.withLock { state in
      (0..<count).map { index in
        let place = address.rawValue + UInt64(index)
        return state.frames[place >> 12]?[Int(place & 0xfff)] ?? 0
      }
    }
  }
}
