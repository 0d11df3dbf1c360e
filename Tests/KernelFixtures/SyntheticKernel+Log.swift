// SPDX-License-Identifier: Apache-2.0

internal import KernelTypes
public import Memory

/// A log ring under construction.
public struct FixtureLog {
  public var ring: FixtureObject
  public var descriptors: [FixtureObject]
  public var infos: [FixtureObject]
  public var text: KernelAddress
}

extension SyntheticKernel {
  /// Makes the lockless log ring `prb` and stores messages in it as the kernel does.
  ///
  /// Source of the form: kernel/printk/printk_ringbuffer.c, functions `data_alloc` and
  /// `get_next_lpos`.
  ///
  /// - Parameters:
  ///   - countBits: logarithm of the number of descriptors.
  ///   - sizeBits: logarithm of the bytes for text.
  ///   - exactFit: whether a block that ends at the ring's end stays there, as newer kernels have it.
  public func makeLog(
    _ messages: [String], countBits: Int = 4, sizeBits: Int = 8, exactFit: Bool = false
  ) -> FixtureLog {
    types.define("prb_data_blk_lpos", "ulong begin", "ulong next")
    types.define("prb_desc", "atomic64_t state_var", "prb_data_blk_lpos text_blk_lpos")
    types.define(
      "printk_info", "u64 seq", "u64 ts_nsec", "u16 text_len", "u8 facility", "u8 flags:5",
      "u8 level:3", "u32 caller_id")
    types.define(
      "prb_desc_ring", "u32 count_bits", "prb_desc *descs", "printk_info *infos",
      "atomic64_t head_id", "atomic64_t tail_id")
    types.define("prb_data_ring", "u32 size_bits", "char *data")
    types.define(
      "printk_ringbuffer", "prb_desc_ring desc_ring", "prb_data_ring text_data_ring")

    let count = 1 << countBits
    let size = (1 as UInt64) << UInt64(sizeBits)
    func array(_ name: String) -> [FixtureObject] {
      let step = make(name).layout.byteCount
      let first = allocate(step * count)
      return (0..<count).map { object(name, at: KernelAddress(first.rawValue + UInt64($0 * step))) }
    }
    let descriptors = array("prb_desc")
    let infos = array("printk_info")
    let text = allocate(Int(size))
    // Ids start close to where their 62 bits wrap.
    let firstID = (1 << 62) - UInt64(count)
    var position: UInt64 = 0
    for (sequence, message) in messages.enumerated() {
      let id = (firstID + UInt64(sequence)) & ((1 << 62) - 1)
      let slot = Int(id & UInt64(count - 1))
      let bytes = Array(message.utf8)
      let length = (UInt64(bytes.count) + 8 + 7) & ~7
      var next = position + length
      let last = exactFit ? next - 1 : next
      var place = position & (size - 1)
      if position >> UInt64(sizeBits) != last >> UInt64(sizeBits) {
        next = next & ~(size - 1) + length
        place = 0
      }
      write(id, at: KernelAddress(text.rawValue + place))
      write(bytes, at: KernelAddress(text.rawValue + place + 8))
      // State 2: finalized.
      descriptors[slot].set([
        "state_var": id | 2 << 62, "text_blk_lpos.begin": position, "text_blk_lpos.next": next,
      ])
      infos[slot].set([
        "seq": UInt64(sequence), "ts_nsec": UInt64(sequence) * 1000,
        "text_len": UInt64(bytes.count), "level": UInt64(sequence) & 7,
      ])
      position = next
    }
    let ring = make(
      "printk_ringbuffer",
      [
        "desc_ring.count_bits": UInt64(countBits),
        "desc_ring.descs": descriptors[0].address.rawValue,
        "desc_ring.infos": infos[0].address.rawValue,
        "desc_ring.head_id": (firstID + UInt64(messages.count) - 1) & ((1 << 62) - 1),
        "text_data_ring.size_bits": UInt64(sizeBits), "text_data_ring.data": text.rawValue,
      ])
    variable("prb", ring.address.rawValue)
    return FixtureLog(ring: ring, descriptors: descriptors, infos: infos, text: text)
  }
}

/// A buffer of log records under construction.
public struct FixtureLogBuffer {
  public var buffer: KernelAddress
  /// Where each message's record is, `nil` for one that was overwritten.
  public var places: [Int?]
  /// Bytes of a record before its text.
  public var headerSize: Int
}

extension SyntheticKernel {
  /// Makes the log buffer that kernels had before the lockless ring, and stores messages in it as the
  /// kernel does: each record at a multiple of 4 bytes, one that does not fit at the end goes to the
  /// start, behind a header of length 0, and old records make room.
  ///
  /// Source of the form: kernel/printk/printk.c of Linux v5.4, functions `log_store`,
  /// `log_make_free_space` and `logbuf_has_space`; `struct log` of v3.10 (kernel/printk.c) has the
  /// same members.
  ///
  /// - Parameters:
  ///   - structure: `printk_log` or `log`; `nil` leaves the types out and describes the records in
  ///     VMCOREINFO.
  ///   - dictionary: bytes that follow each text and belong to no message.
  @discardableResult
  public func makeLogBuffer(
    _ messages: [String], structure: String? = "printk_log", size: Int = 4096,
    dictionary: String = "SUBSYSTEM=pci\0DEVICE=+pci:0000:00:02.0"
  ) -> FixtureLogBuffer {
    let header = 16
    if let structure {
      types.define(
        structure, "u64 ts_nsec", "u16 len", "u16 text_len", "u16 dict_len", "u8 facility",
        "u8 flags:5", "u8 level:3")
    } else {
      notes += [
        "SIZE(printk_log)=16", "OFFSET(printk_log.ts_nsec)=0", "OFFSET(printk_log.len)=8",
        "OFFSET(printk_log.text_len)=10", "OFFSET(printk_log.dict_len)=12",
      ]
    }
    let buffer = allocate(size)
    var places: [Int?] = []
    var live: [(message: Int, place: Int, length: Int)] = []
    var next = 0
    func fits(_ length: Int) -> Bool {
      guard let first = live.first?.place else { return true }
      // Room for one more header, which tells the wrap, is always kept.
      let free = next > first ? max(size - next, first) : first - next
      return free >= length + header
    }
    for (number, text) in messages.enumerated() {
      let bytes = Array(text.utf8)
      let extra = Array(dictionary.utf8)
      let length = (header + bytes.count + extra.count + 3) & ~3
      while !fits(length) { places[live.removeFirst().message] = nil }
      if next + length + header > size {
        write(
          [UInt8](repeating: 0, count: header), at: KernelAddress(buffer.rawValue + UInt64(next)))
        next = 0
      }
      var record: [UInt8] = []
      func append(_ value: UInt64, _ count: Int) {
        record += (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
      }
      append(UInt64(number) * 1000, 8)
      append(UInt64(length), 2)
      append(UInt64(bytes.count), 2)
      append(UInt64(extra.count), 2)
      append(0, 1)
      append(UInt64(number & 7) << 5 | 2, 1)
      record += bytes + extra
      record += [UInt8](repeating: 0, count: length - record.count)
      write(record, at: KernelAddress(buffer.rawValue + UInt64(next)))
      places.append(next)
      live.append((number, next, length))
      next += length
    }
    variable("log_buf", buffer.rawValue)
    variable("log_buf_len", UInt32(size))
    variable("log_first_idx", UInt32(live.first?.place ?? 0))
    variable("log_next_idx", UInt32(next))
    return FixtureLogBuffer(buffer: buffer, places: places, headerSize: header)
  }
}
