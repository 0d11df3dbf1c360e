// SPDX-License-Identifier: Apache-2.0

import MemoryFixtures

/// One record of a flattened stream.
public struct FlattenedRecord: Hashable, Sendable {
  /// Offset in the dump.
  public var offset: UInt64
  public var bytes: [UInt8]

  public init(_ offset: UInt64, _ bytes: [UInt8]) {
    self.offset = offset
    self.bytes = bytes
  }
}

/// A stream of `records` as `makedumpfile -F` writes it; with the end mark only if it is complete.
public func flatten(_ records: [FlattenedRecord], isComplete: Bool = true) -> [UInt8] {
  var stream = ByteWriter()
  stream.append(Array("makedumpfile".utf8) + [0, 0, 0, 0])
  stream.append(UInt64(1).byteSwapped)
  stream.append(UInt64(1).byteSwapped)
  stream.grow(to: 4096)
  for record in records {
    stream.append(record.offset.byteSwapped)
    stream.append(UInt64(record.bytes.count).byteSwapped)
    stream.append(record.bytes)
  }
  if isComplete { stream.append([UInt8](repeating: 0xff, count: 16)) }
  return stream.bytes
}

/// A stream of a dump in records of random length and order.
///
/// Some bytes are written twice, wrong ones first. Runs of zeros are left out, as a writer that seeks over them would.
public func flatten(_ dump: [UInt8], seed: UInt64) -> [UInt8] {
  var generator = SeededGenerator(seed: seed)
  var records: [FlattenedRecord] = []
  var start = 0
  while start < dump.count {
    let count = min(dump.count - start, Int.random(in: 1...9000, using: &generator))
    let bytes = Array(dump[start..<start + count])
    if start + count == dump.count || !bytes.allSatisfy({ $0 == 0 }) {
      records.append(FlattenedRecord(UInt64(start), bytes))
    }
    start += count
  }
  records.shuffle(using: &generator)
  let wrong = records.filter { _ in Int.random(in: 0..<8, using: &generator) == 0 }.map {
    FlattenedRecord($0.offset, $0.bytes.map { ~$0 })
  }
  return flatten(wrong + records)
}
