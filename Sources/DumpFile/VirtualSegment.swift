// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A stretch of kernel virtual addresses whose physical place an ELF dump states.
///
/// `/proc/vmcore` gives one for the kernel's text and one per range of the direct map. Segments
/// whose `p_vaddr` is in the lower half are not kernel mappings and do not become one of these.
public struct VirtualSegment: Hashable, Sendable {
  /// First byte, `p_vaddr`.
  public var virtual: KernelAddress
  /// First byte, `p_paddr`.
  public var physical: PhysicalAddress
  /// Length in bytes, `p_memsz`.
  public var byteCount: UInt64

  public init(virtual: KernelAddress, physical: PhysicalAddress, byteCount: UInt64) {
    self.virtual = virtual
    self.physical = physical
    self.byteCount = byteCount
  }
}
