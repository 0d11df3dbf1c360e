// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A few bytes to be found among many.
struct BytePattern {
  let bytes: [UInt8]
  /// The byte that is looked for; the others are compared where it is.
  private let pivot: Int

  /// Prepares the search; `sample` is the beginning of what will be searched, to choose a rare byte.
  init(_ bytes: [UInt8], sample: ArraySlice<UInt8>) {
    var frequency = [Int](repeating: 0, count: 256)
    for byte in sample { frequency[Int(byte)] += 1 }
    self.bytes = bytes
    pivot = bytes.indices.min { frequency[Int(bytes[$0])] < frequency[Int(bytes[$1])] } ?? 0
  }

  /// The first place at or after `start` where all bytes are; `nil` for an empty pattern.
  func first(in haystack: [UInt8], from start: Int) -> Int? {
    // The buffer is valid for the call.
    unsafe haystack.withUnsafeBytes { unsafe first(in: $0, from: start) }
  }

  func first(in haystack: UnsafeRawBufferPointer, from start: Int) -> Int? {
    guard !bytes.isEmpty, let base = haystack.baseAddress else { return nil }
    var start = max(0, start)
    while start <= haystack.count - bytes.count {
      // The first and the last byte looked at are inside the buffer, because a whole pattern fits
      // between `start` and its end.
      let count = haystack.count - bytes.count - start + 1
      guard let hit = unsafe memchr(base + start + pivot, Int32(bytes[pivot]), count) else {
        return nil
      }
      let candidate = unsafe UnsafeRawPointer(hit) - base - pivot
      if bytes.indices.allSatisfy({ unsafe haystack[candidate + $0] == bytes[$0] }) {
        return candidate
      }
      start = candidate + 1
    }
    return nil
  }
}

extension ELFSection {
  /// Calls `body` with each place of the bytes in the section until it returns `false`.
  func forEachPlace(
    of bytes: [UInt8], _ body: (Int) throws(TypeError) -> Bool
  ) throws(TypeError) {
    // What is rare at the start of a section is rare in it.
    let pattern = BytePattern(bytes, sample: try prefix(at: 0, upTo: 1 << 12)[...])
    var buffer: [UInt8] = []
    var start = 0
    while start < byteCount {
      let end = min(start + 1 << 20, byteCount)
      try read(start..<end, into: &buffer)
      var place = 0
      while let hit = pattern.first(in: buffer, from: place) {
        guard try body(start + hit) else { return }
        place = hit + 1
      }
      // The next chunk repeats the last bytes, in which the pattern may have begun.
      start = end == byteCount ? end : end - (bytes.count - 1)
    }
  }
}
