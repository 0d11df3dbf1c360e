// SPDX-License-Identifier: Apache-2.0

import Memory
import Report

/// A sink that takes as much as a run may write.
final class BoundedSink: ByteSink {
  private let sink: any ByteSink
  private let work: WorkBudget

  init(_ sink: any ByteSink, _ work: WorkBudget) {
    self.sink = sink
    self.work = work
  }

  func write(_ bytes: [UInt8]) throws(OutputError) {
    guard work.spend(.output, bytes.count) else {
      work.cut(.output, "the writing of the result")
      throw .spent
    }
    try sink.write(bytes)
  }
}
