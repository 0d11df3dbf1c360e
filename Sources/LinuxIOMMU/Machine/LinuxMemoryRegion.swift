// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import Memory
internal import RemappingState

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

  /// Every resource but the root, parents before their children; empty where the kernel has none, and
  /// where one of them is unreadable: half a map would call memory what it is not.
  func regions() -> [LinuxMemoryRegion] {
    guard let root = image.symbol("iomem_resource") else { return [] }
    let walk = image.resources(below: root)
    if let problem = walk.problem {
      log.note(problem, .resources)
      return []
    }
    return walk.elements.compactMap { resource in
      guard resource.start <= resource.end, let name = resource.name else { return nil }
      return LinuxMemoryRegion(range: resource.start...resource.end, name: name)
    }
  }
}
