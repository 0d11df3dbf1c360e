// SPDX-License-Identifier: Apache-2.0

public import Memory

extension KernelImage {
  /// A stretch of the kernel's memory that holds text about the machine and its people.
  public struct PrivateText: Hashable, Sendable {
    public var address: KernelAddress
    public var byteCount: Int
  }

  /// Where the log's text is; empty where it cannot be told.
  ///
  /// Source: kernel/printk/printk.c: `prb` leads to the ring since v5.10, `log_buf` to the records
  /// before, and to the ring's text afterwards.
  public var logText: [PrivateText] {
    var found: [PrivateText] = []
    if let place = symbol("prb"), let address: UInt64 = try? reader.littleEndian(at: place),
      let ring = try? object("printk_ringbuffer", at: KernelAddress(address)),
      let bits = try? ring.unsigned("text_data_ring.size_bits"), bits <= 32,
      let text = try? ring.pointer("text_data_ring.data")
    {
      found.append(PrivateText(address: text, byteCount: 1 << Int(bits)))
    }
    if let place = symbol("log_buf"), let size = symbol("log_buf_len"),
      let address: UInt64 = try? reader.littleEndian(at: place),
      let count: UInt32 = try? reader.littleEndian(at: size), count <= 1 << 31
    {
      found.append(PrivateText(address: KernelAddress(address), byteCount: Int(count)))
    }
    return found
  }

  /// The names of the host and its domain, each a field of fixed size; empty where they cannot be told.
  ///
  /// Source: `struct new_utsname` of `init_uts_ns`, include/uapi/linux/utsname.h: six fields of
  /// `__NEW_UTS_LEN` and a zero byte: sysname, nodename, release, version, machine, domainname.
  public var hostNames: [PrivateText] {
    guard let place = symbol("init_uts_ns") else { return [] }
    let size = 65
    if let namespace = try? object("uts_namespace", at: place) {
      let addresses = ["name.nodename", "name.domainname"].compactMap {
        try? namespace.address(of: $0)
      }
      if addresses.count == 2 {
        return addresses.map { PrivateText(address: $0, byteCount: size) }
      }
    }
    // Types from some compile units alone need not have the structure; a counter may come first.
    for offset in [0, 4, 8] as [UInt64] {
      guard let start = place.advanced(by: offset),
        let name = try? reader.bytes(at: start, count: 6), name == Array("Linux".utf8) + [0],
        let node = start.advanced(by: UInt64(size)),
        let domain = start.advanced(by: UInt64(5 * size))
      else { continue }
      return [node, domain].map { PrivateText(address: $0, byteCount: size) }
    }
    return []
  }

  /// Where the command line is; `nil` where it cannot be read.
  public var commandLineText: PrivateText? {
    savedCommandLine.map { PrivateText(address: $0.address, byteCount: $0.text.utf8.count) }
  }
}
