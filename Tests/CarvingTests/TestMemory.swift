// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Physical memory made of single words, within RAM of a fixed size.
final class TestMemory: PhysicalMemory {
  private let pages: [UInt64: Page]
  private let frames: UInt64

  /// - Parameters:
  ///   - frames: RAM is that many pages; those without words are missing in the dump.
  ///   - words: values by physical address.
  init(frames: UInt64 = 0x1000, _ words: [UInt64: UInt64]) {
    var contents: [UInt64: [UInt8]] = [:]
    for (address, word) in words {
      let offset = Int(address & 0xfff)
      for byte in 0..<8 {
        contents[address >> 12, default: [UInt8](repeating: 0, count: Page.size)][offset + byte] =
          UInt8(truncatingIfNeeded: word >> UInt64(8 * byte))
      }
    }
    pages = contents.mapValues { Page($0) }
    self.frames = frames
  }

  func page(_ frame: UInt64) throws(MemoryError) -> Page {
    guard let page = pages[frame] else {
      throw MemoryError(at: PhysicalAddress(frame << 12), .excluded)
    }
    return page
  }

  func absence(_ frame: UInt64) -> Absence? { pages[frame] == nil ? .excluded : nil }

  var memoryFrames: [Range<UInt64>] { [0..<frames] }
  var storedFrames: [Range<UInt64>] { pages.keys.sorted().map { $0..<$0 + 1 } }
}
