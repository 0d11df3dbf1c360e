// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import Memory
import MemoryFixtures

/// Sound memory in which the fuzzer lets chosen words lie.
///
/// Bytes alone get nowhere: of a kernel's memory, next to none matters. Words that mean something are
/// numbered, and an input says which of them to replace by what: by another object's address, by its
/// neighbour, by an extreme, by any bits.
struct MemoryEdits: Sendable {
  let memory: SyntheticMemory
  private let words: [UInt64]
  /// What pointers to those words look like; in tables, their addresses.
  private let pointers: [UInt64]

  /// - Parameters:
  ///   - memory: sound.
  ///   - pointer: what points to an address.
  ///   - isMeant: whether a word at an address may be made to lie.
  init(
    _ memory: SyntheticMemory, pointer: (UInt64) -> UInt64,
    isMeant: (UInt64) -> Bool = { _ in true }
  ) {
    self.memory = memory
    var words: [UInt64] = []
    for frame in memory.frames {
      let bytes = memory.read(at: PhysicalAddress(frame << 12), count: 4096)
      for offset in stride(from: 0, to: 4096, by: 8) {
        // Zeros are mostly padding; what stands beside something may be a null pointer.
        let isNear = bytes[max(0, offset - 8)..<min(4096, offset + 16)].contains { $0 != 0 }
        let place = frame << 12 | UInt64(offset)
        if isNear, isMeant(place) { words.append(place) }
      }
    }
    self.words = words
    pointers = words.map(pointer)
  }

  /// Memory with the input's lies in it.
  func applied(_ input: inout FuzzBytes) -> SyntheticMemory {
    let copy = SyntheticMemory(copying: memory)
    guard !words.isEmpty else { return copy }
    for _ in 0..<64 where !input.isEmpty {
      let kind = input.byte()
      let place = words[input.index(below: words.count)]
      let old = copy[place]
      switch kind & 7 {
      case 0:
        // Somebody else's address, and what stands in its low bits.
        copy[place] = pointers[input.index(below: words.count)] &+ UInt64(kind >> 3)
      case 1: copy[place] = UInt64.extremes[input.index(below: UInt64.extremes.count)]
      case 2: copy[place] = old ^ 1 << UInt64(input.byte() & 63)
      case 3: copy[place] = copy[words[input.index(below: words.count)]]
      case 4:
        copy[place] =
          old &+ UInt64(bitPattern: Int64(Int8(bitPattern: input.byte()))) << UInt64(kind >> 3)
      case 5: copy[place] = input.word()
      case 6: copy[place] = old & ~0xffff_ffff | input.word(4)
      default:
        copy.setAbsence(
          [.excluded, .zeroOrExcluded, .notInDump][Int(kind >> 3) % 3], at: PhysicalAddress(place))
      }
    }
    return copy
  }

  /// Inputs that lie a little: none, and one of each kind.
  static let seeds: [[UInt8]] =
    [[]] + (0..<8).map { [UInt8($0), 0x20, UInt8($0 * 13), 0x21, 0x40, 1, 2, 3, 4, 5] }
}
