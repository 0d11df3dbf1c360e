// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import Memory

/// A `struct resource` of the physical address space: what Linux says lies there.
public struct LinuxMemoryRegion: Hashable, Sendable {
  /// Physical; both ends inclusive.
  public var range: ClosedRange<UInt64>
  /// As /proc/iomem shows it: `System RAM`, `Kernel code`, `Crash kernel`, `Reserved`, ….
  public var name: String

  public init(range: ClosedRange<UInt64>, name: String) {
    self.range = range
    self.name = name
  }
}

/// Reads the tree under `iomem_resource`.
///
/// Source: kernel/resource.c; arch/x86/kernel/e820.c, `e820__reserve_resources` puts the firmware's
/// map into it, arch/x86/kernel/setup.c the kernel's own image and the crash kernel's reservation.
struct MemoryMapReader {
  let image: KernelImage
  let log: ProblemLog

  /// More than any machine has; a tree that is larger goes round in circles.
  private static let limit = 16384

  /// Every resource but the root, parents before their children; empty where the kernel has none, and
  /// where one of them is unreadable: half a map would call memory what it is not.
  func regions() -> [LinuxMemoryRegion] {
    guard let root = image.symbol("iomem_resource") else { return [] }
    var regions: [LinuxMemoryRegion] = []
    let isWhole: Void? = log.attempt("iomem_resource tree") { () throws(KernelError) in
      var seen: Set<KernelAddress> = []
      var pending = [try image.object("resource", at: root).pointer("child")]
      while let address = pending.popLast() {
        guard address.rawValue != 0 else { continue }
        guard seen.insert(address).inserted, seen.count <= Self.limit else {
          throw KernelError(at: address, .malformed("the tree of resources does not end"))
        }
        let resource = try image.object("resource", at: address)
        let start = try resource.unsigned("start")
        let end = try resource.unsigned("end")
        if start <= end, let name = try resource.string("name", limit: 64) {
          regions.append(LinuxMemoryRegion(range: start...end, name: name))
        }
        pending.append(try resource.pointer("sibling"))
        pending.append(try resource.pointer("child"))
      }
    }
    return isWhole == nil ? [] : regions
  }
}
