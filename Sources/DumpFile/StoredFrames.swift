// SPDX-License-Identifier: Apache-2.0

/// The frames with bytes in a dump as runs, ascending and disjoint; found while iterating.
///
/// Unlike `memoryFrames`, which may claim any amount of memory, the number of these frames is
/// bounded by the file's size. Pages among them may still turn out to be cut or corrupt, and pages
/// that an extract knows to be zero are not among them.
public struct StoredFrames: Sequence, Sendable {
  private let source: any StoredRuns

  init(_ source: any StoredRuns) { self.source = source }

  public struct Iterator: IteratorProtocol {
    fileprivate let source: any StoredRuns
    fileprivate var position: UInt64 = 0

    public mutating func next() -> Range<UInt64>? {
      guard let run = source.storedRun(from: position) else { return nil }
      position = run.upperBound
      return run
    }
  }

  public func makeIterator() -> Iterator { Iterator(source: source) }
}

/// A memory that can name its stored frames.
protocol StoredRuns: Sendable {
  /// The first run of stored frames that ends behind `frame`, cut to start there at the earliest.
  func storedRun(from frame: UInt64) -> Range<UInt64>?
}
