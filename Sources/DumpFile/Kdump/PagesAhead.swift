// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import Synchronization

/// Pages that were decompressed on all processors before they were asked for.
///
/// A page is given away once, to whoever would have decompressed it then: what is paid for, what is
/// kept and what is wrong with a page is the same as without.
final class PagesAhead: Sendable {
  /// Where a page's bytes are.
  struct Stored: Sendable {
    var key: PageCache.Key
    var codec: Codec
    var bytes: DumpBytes
  }

  /// Pages that are held at once: the tables below one table; 2 MiB.
  static let limit = 512
  /// Fewer are not worth a thread.
  static let least = 64
  /// Pages that a thread takes together.
  private static let together = 16

  private let pages = Mutex<[PageCache.Key: Result<Page, Codec.Failure>]>([:])

  /// Decompresses pages, at most `limit`, in place of those that were made ready last.
  ///
  /// - Parameter decompress: `nil` for a page that is left to whoever asks for it.
  func prepare(
    _ stored: [Stored],
    _ decompress: @escaping @Sendable (Stored) -> Result<Page, Codec.Failure>?
  ) {
    guard stored.count >= Self.least else { return }
    let groups = (stored.count + Self.together - 1) / Self.together
    let results = Workers.map(groups) { group in
      let first = group * Self.together
      return stored[first..<min(first + Self.together, stored.count)].map(decompress)
    }
    var ready: [PageCache.Key: Result<Page, Codec.Failure>] = [:]
    ready.reserveCapacity(stored.count)
    for (page, result) in zip(stored, results.joined()) { ready[page.key] = result }
    pages.withLock { $0 = ready }
  }

  /// The page, if it was made ready and not taken before.
  func take(_ key: PageCache.Key) -> Result<Page, Codec.Failure>? {
    pages.withLock { $0.isEmpty ? nil : $0.removeValue(forKey: key) }
  }
}
