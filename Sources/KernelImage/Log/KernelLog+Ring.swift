// SPDX-License-Identifier: Apache-2.0

internal import KernelTypes
internal import Memory

extension KernelImage {
  /// The messages of the lockless ring buffer, newest first, until `body` returns `false`.
  ///
  /// Descriptors in a ring of their own, each naming a block of the
  /// text ring. Messages whose descriptor is being reused or whose text cannot be read are passed by.
  ///
  /// Since Linux commit 896fbe20b4e2 ("printk: use the lockless ringbuffer") (in v5.10).
  /// Source: kernel/printk/printk_ringbuffer.c.
  ///
  /// - Throws: where the ring itself cannot be read, and, at the end, where some of its text cannot.
  func newestRingMessages(limit: Int, _ body: (LogMessage) -> Bool) throws(KernelError) {
    let ring = try object(
      "printk_ringbuffer",
      at: KernelAddress(try reader.littleEndian(at: try requiredSymbol("prb"))))
    let countBits = try ring.unsigned("desc_ring.count_bits")
    let sizeBits = try ring.unsigned("text_data_ring.size_bits")
    guard countBits <= 24, sizeBits <= 32 else {
      throw KernelError(
        at: ring.address,
        .malformed("log ring of 2^\(countBits) messages and 2^\(sizeBits) bytes"))
    }
    let descriptors = try ring.pointer("desc_ring.descs")
    let infos = try ring.pointer("desc_ring.infos")
    let text = try ring.pointer("text_data_ring.data")
    let head = try ring.unsigned("desc_ring.head_id")
    let descriptorLayout = try requiredStructure("prb_desc")
    let infoLayout = try requiredStructure("printk_info")
    let stateVariable = try place(of: "state_var", in: descriptorLayout)
    let blockBegin = try place(of: "text_blk_lpos.begin", in: descriptorLayout)
    let blockNext = try place(of: "text_blk_lpos.next", in: descriptorLayout)
    let textLength = try place(of: "text_len", in: infoLayout)
    let sequence = try place(of: "seq", in: infoLayout)
    let time = try place(of: "ts_nsec", in: infoLayout)
    // VMCOREINFO, where there is nothing better, does not tell its place.
    let level = infoLayout.has("level") ? try place(of: "level", in: infoLayout) : nil
    let idMask = (UInt64(1) << 62) - 1
    let textSize = UInt64(1) << sizeBits
    var unreadable: KernelError?

    for back in 0..<UInt64(max(0, min(limit, 1 << countBits))) {
      let id = (head &- back) & idMask
      let index = id & ((1 << countBits) - 1)
      let descriptor = KernelObject(
        self, descriptorLayout,
        at: KernelAddress(
          descriptors.rawValue &+ index &* UInt64(clamping: descriptorLayout.byteCount)))
      let state = try descriptor.unsigned(stateVariable)
      // 1 committed, 2 finalized; the low bits tell whether the slot still is this message's.
      guard state & idMask == id, (1...2).contains(state >> 62) else { continue }
      let begin = try descriptor.unsigned(blockBegin)
      let next = try descriptor.unsigned(blockNext)
      // An odd position stands for a message without text.
      guard begin & 1 == 0, next & 1 == 0 else { continue }
      let info = KernelObject(
        self, infoLayout,
        at: KernelAddress(infos.rawValue &+ index &* UInt64(clamping: infoLayout.byteCount)))
      // A block that would wrap is stored at the ring's start instead; the id comes first.
      let wraps = begin >> sizeBits != next >> sizeBits && next & (textSize - 1) != 0
      let start = wraps ? 0 : begin & (textSize - 1)
      let blockSize = wraps ? next & (textSize - 1) : next &- begin
      let length = try info.unsigned(textLength)
      // A block lies within the ring and holds its id and the whole text.
      guard start + 8 <= textSize, (8...textSize - start).contains(blockSize),
        length <= blockSize - 8
      else { continue }
      let bytes: [UInt8]
      do throws(KernelError) {
        bytes = try reader.bytes(
          at: KernelAddress(text.rawValue &+ start &+ 8), count: Int(length))
      } catch {
        unreadable = unreadable ?? error
        continue
      }
      let message = LogMessage(
        sequence: try info.unsigned(sequence), time: try info.unsigned(time),
        level: try level.map { (place) throws(KernelError) in
          Int(truncatingIfNeeded: try info.unsigned(place))
        } ?? LogMessage.usualLevel,
        text: String(decoding: bytes, as: UTF8.self))
      guard body(message) else { return }
    }
    // A log of which parts are missing is not a log that tells of nothing.
    if let unreadable { throw unreadable }
  }
}
