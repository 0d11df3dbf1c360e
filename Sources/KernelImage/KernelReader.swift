// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Reads the crashed kernel's virtual memory.
public final class KernelReader {
  public let memory: any PhysicalMemory
  public var space: KernelAddressSpace
  // Page-table walks repeat for neighbours; the last answers are kept.
  private var translated: [UInt64: PhysicalAddress] = [:]

  public init(_ memory: any PhysicalMemory, _ space: KernelAddressSpace) {
    self.memory = memory
    self.space = space
  }

  public func physical(_ address: KernelAddress) throws(KernelError) -> PhysicalAddress {
    if let linear = space.linear(address) { return linear }
    if let base = translated[address.frame] {
      return PhysicalAddress(base.rawValue | UInt64(address.pageOffset))
    }
    let physical = try space.translate(address, in: memory)
    if translated.count >= 65536 { translated.removeAll(keepingCapacity: true) }
    translated[address.frame] = physical.pageBase
    return physical
  }

  /// The page that holds `address`.
  public func page(containing address: KernelAddress) throws(KernelError) -> Page {
    let physical = try physical(address)
    do {
      return try memory.page(containing: physical)
    } catch {
      throw KernelError(at: address, .memory(error))
    }
  }

  /// The page that holds `count` bytes at `address`; of a page that the dump has in part, other bytes
  /// mean nothing.
  private func page(
    containing address: KernelAddress, count: Int
  ) throws(KernelError) -> Page {
    let physical = try physical(address)
    do {
      return try memory.page(
        physical.frame, covering: physical.pageOffset..<physical.pageOffset + count)
    } catch {
      throw KernelError(at: address, .memory(error))
    }
  }

  /// Copies `count` bytes, which may span pages that are not neighbours in physical memory.
  public func bytes(at address: KernelAddress, count: Int) throws(KernelError) -> [UInt8] {
    var result: [UInt8] = []
    var next = address
    while result.count < count {
      let length = min(Page.size - next.pageOffset, count - result.count)
      let page = try page(containing: next, count: length)
      page.withBytes { bytes in
        // Offset and length were cut to the page above, so the copy cannot fail.
        if let part = try? bytes.copy(at: next.pageOffset, count: length) { result += part }
      }
      guard let following = next.advanced(by: UInt64(length)) else {
        if result.count == count { break }
        throw KernelError(at: next, .malformed("read over the end of the address space"))
      }
      next = following
    }
    return result
  }

  /// Like `bytes(at:count:)`, but ELF holes count as zeros; for bitmaps and rings, where pages of
  /// zeros are ordinary.
  ///
  /// - Parameter assumed: called with the address of each page that was taken for zeros.
  public func bytesAssumingZero(
    at address: KernelAddress, count: Int, assumed: (KernelAddress) -> Void = { _ in }
  ) throws(KernelError) -> [UInt8] {
    var result: [UInt8] = []
    var next = address
    while result.count < count {
      let length = min(Page.size - next.pageOffset, count - result.count)
      do {
        result += try bytes(at: next, count: length)
      } catch {
        guard error.absence == .zeroOrExcluded else { throw error }
        assumed(next)
        result += [UInt8](repeating: 0, count: length)
      }
      guard let following = next.advanced(by: UInt64(length)) else { break }
      next = following
    }
    return result
  }

  public func littleEndian<T>(
    at address: KernelAddress, as type: T.Type = T.self
  ) throws(KernelError) -> T
  where T: FixedWidthInteger & BitwiseCopyable {
    let size = MemoryLayout<T>.size
    if address.pageOffset <= Page.size - size,
      let value: T = try? page(containing: address).littleEndian(at: address.pageOffset)
    {
      return value
    }
    let bytes = try bytes(at: address, count: size)
    var value: T = 0
    for byte in bytes.reversed() { value = value << 8 | T(truncatingIfNeeded: byte) }
    return value
  }

  /// Text up to its zero byte, at most `limit` bytes of it; invalid UTF-8 becomes U+FFFD.
  public func string(at address: KernelAddress, limit: Int = 256) throws(KernelError) -> String {
    var text: [UInt8] = []
    var next = address
    while text.count < limit {
      let length = min(Page.size - next.pageOffset, limit - text.count)
      let part = try textBytes(at: next, atMost: length)
      if let end = part.firstIndex(of: 0) {
        text += part[..<end]
        break
      }
      text += part
      guard let following = next.advanced(by: UInt64(length)) else { break }
      next = following
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Bytes of one page; of a page that ends early in the dump, those up to the first zero byte.
  private func textBytes(at address: KernelAddress, atMost count: Int) throws(KernelError)
    -> [UInt8]
  {
    do {
      return try bytes(at: address, count: count)
    } catch {
      let physical = try physical(address)
      let start = physical.pageOffset
      guard let part = memory.part(physical.frame),
        let range = part.ranges.first(where: { $0.contains(start) }),
        let found = try? part.page.withBytes({ (bytes) throws(BoundsError) in
          try bytes.copy(at: start, count: min(count, range.upperBound - start))
        }), found.contains(0)
      else { throw error }
      return found
    }
  }
}
