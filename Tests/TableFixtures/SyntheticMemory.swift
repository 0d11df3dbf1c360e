// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Memory written word by word; pages that nothing was written to are absent.
public final class SyntheticMemory: PhysicalMemory, @unchecked Sendable {
  // Written by the test that builds the memory, before anything reads it.
  private var words: [UInt64: [UInt64]] = [:]
  private var pages: [UInt64: Page] = [:]
  private var holes: [UInt64: Absence] = [:]

  public init() {}

  public subscript(_ address: UInt64) -> UInt64 {
    get { words[address >> 12]?[Int(address >> 3 & 511)] ?? 0 }
    set {
      words[address >> 12, default: [UInt64](repeating: 0, count: 512)][Int(address >> 3 & 511)] =
        newValue
      pages[address >> 12] = nil
    }
  }

  public func addPage(_ address: UInt64) {
    if words[address >> 12] == nil { words[address >> 12] = [UInt64](repeating: 0, count: 512) }
  }

  public func remove(_ address: UInt64, _ absence: Absence) {
    words[address >> 12] = nil
    pages[address >> 12] = nil
    holes[address >> 12] = absence
  }

  public func page(_ frame: UInt64) throws(MemoryError) -> Page {
    if let page = pages[frame] { return page }
    guard let content = words[frame] else {
      throw MemoryError(at: PhysicalAddress(frame &<< 12), holes[frame] ?? .notInDump)
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Page.size)
    for word in content {
      for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(byte * 8))) }
    }
    let page = Page(bytes)
    pages[frame] = page
    return page
  }

  public func absence(_ frame: UInt64) -> Absence? {
    words[frame] == nil ? holes[frame] ?? .notInDump : nil
  }

  public var memoryFrames: [Range<UInt64>] { words.keys.sorted().map { $0..<$0 + 1 } }
}
