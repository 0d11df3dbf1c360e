// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A range of physical addresses whose use the kernel knew: memory, its own image, what firmware or
/// the crash kernel keep for themselves.
public struct MemoryRegion: Hashable, Sendable {
  public var kind: Kind
  public var start: PhysicalAddress
  /// Inclusive.
  public var end: PhysicalAddress

  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// Usable memory; the kernel's own regions lie inside.
    case memory
    /// What firmware keeps for itself: e820 types reserved and ACPI NVS.
    case firmware
    /// ACPI tables, which Linux may reclaim.
    case acpi
    case kernelText = "kernel-text"
    case kernelData = "kernel-data"
    /// Set aside for the crash kernel, and in memory.
    case crashKernel = "crash-kernel"
  }

  public init(kind: Kind, start: PhysicalAddress, end: PhysicalAddress) {
    self.kind = kind
    self.start = start
    self.end = end
  }
}
