// SPDX-License-Identifier: Apache-2.0

internal import KernelTypes
internal import Memory

extension KernelImage {
  /// The records of the log buffer that the lockless ring replaced, newest first, until `body`
  /// returns `false`.
  ///
  /// Records follow each other from `log_first_idx` to `log_next_idx`, each with the length that leads
  /// to the next one; a record of length 0 says that the next one is at the start of the buffer. They
  /// can only be followed forwards, so their places are collected first.
  ///
  /// From Linux commit 7ff9554bb578 ("printk: convert byte-buffer to variable-length record buffer")
  /// (in v3.5) to v5.9. Source: kernel/printk/printk.c, `log_from_idx` and `log_next`.
  ///
  /// - Throws: where a record is missing or contradicts itself; the ones before it were given.
  func newestRecordMessages(limit: Int, _ body: (LogMessage) -> Bool) throws(KernelError) {
    let buffer = try LogRecordBuffer(self)
    var failure: KernelError?
    let places = buffer.places(&failure)
    for (index, place) in places.enumerated().reversed().prefix(max(0, limit)) {
      let message: LogMessage
      do throws(KernelError) {
        message = try buffer.message(at: place, sequence: UInt64(index))
      } catch {
        failure = failure ?? error
        continue
      }
      guard body(message) else { break }
    }
    if let failure { throw failure }
  }
}

/// The record buffer of one kernel, with the form of its records.
private struct LogRecordBuffer {
  /// The ring is allocated by the kernel with at most 2 GiB, `LOG_BUF_LEN_MAX`; by default a few
  /// hundred KiB. What is kept of a record while they are counted is its place, 4 bytes.
  private static let placeLimit = 1 << 22

  private let image: KernelImage
  private let buffer: KernelAddress
  private let size: UInt32
  private let first: UInt32
  private let next: UInt32
  private let form: Form

  init(_ image: KernelImage) throws(KernelError) {
    func variable<T: FixedWidthInteger & BitwiseCopyable>(_ name: String) throws(KernelError) -> T {
      try image.reader.littleEndian(at: try image.requiredSymbol(name))
    }
    self.image = image
    buffer = KernelAddress(try variable("log_buf"))
    size = try variable("log_buf_len")
    first = try variable("log_first_idx")
    next = try variable("log_next_idx")
    form = try Form(image)
    guard first < size, next <= size else {
      throw KernelError(
        at: buffer, .malformed("log indices \(first) and \(next) in a buffer of \(size) bytes"))
    }
  }

  /// Where the records are, oldest first.
  func places(_ failure: inout KernelError?) -> [UInt32] {
    var places: [UInt32] = []
    var index = first
    var hasWrapped = false
    do throws(KernelError) {
      while index != next {
        let length: UInt16 = try image.reader.littleEndian(at: address(index, form.length))
        if length == 0 {
          guard !hasWrapped else {
            throw KernelError(at: address(index, 0), .malformed("log records never end"))
          }
          hasWrapped = true
          index = 0
          continue
        }
        let (end, overflow) = index.addingReportingOverflow(UInt32(length))
        // Once around, the records end where they began at the latest.
        guard Int(length) >= form.byteCount, !overflow, end <= size,
          !hasWrapped || end <= first, places.count < Self.placeLimit
        else {
          throw KernelError(at: address(index, 0), .malformed("log record of \(length) bytes"))
        }
        places.append(index)
        index = end
        if index == size, index != next {
          guard !hasWrapped else { break }
          hasWrapped = true
          index = 0
        }
      }
    } catch {
      failure = error
    }
    return places
  }

  func message(at place: UInt32, sequence: UInt64) throws(KernelError) -> LogMessage {
    let reader = image.reader
    let length: UInt16 = try reader.littleEndian(at: address(place, form.length))
    let textLength: UInt16 = try reader.littleEndian(at: address(place, form.textLength))
    guard Int(textLength) <= Int(length) - form.byteCount else {
      throw KernelError(
        at: address(place, 0), .malformed("log text of \(textLength) bytes in \(length)"))
    }
    let text = try reader.bytes(at: address(place, form.byteCount), count: Int(textLength))
    return LogMessage(
      sequence: sequence, time: try reader.littleEndian(at: address(place, form.time)),
      level: try level(at: place), text: String(decoding: text, as: UTF8.self))
  }

  /// VMCOREINFO does not describe the level.
  private func level(at place: UInt32) throws(KernelError) -> Int {
    guard let layout = form.layout, layout.has("level") else {
      return LogMessage.usualLevel
    }
    let record = KernelObject(image, layout, at: address(place, 0))
    return Int(truncatingIfNeeded: try record.unsigned("level"))
  }

  private func address(_ place: UInt32, _ offset: Int) -> KernelAddress {
    KernelAddress(buffer.rawValue &+ UInt64(place) &+ UInt64(offset))
  }

  /// Where a record keeps what is asked of it.
  ///
  /// `struct printk_log` since Linux v3.11, `struct log` before; VMCOREINFO describes them under the
  /// same names for readers without types.
  private struct Form {
    var byteCount: Int
    var time: Int
    var length: Int
    var textLength: Int
    var layout: StructLayout?

    init(_ image: KernelImage) throws(KernelError) {
      for name in ["printk_log", "log"] {
        if let layout = try image.structure(name), let time = layout.members["ts_nsec"]?.offset,
          let length = layout.members["len"]?.offset,
          let textLength = layout.members["text_len"]?.offset
        {
          self.init(layout.byteCount, time, length, textLength, layout)
        } else if let size = Self.note(image, "SIZE(\(name))"),
          let time = Self.note(image, "OFFSET(\(name).ts_nsec)"),
          let length = Self.note(image, "OFFSET(\(name).len)"),
          let textLength = Self.note(image, "OFFSET(\(name).text_len)")
        {
          self.init(size, time, length, textLength, nil)
        } else {
          continue
        }
        guard (1...4096).contains(byteCount),
          [time, length, textLength].allSatisfy({ (0..<byteCount).contains($0) })
        else { throw KernelError(.malformed("struct \(name) of \(byteCount) bytes")) }
        return
      }
      throw KernelError(.noStructure("printk_log"))
    }

    private init(
      _ byteCount: Int, _ time: Int, _ length: Int, _ textLength: Int, _ layout: StructLayout?
    ) {
      self.byteCount = byteCount
      self.time = time
      self.length = length
      self.textLength = textLength
      self.layout = layout
    }

    private static func note(_ image: KernelImage, _ key: String) -> Int? {
      image.info.values[key].flatMap { Int($0) }
    }
  }
}
