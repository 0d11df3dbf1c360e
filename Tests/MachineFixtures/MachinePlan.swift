// SPDX-License-Identifier: Apache-2.0

public import KernelFixtures
public import Memory
public import RemappingState

/// A machine in a few lines: what a test wants there to be. `BuiltMachine` makes memory of it.
///
///     var plan = MachinePlan(.g6)
///     let unit = plan.addUnit(mode: .scalable)
///     let domain = plan.addDomain(.dma, [.init(0x1000, to: 0x300_0000, bytes: 0x2000)])
///     plan.addDevice("0000:03:00.0", unit, domain, driver: "nvme")
///     let dump = BuiltMachine(plan).elf()
public struct MachinePlan: Sendable {
  public struct Unit: Sendable {
    public var segment: UInt32 = 0
    /// Legacy or scalable.
    public var mode = TableMode.legacy
    /// Levels of second-stage tables that the driver prefers, 3 to 5.
    public var levels = 4
    public var includeAll = false
    public var graphicsOnly = false
    /// Bits of the global command register's shadow; translation and queued invalidation are on.
    public var command: UInt64 = 0x8400_0000
    /// Bits of ECAP to take away.
    public var lacks: UInt64 = 0
    /// Bits of ECAP to add.
    public var adds: UInt64 = 0
  }

  /// Pages that are contiguous on both sides.
  public struct Mapping: Sendable {
    public var iova: UInt64
    public var physical: UInt64
    public var bytes: UInt64
    /// Bit 0 read, bit 1 write; first-stage tables have no pages that can only be written.
    public var rights: UInt64
    /// 1 for pages of 4 KiB, 2 for 2 MiB.
    public var level: Int

    public init(
      _ iova: UInt64, to physical: UInt64, bytes: UInt64, rights: UInt64 = 3, level: Int = 1
    ) {
      self.iova = iova
      self.physical = physical
      self.bytes = bytes
      self.rights = rights
      self.level = level
    }

    public var pageSize: UInt64 { 4096 << UInt64(9 * (level - 1)) }
  }

  public enum Kind: Sendable, CaseIterable {
    case dma
    case dmaFQ
    case identity
    /// Of VFIO or iommufd.
    case unmanaged
    /// A guest's tables on top of another domain's.
    case nested
  }

  public struct Domain: Sendable {
    public var kind: Kind
    public var stage = Stage.second
    /// 3 to 5; first stage 4 or 5.
    public var levels = 4
    public var mappings: [Mapping] = []
    /// Of a nested one: from guest addresses to memory.
    public var guestMemory: [Mapping] = []
    /// `IOMMU_COOKIE_IOMMUFD` of kernels that have cookies.
    public var isOfIOMMUFD = false
    /// Somebody handles its page requests (`iopf_handler`).
    public var handlesPageRequests = false
  }

  /// What a device is to the PCI tree.
  public enum Nature: Hashable, Sendable {
    case function
    /// No PCI function; it has the device's source id.
    case other(String)
    /// Behind the VMD controller that has the source id, under its own name.
    case behindVMD(PCIFunction)
  }

  public struct Device: Sendable {
    /// The source id of its requests.
    public var function: PCIFunction
    public var nature = Nature.function
    public var unit: Int
    /// `nil` for a device that nobody attached.
    public var domain: Int?
    public var driver: String?
    public var group: UInt64
    /// Domains by PASID.
    public var pasids: [UInt32: Int] = [:]
    /// Page requests are let through (PRE), in scalable mode.
    public var pageRequests = false

    public var name: DeviceName {
      switch nature {
      case .function: .pci(function)
      case .other(let name): .other(name)
      case .behindVMD(let function): .pci(function)
      }
    }
  }

  public struct Region: Sendable {
    public var range: ClosedRange<UInt64>
    /// Indices of devices.
    public var devices: [Int]

    public init(range: ClosedRange<UInt64>, devices: [Int]) {
      self.range = range
      self.devices = devices
    }
  }

  public struct CacheScope: Sendable {
    public var kind: TranslationCacheScope.Kind
    public var segment: UInt16
    public var includeAll = false
    public var required = false
    public var devices: [Int]

    public init(
      kind: TranslationCacheScope.Kind, segment: UInt16, includeAll: Bool = false,
      required: Bool = false, devices: [Int]
    ) {
      self.kind = kind
      self.segment = segment
      self.includeAll = includeAll
      self.required = required
      self.devices = devices
    }
  }

  public var variant: KernelVariant
  public var units: [Unit] = []
  public var domains: [Domain] = []
  public var devices: [Device] = []
  /// Identity mappings of these are added to the domains of their devices.
  public var regions: [Region] = []
  public var caches: [CacheScope] = []
  /// Lines of the kernel's log.
  public var log = ["Kernel panic - not syncing: sysrq triggered crash"]
  public var release = "7.3.4-machine"

  /// The next page that a mapping may be given.
  var nextTarget: UInt64 = BuiltMachine.targets.lowerBound

  public init(_ variant: KernelVariant) { self.variant = variant }

  public mutating func addUnit(
    mode: TableMode = .legacy, levels: Int = 4, segment: UInt32 = 0, includeAll: Bool = false
  ) -> Int {
    units.append(
      Unit(segment: segment, mode: mode, levels: levels, includeAll: includeAll))
    return units.count - 1
  }

  public mutating func addDomain(
    _ kind: Kind, _ mappings: [Mapping] = [], stage: Stage = .second, levels: Int = 4,
    guestMemory: [Mapping] = []
  ) -> Int {
    domains.append(
      Domain(
        kind: kind, stage: kind == .nested ? .first : stage, levels: levels, mappings: mappings,
        guestMemory: guestMemory, isOfIOMMUFD: kind == .unmanaged))
    return domains.count - 1
  }

  @discardableResult
  public mutating func addDevice(
    _ function: PCIFunction, _ unit: Int, _ domain: Int?, driver: String? = nil,
    group: UInt64? = nil, nature: Nature = .function, pasids: [UInt32: Int] = [:]
  ) -> Int {
    devices.append(
      Device(
        function: function, nature: nature, unit: unit, domain: domain, driver: driver,
        group: group ?? UInt64(devices.count), pasids: pasids))
    return devices.count - 1
  }
}
