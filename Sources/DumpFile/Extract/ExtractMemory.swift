// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
import Memory

/// Physical memory as an extract has it: stored pages, and the note's word for the others.
///
/// For every frame that the extract's maker asked for, the answers are the original dump's. Any
/// other frame is not part of the extract, which is an answer of its own.
final class ExtractMemory: PhysicalMemory {
  static let notPart = Absence.unsupported("not part of this extract")

  private let stored: ELFMemory
  private let note: ExtractNote

  init(_ stored: ELFMemory, _ note: ExtractNote) {
    self.stored = stored
    self.note = note
  }

  var memoryFrames: [Range<UInt64>] { note.memoryFrames }

  func page(_ frame: UInt64) throws(MemoryError) -> Page {
    do {
      return try stored.page(frame)
    } catch {
      // What a segment describes is the segment's business, even if the extract itself was cut.
      guard error.absence == .notInDump else { throw error }
    }
    if note.zeroFrames.contains(frame: frame) { return .zero }
    let address = PhysicalAddress(frame: frame)
    guard let run = absentRun(frame) else { throw MemoryError(at: address, Self.notPart) }
    throw MemoryError(
      at: address.advanced(by: UInt64(run.pageOffset)) ?? address, run.absence)
  }

  func part(_ frame: UInt64) -> PagePart? { stored.part(frame) }

  func absence(_ frame: UInt64) -> Absence? {
    let absence = stored.absence(frame)
    guard absence == .notInDump else { return absence }
    if note.zeroFrames.contains(frame: frame) || note.presentFrames.contains(frame: frame) {
      return nil
    }
    guard let run = absentRun(frame) else { return Self.notPart }
    return run.isKnownUnread ? run.absence : nil
  }

  private func absentRun(_ frame: UInt64) -> ExtractNote.AbsentRun? {
    let index = note.absences.partitioningIndex { $0.frames.upperBound > frame }
    guard index < note.absences.count, note.absences[index].frames.contains(frame) else {
      return nil
    }
    return note.absences[index]
  }
}

extension [Range<UInt64>] {
  /// Whether one of the ranges, which are ascending and disjoint, contains `frame`.
  fileprivate func contains(frame: UInt64) -> Bool {
    let index = partitioningIndex { $0.upperBound > frame }
    return index < count && self[index].contains(frame)
  }
}

extension PhysicalAddress {
  /// The first byte of a page; frames beyond 64 bits of address, which exist nowhere, are cut.
  init(frame: UInt64) { self.init((frame & (.max >> 12)) << 12) }
}
