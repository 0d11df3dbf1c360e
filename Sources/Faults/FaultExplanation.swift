// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState
public import Translation

/// One fault, or several alike, held against everything the dump knows.
public struct FaultExplanation: Hashable, Sendable {
  /// The line as it stands in the log.
  public var text: String
  public var kind: FaultLine.Kind
  /// As the line names it.
  public var device: PCIFunction
  public var pasid: UInt32?
  /// Of a DMA fault.
  public var iova: IOVirtualAddress?
  /// Of an interrupt fault: index into the interrupt remapping table.
  public var index: UInt64?
  /// As the line has it.
  public var reason: ReportedFault?
  public var count: Int
  /// Seconds since boot, `41.250000`.
  public var first: String?
  public var last: String?
  /// Faults per second, one decimal.
  public var rate: String?

  public var unit: String?
  public var driver: String?
  public var group: Int?
  /// Devices that send requests under this source id, if it is no device's own.
  public var aliasOf: [DeviceName]
  public var domain: FaultDomain?
  /// The way of the address as the tables are in the dump; `nil` for interrupts.
  public var translation: AddressTranslation?
  /// The interrupt remapping entry; `nil` for DMA.
  public var interrupt: DecodedEntry?
  /// Whether the tables in the dump would still give this reason; `nil` if that cannot be told.
  public var stillFaults: Bool?
  public var nearestBelow: Run?
  public var nearestAbove: Run?
  /// What the IOVA allocator says; `nil` where the domain has none.
  public var allocator: FaultAllocator?
  /// The reserved region that holds the address.
  public var reservedRegion: ReservedRegion?
  /// What it comes to, most likely first.
  public var diagnosis: [Diagnosis]

  /// The domain that the way leads to.
  public struct FaultDomain: Hashable, Sendable {
    public var domainID: UInt32?
    public var type: DomainType
    public var table: PhysicalAddress?
    public var kernelObject: KernelAddress?
  }

  /// What the allocator says about one address.
  public struct FaultAllocator: Hashable, Sendable {
    /// `free`, or the state of the node that holds the address.
    public var state: String
    /// The node; `nil` if free.
    public var start: IOVirtualAddress?
    public var end: IOVirtualAddress?
  }

  /// A rule of the manual that fits.
  public struct Diagnosis: Hashable, Sendable {
    public var rule: Rule
    public var message: String
  }

  /// The rules, in the order of the manual.
  public enum Rule: String, Hashable, Sendable, CaseIterable {
    case noContext = "no-context"
    case badEntry = "bad-entry"
    case reservedRegion = "reserved-region"
    case noPermission = "no-permission"
    case staleTLB = "stale-iotlb"
    case unmappedInUse = "unmapped-in-use"
    case revoked
    case truncated
    case noDriver = "no-driver"
    case physicalAddress = "physical-address"
    case neverMapped = "never-mapped"
    case mappedNow = "mapped-now"
    case beyondWidth = "beyond-width"
    case interrupt
    case unknown
  }
}
