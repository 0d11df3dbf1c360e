// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A kernel domain: a `struct dmar_domain`, or one of the driver's static `struct iommu_domain`s.
public struct LinuxDomain: Hashable, Sendable {
  /// The `struct dmar_domain`; for a static domain the `struct iommu_domain`.
  public var kernelObject: KernelAddress
  /// The embedded `struct iommu_domain`; `nil` on kernels that only point back from it.
  public var iommuDomain: KernelAddress?
  public var type: LinuxDomainType
  /// Domain-ids by the unit's `seq_id`. On a unit that is missing here the domain has no id.
  public var ids: [Int: UInt32]
  /// How often it is attached to a unit, by the unit's `seq_id`; empty where the kernel keeps no count.
  public var references: [Int: Int] = [:]
  /// Top of its page table as the kernel has it; `nil` for none.
  public var table: PhysicalAddress?
  public var levels: Int?
  /// Whether the tables are first-stage; `nil` where the kernel's structures do not tell.
  public var isFirstStage: Bool?
  /// Highest I/O virtual address it was made for, inclusive.
  public var apertureEnd: UInt64?
  /// The allocator's state; `nil` where the domain has none.
  public var allocator: LinuxIOVAAllocator?
  /// Nested: the domain whose tables are the second stage.
  public var parent: KernelAddress?
}

/// `iommu_domain.type` by its meaning.
public enum LinuxDomainType: Hashable, Sendable {
  case blocked
  case identity
  case unmanaged
  case dma
  case dmaFQ
  case sva
  case nested
  /// Another value, or none that can be read.
  case other(UInt64?)
}
