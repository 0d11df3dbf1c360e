// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Words of physical memory that a takeover writes where they stand.
public struct TableEdits: Hashable, Sendable {
  /// Words by their physical address, which is a multiple of 8.
  public private(set) var words: [UInt64: UInt64] = [:]

  public init() {}

  public var isEmpty: Bool { words.isEmpty }

  /// Notes that `word` stands at `address` afterwards; unaligned addresses are passed by.
  mutating func store(_ word: UInt64, at address: PhysicalAddress) {
    guard address.rawValue & 7 == 0 else { return }
    words[address.rawValue] = word
  }

  func word(at address: PhysicalAddress) -> UInt64? { words[address.rawValue] }
}

/// A memory with some words written, in front of the one that it was read from.
public final class EditedMemory: PhysicalMemory {
  private let pages: [UInt64: Page]
  private let beneath: any PhysicalMemory

  /// Edits of pages that `beneath` lacks are left out: nobody could read them either.
  public init(_ edits: TableEdits, over beneath: any PhysicalMemory) {
    self.beneath = beneath
    var byFrame: [UInt64: [(offset: Int, word: UInt64)]] = [:]
    for (address, word) in edits.words {
      byFrame[address >> 12, default: []].append((Int(address & 0xfff), word))
    }
    var pages: [UInt64: Page] = [:]
    for (frame, edits) in byFrame {
      guard let page = try? beneath.pageOrAssumedZero(frame).page else { continue }
      var bytes = page.withBytes { (try? $0.copy(at: 0, count: Page.size)) ?? [] }
      guard bytes.count == Page.size else { continue }
      for edit in edits {
        for index in 0..<8 {
          bytes[edit.offset + index] = UInt8(truncatingIfNeeded: edit.word >> UInt64(8 * index))
        }
      }
      pages[frame] = Page(bytes)
    }
    self.pages = pages
  }

  public func page(_ frame: UInt64) throws(MemoryError) -> Page {
    if let page = pages[frame] { return page }
    return try beneath.page(frame)
  }

  public func absence(_ frame: UInt64) -> Absence? {
    pages[frame] == nil ? beneath.absence(frame) : nil
  }

  public var memoryFrames: [Range<UInt64>] { beneath.memoryFrames }
}
