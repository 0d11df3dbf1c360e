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
