// SPDX-License-Identifier: Apache-2.0

public import Memory
import Synchronization

/// Physical memory that a test writes down, word by word or byte by byte.
///
///     let memory = SyntheticMemory([
///       0x0000: 0x1003,  // L4[0] → 0x1000
///       0x1010: 0x3_c000_0083,  // L4[0] L3[2] → 1 GiB page
///     ])
///
/// A page that something was written to has zeros everywhere else; every other page is absent, unless
/// the memory was given ranges to fill.
public final class SyntheticMemory: PhysicalMemory {
  fileprivate struct State {
    var contents: [UInt64: [UInt8]] = [:]
    /// Pages handed out since their bytes changed last.
    var pages: [UInt64: Page] = [:]
    /// By frame; they win over contents.
    var absences: [UInt64: Absence] = [:]
  }

  private let state: Mutex<State>
  /// The frames that are memory, where that is not what was written.
  private let ranges: [Range<UInt64>]?
  /// Why a frame of `ranges` without content is absent; `nil` where such frames are zeros.
  private let gaps: Absence?

  /// - Parameters:
  ///   - words: 64-bit words by physical address, which may be unaligned but must not cross a page.
  ///   - absences: by any address of the page; they win over words.
  ///   - memory: the frames that are memory, by default exactly those with words or absences.
  ///     Further frames in it are pages of zeros, frames outside are not in the dump.
  ///   - gaps: why those further frames are absent, if they are not zeros.
  public init(
    _ words: [UInt64: UInt64] = [:], absences: [UInt64: Absence] = [:],
    memory: [Range<UInt64>]? = nil, gaps: Absence? = nil
  ) {
    var state = State()
    for (address, word) in words {
      state.write(word.littleEndianBytes, at: address)
    }
    for (address, absence) in absences { state.absences[address >> 12] = absence }
    self.state = Mutex(state)
    ranges = memory
    self.gaps = gaps
  }

  /// - Parameter tables: the 512 words of whole pages by frame.
  public init(tables: [UInt64: [UInt64]]) {
    var state = State()
    state.contents = tables.mapValues { $0.flatMap(\.littleEndianBytes) }
    self.state = Mutex(state)
    ranges = nil
    gaps = nil
  }

  /// - Parameters:
  ///   - pages: 4096 bytes by frame.
  ///   - excluded: frames that the dump leaves out.
  ///   - memory: the frames that are memory; those in neither collection are zeros.
  public init(pages: [UInt64: [UInt8]], excluded: Set<UInt64>, memory: [Range<UInt64>]) {
    var state = State()
    state.contents = pages
    for frame in excluded { state.absences[frame] = .excluded }
    self.state = Mutex(state)
    ranges = memory
    gaps = nil
  }

  /// A copy that can be changed without changing `other`.
  public init(copying other: SyntheticMemory) {
    state = Mutex(other.state.withLock { $0 })
    ranges = other.ranges
    gaps = other.gaps
  }

  // MARK: Reading

  public func page(_ frame: UInt64) throws(MemoryError) -> Page {
    let page: Page? = state.withLock { state in
      guard state.absences[frame] == nil else { return nil }
      if let page = state.pages[frame] { return page }
      guard let bytes = state.contents[frame] else { return nil }
      let page = Page(bytes)
      state.pages[frame] = page
      return page
    }
    if let page { return page }
    if let absence = absence(frame) {
      throw MemoryError(at: PhysicalAddress(frame &<< 12), absence)
    }
    return .zero
  }

  public func absence(_ frame: UInt64) -> Absence? {
    let (absence, hasContent) = state.withLock {
      ($0.absences[frame], $0.contents[frame] != nil)
    }
    if let absence { return absence }
    if hasContent { return nil }
    return ranges?.contains { $0.contains(frame) } ?? false ? gaps : .notInDump
  }

  public var isReadConcurrently: Bool { true }

  public var memoryFrames: [Range<UInt64>] {
    ranges
      ?? Self.runs(state.withLock { Set($0.contents.keys).union($0.absences.keys) }.sorted())
  }

  /// The frames that have bytes, ascending.
  public var frames: [UInt64] { state.withLock { $0.contents.keys.sorted() } }

  /// Runs of the frames that have bytes.
  public var storedFrames: [Range<UInt64>] { Self.runs(frames) }

  private static func runs(_ frames: [UInt64]) -> [Range<UInt64>] {
    var result: [Range<UInt64>] = []
    for frame in frames {
      if let last = result.last, last.upperBound == frame {
        result[result.count - 1] = last.lowerBound..<frame + 1
      } else {
        result.append(frame..<frame + 1)
      }
    }
    return result
  }

  /// Bytes as they were written; zeros where nothing was.
  public func read(at address: PhysicalAddress, count: Int) -> [UInt8] {
    state.withLock { state in
      (0..<count).map { index in
        let place = address.rawValue + UInt64(index)
        return state.contents[place >> 12]?[Int(place & 0xfff)] ?? 0
      }
    }
  }

  // MARK: Writing

  /// The word at an address; zero where nothing was written.
  public subscript(address: UInt64) -> UInt64 {
    get { (try? read(at: PhysicalAddress(address), count: 8).littleEndian(at: 0)) ?? 0 }
    set { write(newValue.littleEndianBytes, at: PhysicalAddress(address)) }
  }

  /// Writes bytes, making pages of zeros where there were none.
  public func write(_ bytes: [UInt8], at address: PhysicalAddress) {
    state.withLock { $0.write(bytes, at: address.rawValue) }
  }

  /// Makes a page of zeros where there was none.
  public func addPage(_ address: UInt64) { write([], at: PhysicalAddress(address)) }

  /// Takes the page's bytes away; the page is absent from now on.
  public func remove(_ address: UInt64, _ absence: Absence) {
    state.withLock { state in
      state.contents[address >> 12] = nil
      state.pages[address >> 12] = nil
      state.absences[address >> 12] = absence
    }
  }

  /// Makes the page that contains `address` unreadable; `nil` brings it back.
  public func setAbsence(_ absence: Absence?, at address: PhysicalAddress) {
    state.withLock { $0.absences[address.frame] = absence }
  }
}

extension SyntheticMemory.State {
  fileprivate mutating func write(_ bytes: [UInt8], at address: UInt64) {
    var done = 0
    repeat {
      let place = address + UInt64(done)
      let offset = Int(place & 0xfff)
      let count = min(Page.size - offset, bytes.count - done)
      contents[place >> 12, default: [UInt8](repeating: 0, count: Page.size)]
        .replaceSubrange(offset..<offset + count, with: bytes[done..<done + count])
      pages[place >> 12] = nil
      done += count
    } while done < bytes.count
  }
}

extension UInt64 {
  /// The eight bytes as they lie in memory.
  fileprivate var littleEndianBytes: [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: self >> UInt64(8 * $0)) }
  }
}
