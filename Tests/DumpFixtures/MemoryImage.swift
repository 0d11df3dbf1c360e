// SPDX-License-Identifier: Apache-2.0

public import MemoryFixtures

/// The memory of a machine that the builders turn into dumps of every format.
public struct MemoryImage: Sendable {
  /// Frames that are memory; ascending and disjoint.
  public var memory: [Range<UInt64>]
  /// 4096 bytes by frame; frames of `memory` that are in neither collection hold zeros.
  public var pages: [UInt64: [UInt8]]
  /// Frames of `memory` that the dump leaves out.
  public var excluded: Set<UInt64>

  public init(
    memory: [Range<UInt64>], pages: [UInt64: [UInt8]] = [:], excluded: Set<UInt64> = []
  ) {
    self.memory = memory
    self.pages = pages
    self.excluded = excluded
  }

  /// Two ranges of memory with a hole between them, the same for the same seed.
  ///
  /// There are text-like, random and zero pages, and some that are left out.
  public static func random(seed: UInt64, frames: UInt64 = 48) -> MemoryImage {
    var generator = SeededGenerator(seed: seed)
    let gap = 16 + UInt64.random(in: 0..<16, using: &generator)
    let lower = 1 + frames / 3
    var image = MemoryImage(memory: [1..<lower, lower + gap..<frames + gap])
    for frame in image.frames {
      switch Int.random(in: 0..<6, using: &generator) {
      case 0: image.excluded.insert(frame)
      case 1: break
      case 2:
        image.pages[frame] = (0..<4096).map { _ in
          UInt8.random(in: .min ... .max, using: &generator)
        }
      default:
        let words = (0..<8).map { _ in UInt8.random(in: 0x20..<0x7f, using: &generator) }
        image.pages[frame] = (0..<4096).map { words[$0 * 7 / 5 % 8] &+ UInt8($0 / 512) }
      }
    }
    return image
  }

  /// Every frame of `memory`, ascending.
  public var frames: [UInt64] { memory.flatMap(Array.init) }

  /// One past the highest frame.
  public var frameLimit: UInt64 { memory.last?.upperBound ?? 0 }

  /// The bytes of a frame that is in the dump.
  public func bytes(_ frame: UInt64) -> [UInt8] {
    pages[frame] ?? [UInt8](repeating: 0, count: 4096)
  }
}

extension SyntheticMemory {
  /// The pages and absences of an image that builders turn into dumps.
  public convenience init(_ image: MemoryImage) {
    self.init(pages: image.pages, excluded: image.excluded, memory: image.memory)
  }
}
