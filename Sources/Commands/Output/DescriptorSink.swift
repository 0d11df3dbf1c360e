// SPDX-License-Identifier: Apache-2.0

internal import Files
import Report

/// A sink over an open file descriptor, which somebody else closes.
final class DescriptorSink: ByteSink {
  private let output: OutputDescriptor

  init(_ output: OutputDescriptor) { self.output = output }

  func write(_ bytes: [UInt8]) throws(OutputError) {
    do {
      try output.write(bytes)
    } catch {
      throw error.isClosedByReader ? .closed : .failed(error.description)
    }
  }
}
