// SPDX-License-Identifier: Apache-2.0

internal import KernelTypes
internal import Memory

extension KernelImage {
  /// The kernel log from its oldest message on, whichever form this kernel keeps it in.
  ///
  /// - Parameter body: called for each message that was kept; an error ends the reading.
  public func messages(_ body: (LogMessage) -> Void) throws(KernelError) {
    guard symbol("prb") == nil else {
      var newest: [LogMessage] = []
      var failure: KernelError?
      do {
        try newestMessages { message in
          newest.append(message)
          return true
        }
      } catch {
        // The newest messages were read; they stand.
        failure = error
      }
      for message in newest.reversed() { body(message) }
      if let failure { throw failure }
      return
    }
    try recordMessages(body)
  }

  /// The records of the older log buffer, from `log_first_idx` to `log_next_idx`.
  ///
  /// A record of length 0 says that the next one is at the start of the buffer.
  ///
  /// From Linux commit 7ff9554bb578 ("printk: convert byte-buffer to variable-length record buffer")
  /// (in v3.5) to v5.9; `struct log` was named `struct printk_log` in v3.11.
  /// Source: kernel/printk/printk.c, log_from_idx and log_next.
  private func recordMessages(_ body: (LogMessage) -> Void) throws(KernelError) {
    let buffer = KernelAddress(
      try reader.littleEndian(at: try requiredSymbol("log_buf")))
    let size: UInt32 = try reader.littleEndian(at: try requiredSymbol("log_buf_len"))
    var index: UInt32 = try reader.littleEndian(at: try requiredSymbol("log_first_idx"))
    let end: UInt32 = try reader.littleEndian(at: try requiredSymbol("log_next_idx"))
    let name = try structure("printk_log") != nil ? "printk_log" : "log"
    let layout = try requiredStructure(name)
    guard index < size, end <= size else {
      throw KernelError(
        at: buffer, .malformed("log indices \(index) and \(end) in a buffer of \(size) bytes"))
    }
    var sequence: UInt64 = 0
    // Each record takes at least its own size, so this ends.
    var room = UInt64(size) * 2
    while index != end {
      let record = KernelObject(
        self, layout, at: KernelAddress(buffer.rawValue &+ UInt64(index)))
      let length = try record.unsigned("len")
      if length == 0 {
        guard index != 0 else { return }
        index = 0
        continue
      }
      guard length >= UInt64(layout.byteCount), UInt64(index) + length <= UInt64(size),
        room >= length
      else {
        throw KernelError(
          at: record.address, .malformed("log record of \(length) bytes"))
      }
      room -= length
      let textLength = try record.unsigned("text_len")
      guard textLength <= length - UInt64(layout.byteCount) else {
        throw KernelError(
          at: record.address, .malformed("log text of \(textLength) bytes in \(length)"))
      }
      let bytes = try reader.bytes(
        at: KernelAddress(record.address.rawValue &+ UInt64(layout.byteCount)),
        count: Int(textLength))
      body(
        LogMessage(
          sequence: sequence, time: try record.unsigned("ts_nsec"),
          level: Int(truncatingIfNeeded: try record.unsigned("level")),
          text: String(decoding: bytes, as: UTF8.self)))
      sequence &+= 1
      index &+= UInt32(length)
      if index >= size { index = 0 }
    }
  }
}
