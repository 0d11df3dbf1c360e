// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState
public import Translation
internal import VTd

/// One fault, or several alike, held against everything the dump knows.
public struct FaultExplanation: Hashable, Sendable {
  /// The line as it stands in the log.
  public var text: String
  public var kind: FaultLine.Kind
  public var severity: Finding.Severity
  /// As the line names it.
  public var device: PCIFunction
  public var pasid: UInt32?
  /// Of a DMA fault; the first of several pages.
  public var iova: IOVirtualAddress?
  /// The last page of a DMA fault; that of `iova` where it is the only one.
  public var lastIOVA: IOVirtualAddress?
  /// Pages that faulted between `iova` and `lastIOVA`; 0 for interrupts.
  public var pages: Int
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
  /// Whether the kernel knows a device of this source id; `nil` where its devices were not read.
  public var isKnownDevice: Bool?
  /// Devices that send requests under this source id, if it is no device's own.
  public var aliasOf: [DeviceName]
  public var domain: FaultDomain?
  /// The way of the address as the tables are in the dump; `nil` for interrupts, and for faults that
  /// the tables of the dump have nothing to do with.
  public var translation: AddressTranslation?
  /// The interrupt remapping entry; `nil` for DMA, and where the request names none.
  public var interrupt: DecodedEntry?
  /// Whether the tables in the dump would still give this fault; `nil` if that cannot be told.
  public var stillFaults: Bool?
  public var nearestBelow: Run?
  public var nearestAbove: Run?
  /// What the IOVA allocator says; `nil` where the domain has none.
  public var allocator: FaultAllocator?
  /// The reserved region that holds the address.
  public var reservedRegion: ReservedRegion?
  /// The device registers or the host bridge's window that the number would be, as physical address.
  public var window: Window?
  /// What the crash kernel would have seen; `nil` where nothing was asked or nothing is known of it.
  public var crashKernel: CrashKernelOutlook?
  /// Whether the dump's own log holds a fault like this; `false` where it was not looked at.
  public var isInLogOfDump: Bool
  /// What it comes to, most likely first.
  public var diagnosis: [Diagnosis]
  /// Where no rule fits: what was looked at and is not the cause.
  public var excluded: [String]

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

  /// A range of physical addresses that is no memory.
  public struct Window: Hashable, Sendable {
    /// As the kernel names it: a device, `PCI Bus 0000:00`, `IOAPIC 0`.
    public var name: String
    /// Neither a BAR nor a bridge's window: an I/O APIC, configuration space, ….
    public var isOfPlatform: Bool
    /// The device whose registers they are; `nil` for a window alone.
    public var device: PCIFunction?
    public var start: PhysicalAddress
    /// Inclusive.
    public var end: PhysicalAddress
  }

  /// What a crash kernel would have seen of the device's requests, moment by moment.
  public struct CrashKernelOutlook: Hashable, Sendable {
    /// The road that it takes, a policy of iommuscope-inherit(1).
    public var policy: String
    public var moments: [Moment]
    /// Whether the fault's reason is foretold for one of them.
    public var fits = false

    public init(policy: String, moments: [Moment]) {
      self.policy = policy
      self.moments = moments
    }

    public struct Moment: Hashable, Sendable {
      /// `T1` … `T4`.
      public var name: String
      /// `translated`, `blocked`, ….
      public var fate: String
      /// What the unit reports where requests are blocked.
      public var reason: ReportedFault?

      /// - Parameter code: the fault reason's number.
      public init(name: String, fate: String, code: UInt8?) {
        self.name = name
        self.fate = fate
        reason = code.map { ReportedFault(FaultReason($0)) }
      }
    }
  }

  /// A rule of the manual that fits.
  public struct Diagnosis: Hashable, Sendable {
    public var rule: Rule
    public var message: String
    /// What it rests on.
    public var evidence: [String]
    /// What would confirm it; `nil` where nothing needs to.
    public var confirm: String?

    public init(
      _ rule: Rule, _ message: String, evidence: [String] = [], confirm: String? = nil
    ) {
      self.rule = rule
      self.message = message
      self.evidence = evidence
      self.confirm = confirm
    }
  }

  /// The rules, in the order of the manual.
  public enum Rule: String, Hashable, Sendable, CaseIterable {
    case otherHypervisor = "other-hypervisor"
    case unreachable = "unit-unreachable"
    case otherMachine = "other-machine"
    case noUnit = "no-unit"
    case crashKernel = "crash-kernel"
    case beyondWidth = "beyond-width"
    case interruptWindow = "interrupt-window"
    case pasid
    case noContext = "no-context"
    case badEntry = "bad-entry"
    case reservedRegion = "reserved-region"
    case noPermission = "no-permission"
    case staleTLB = "stale-iotlb"
    case unmappedInUse = "unmapped-in-use"
    case overrun
    case revoked
    case nullPointer = "null-pointer"
    case peerToPeer = "peer-to-peer"
    case truncated
    case noDriver = "no-driver"
    case physicalAddress = "physical-address"
    case unmanaged
    case notInAllocator = "not-in-allocator"
    case mappedNow = "mapped-now"
    case interrupt
    case unknown
  }
}
