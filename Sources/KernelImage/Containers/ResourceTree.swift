// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A `struct resource`: a range of an address space and what it is for.
public struct KernelResource: Hashable, Sendable {
  public var start: UInt64
  /// Inclusive.
  public var end: UInt64
  /// `System RAM`, `Crash kernel`, `PCI Bus 0000:00`, …; `nil` for none.
  public var name: String?
}

extension KernelImage {
  /// Everything below a resource, parents before their children, in the kernel's order.
  ///
  /// Source: include/linux/ioport.h and kernel/resource.c.
  public func resources(
    below root: KernelAddress, limit: Int = 16384
  ) -> LinkWalk<KernelResource> {
    var walk = LinkWalk<KernelResource>()
    var seen: Set<KernelAddress> = []
    do throws(KernelError) {
      var pending = [try object("resource", at: root).pointer("child")]
      while let address = pending.popLast() {
        guard address.rawValue != 0 else { continue }
        guard seen.insert(address).inserted, seen.count <= limit else {
          throw KernelError(at: address, .malformed("the tree of resources does not end"))
        }
        try spend(at: address)
        let resource = try object("resource", at: address)
        walk.elements.append(
          KernelResource(
            start: try resource.unsigned("start"), end: try resource.unsigned("end"),
            name: try resource.string("name", limit: 64)))
        pending.append(try resource.pointer("sibling"))
        pending.append(try resource.pointer("child"))
      }
    } catch {
      walk.problem = error
    }
    return walk
  }
}
