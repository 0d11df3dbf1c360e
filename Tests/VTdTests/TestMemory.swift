// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Physical memory made of single words: what is not written is zero, what is not there is missing.
final class TestMemory: PhysicalMemory {
  private let pages: [UInt64: Page]
  private let absences: [UInt64: Absence]

  /// - Parameters:
  ///   - words: values by physical address; each page that is written to exists.
  ///   - absences: pages that are missing for another reason than being no memory, by address.
  init(_ words: [UInt64: UInt64], absences: [UInt64: Absence] = [:]) {
    var contents: [UInt64: [UInt8]] = [:]
    for (address, word) in words {
      let offset = Int(address & 0xfff)
      for byte in 0..<8 {
        contents[address >> 12, default: [UInt8](repeating: 0, count: Page.size)][offset + byte] =
          UInt8(truncatingIfNeeded: word >> UInt64(8 * byte))
      }
    }
    pages = contents.mapValues { Page($0) }
    self.absences = Dictionary(uniqueKeysWithValues: absences.map { ($0.key >> 12, $0.value) })
  }

  /// - Parameter tables: words of whole pages by frame.
  init(tables: [UInt64: [UInt64]]) {
    pages = tables.mapValues { words in
      // The bytes of the words as they lie in memory, which is little-endian as in the dump.
      Page(unsafe words.withUnsafeBytes { unsafe [UInt8]($0) })
    }
    absences = [:]
  }

  func page(_ frame: UInt64) throws(MemoryError) -> Page {
    guard absences[frame] == nil, let page = pages[frame] else {
      throw MemoryError(at: PhysicalAddress(frame << 12), absences[frame] ?? .notInDump)
    }
    return page
  }

  func absence(_ frame: UInt64) -> Absence? {
    absences[frame] ?? (pages[frame] == nil ? .notInDump : nil)
  }

  var memoryFrames: [Range<UInt64>] { pages.keys.sorted().map { $0..<$0 + 1 } }
}

/// A generator whose seed a failing test prints.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    // SplitMix64.
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
