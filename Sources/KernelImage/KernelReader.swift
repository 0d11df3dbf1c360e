// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Reads the crashed kernel's virtual memory, which does not change any more: pages are kept.
public final class KernelReader {
  public let memory: any PhysicalMemory
  public var space: KernelAddressSpace
  // Page-table walks repeat for neighbours; the last answers are kept.
  private var translated: [UInt64: PhysicalAddress] = [:]
  /// The page that was read last of all whose frames have the same low bits: members of one structure
  /// are read one after another.
  private var recent: [(frame: UInt64, page: Page)?] = Array(repeating: nil, count: recentCount)
  private static let recentCount = 64

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
    let frame = try physical(address).frame
    do {
      return try page(frame)
    } catch {
      throw KernelError(at: address, .memory(error))
    }
  }

  private func page(_ frame: UInt64) throws(MemoryError) -> Page {
    let slot = Int(truncatingIfNeeded: frame) & (Self.recentCount - 1)
    if let known = recent[slot], known.frame == frame { return known.page }
    let page = try memory.page(frame)
    recent[slot] = (frame, page)
    return page
  }

  /// The page that holds `count` bytes at `address`; of a page that the dump has in part, other bytes
  /// mean nothing.
  private func page(
    containing address: KernelAddress, count: Int
  ) throws(KernelError) -> Page {
    let physical = try physical(address)
    do {
      return try page(physical.frame)
    } catch {
      let range = physical.pageOffset..<physical.pageOffset + count
      guard let part = memory.part(physical.frame), part.covers(range) else {
        throw KernelError(at: address, .memory(error))
      }
      return part.page
    }
  }

  /// Copies `count` bytes, which may span pages that are not neighbours in physical memory.
  public func bytes(at address: KernelAddress, count: Int) throws(KernelError) -> [UInt8] {
    var result: [UInt8] = []
    // What is asked for may be damage; memory is taken as pages are found.
    result.reserveCapacity(min(count, 1 << 23))
    var next = address
    var announced = memory.readsAhead ? 0 : Int.max
    while result.count < count {
      if result.count >= announced {
        announced = result.count + willRead(next, count: count - result.count)
      }
      let length = min(Page.size - next.pageOffset, count - result.count)
      let page = try page(containing: next, count: length)
      page.withBytes { bytes in
        // Offset and length were cut to the page above, so the copy cannot fail.
        bytes.append(next.pageOffset, length, to: &result)
      }
      guard let following = next.advanced(by: UInt64(length)) else {
        if result.count == count { break }
        throw KernelError(at: next, .malformed("read over the end of the address space"))
      }
      next = following
    }
    return result
  }

  /// Tells the memory which pages come next, where arithmetic alone says which they are.
  ///
  /// - Returns: for how many bytes it need not be told again, at most 2 MiB.
  @discardableResult
  func willRead(_ address: KernelAddress, count: Int) -> Int {
    guard memory.readsAhead else { return count }
    let bytes = min(count, 512 * Page.size)
    var frames: [UInt64] = []
    for offset in stride(from: 0, to: bytes, by: Page.size) {
      guard let next = address.advanced(by: UInt64(offset)), let physical = space.linear(next)
      else {
        break
      }
      frames.append(physical.frame)
    }
    memory.willRead(frames)
    return bytes
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
