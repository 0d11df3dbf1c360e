// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A `struct resource`: a range of an address space and what it is for.
public struct KernelResource: Hashable, Sendable {
  public var address: KernelAddress
  public var start: UInt64
  /// Inclusive.
  public var end: UInt64
  /// `System RAM`, `Crash kernel`, `PCI Bus 0000:00`, …; `nil` for none.
  public var name: String?
  /// Depth below the root that was asked for, 0 for itself.
  public var depth: Int
}

extension KernelImage {
  /// A resource and everything below it, in the kernel's order.
  ///
  /// Source: include/linux/ioport.h and kernel/resource.c.
  public func resources(
    below root: KernelAddress, limit: Int = 1 << 16
  ) -> LinkWalk<KernelResource> {
    var walk = LinkWalk<KernelResource>()
    var seen: Set<KernelAddress> = []
    var pending: [(address: KernelAddress, depth: Int)] = [(root, 0)]
    do throws(KernelError) {
      while let (address, depth) = pending.popLast() {
        guard seen.insert(address).inserted, walk.elements.count < limit else {
          walk.problem = KernelError(
            at: address, .malformed("resource is met twice, or there are more than \(limit)"))
          return walk
        }
        let resource = try object("resource", at: address)
        walk.elements.append(
          KernelResource(
            address: address, start: try resource.unsigned("start"),
            end: try resource.unsigned("end"), name: try resource.string("name", limit: 64),
            depth: depth))
        let sibling = try resource.pointer("sibling")
        let child = try resource.pointer("child")
        if sibling.rawValue != 0, depth > 0 { pending.append((sibling, depth)) }
        if child.rawValue != 0 { pending.append((child, depth + 1)) }
      }
    } catch {
      walk.problem = error
    }
    return walk
  }
}
