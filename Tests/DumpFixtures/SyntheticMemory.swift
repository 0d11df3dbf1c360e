// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Physical memory made of the words that a test writes down.
///
///     let memory = SyntheticMemory([
///       0x0000: 0x1003,  // L4[0] → 0x1000
///       0x1010: 0x3_c000_0083,  // L4[0] L3[2] → 1 GiB page
///     ])
public final class SyntheticMemory: PhysicalMemory {
  private let pages: [UInt64: Page]
  private let absences: [UInt64: Absence]
  public let memoryFrames: [Range<UInt64>]

  /// - Parameters:
  ///   - words: 64-bit words by physical address, which may be unaligned but must not cross a page;
  ///     a page with a word has zeros everywhere else.
  ///   - absences: by frame; they win over words.
  ///   - memory: the frames that are memory, by default exactly those with words or absences.
  ///     Further frames in it are pages of zeros, frames outside are not in the dump.
  public init(
    _ words: [UInt64: UInt64], absences: [UInt64: Absence] = [:], memory: [Range<UInt64>]? = nil
  ) {
    var pages: [UInt64: ByteWriter] = [:]
    for (address, word) in words {
      pages[address >> 12, default: ByteWriter()].store(word, at: Int(address & 0xfff))
    }
    self.pages = pages.mapValues { Page($0.bytes) }
    self.absences = absences
    memoryFrames = memory ?? Self.runs(Set(pages.keys).union(absences.keys))
  }

  /// The pages and absences of an image that builders turn into dumps.
  public init(_ image: MemoryImage) {
    pages = image.pages.mapValues { Page($0) }
    absences = Dictionary(image.excluded.map { ($0, Absence.excluded) }) { first, _ in first }
    memoryFrames = image.memory
  }

  public func page(_ frame: UInt64) throws(MemoryError) -> Page {
    if let absence = absence(frame) {
      throw MemoryError(at: PhysicalAddress(frame << 12), absence)
    }
    return pages[frame] ?? .zero
  }

  public func absence(_ frame: UInt64) -> Absence? {
    if let absence = absences[frame] { return absence }
    if pages[frame] != nil { return nil }
    return memoryFrames.contains { $0.contains(frame) } ? nil : .notInDump
  }

  static func runs(_ frames: Set<UInt64>) -> [Range<UInt64>] {
    var result: [Range<UInt64>] = []
    for frame in frames.sorted() {
      if let last = result.last, last.upperBound == frame {
        result[result.count - 1] = last.lowerBound..<frame + 1
      } else {
        result.append(frame..<frame + 1)
      }
    }
    return result
  }
}
