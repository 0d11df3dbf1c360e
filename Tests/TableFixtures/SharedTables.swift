// SPDX-License-Identifier: Apache-2.0

public import MemoryFixtures

extension SyntheticMemory {
  /// A legacy root at 0x1000 with contexts of bus 0, each with a top table of its own over three
  /// pages that all share: 2^36 leaves each, no two of them neighbours.
  ///
  /// - Parameter spaces: contexts, at most 256.
  public static func sharedTables(spaces: Int) -> SyntheticMemory {
    var tables: [UInt64: [UInt64]] = [:]
    tables[1] = (0..<512).map { $0 == 0 ? 0x2001 : 0 }
    tables[2] = (0..<512).map { word in
      guard word / 2 < spaces else { return 0 }
      return word % 2 == 0 ? UInt64(0x100 + word / 2) << 12 | 1 : UInt64(word) << 8 | 2
    }
    tables[3] = Array(repeating: 0x4003, count: 512)
    tables[4] = Array(repeating: 0x5003, count: 512)
    tables[5] = (0..<512).map { UInt64(0x2000 + 2 * $0) << 12 | 3 }
    for space in 0..<UInt64(spaces) {
      tables[0x100 + space] = Array(repeating: 0x3003, count: 512)
    }
    return SyntheticMemory(tables: tables)
  }
}
