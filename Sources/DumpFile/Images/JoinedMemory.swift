// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// Physical memory of which several files hold a piece each; a page comes from the first file that has
/// it whole.
final class JoinedMemory: PhysicalMemory, StoredRuns {
  private let pieces: [ELFMemory]

  init(_ pieces: [ELFMemory]) { self.pieces = pieces }

  var memoryFrames: [Range<UInt64>] { ELFMemory.union(pieces.flatMap(\.memoryFrames)) }

  func page(_ frame: UInt64) throws(MemoryError) -> Page {
    try piece(of: frame).page(frame)
  }

  var isFreeToRead: Bool { true }

  func absence(_ frame: UInt64) -> Absence? { piece(of: frame).absence(frame) }

  func relax(_ frames: Range<UInt64>) {
    for piece in pieces { piece.relax(frames) }
  }

  func part(_ frame: UInt64) -> PagePart? {
    pieces.lazy.compactMap { $0.part(frame) }.first
  }

  func storedRun(from frame: UInt64) -> Range<UInt64>? {
    pieces.compactMap { $0.storedRun(from: frame) }.min { $0.lowerBound < $1.lowerBound }
  }

  /// The piece that has a page, or else the one that knows best why it is not there.
  private func piece(of frame: UInt64) -> ELFMemory {
    var best = pieces[0]
    for piece in pieces {
      switch piece.absence(frame) {
      case nil: return piece
      case .notInDump: continue
      default: best = piece
      }
    }
    return best
  }
}
