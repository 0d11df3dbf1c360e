// SPDX-License-Identifier: Apache-2.0

public import Memory

/// What a forecast needs to know of the machine beyond its remapping state.
public struct MachineFacts: Hashable, Sendable {
  /// Memory that the crash kernel lives in.
  public struct Reservation: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
      /// `crashk_res`
      case main
      /// `crashk_low_res`
      case low
      /// `crashk_cma_ranges`: used by the crashed kernel too, for movable pages.
      case cma
      /// Named by the user.
      case given
    }

    public var kind: Kind
    /// Physical; both ends inclusive.
    public var range: ClosedRange<UInt64>

    public init(kind: Kind, range: ClosedRange<UInt64>) {
      self.kind = kind
      self.range = range
    }
  }

  /// Names of the kernel's symbols behind these facts.
  public static let symbols: Set<String> = [
    "crashk_res", "crashk_low_res", "crashk_cma_ranges", "crashk_cma_cnt", "_stext", "_etext",
    "_text", "_end", "intel_iommu_sm", "iommu_def_domain_type", "iommu_pass_through",
    "iommu_cmd_line", "copied_context_tear_down", "iommu_skip_te_disable",
  ]

  public var reservations: [Reservation]
  /// Whether those are all of them; where not, what is written may be the crash kernel's.
  public var reservationsAreComplete = true
  /// Memory that is the crash kernel's alone; ends inclusive.
  public var crashKernelMemory: [ClosedRange<UInt64>] {
    reservations.filter { $0.kind != .cma }.map(\.range)
  }
  /// Physical; the crashed kernel's code.
  public var kernelText: ClosedRange<UInt64>?
  /// RAM that the dump describes, in frames.
  public var memoryFrames: [Range<UInt64>]
  public var traits: CrashKernelTraits
  /// Bridges above each PCI function, nearest first.
  public var bridges: [PCIFunction: [PCIFunction]]
  /// Whether the crashed kernel's devices get the identity by default (`iommu=pt`, or how it was
  /// built); `nil` where that is not known.
  public var defaultsToIdentity: Bool?
  /// Whether words of its command line made that choice; `nil` where that is not known.
  public var defaultIsFromCommandLine: Bool?
  /// The crash kernel's command line as it was found beside its image in the reservation.
  public var commandLine: CrashCommandLine?
  /// Class codes (class, subclass, interface) of PCI functions, as far as the kernel has them.
  public var classCodes: [PCIFunction: UInt32] = [:]
  /// Drivers of PCI functions, those that remapping does not know among them; one without is not here.
  public var drivers: [PCIFunction: String] = [:]
  /// PCI functions that remapping has no record of, because the unit that their requests come to does not
  /// translate, by the name of that unit, or because there is no unit (`nil`).
  public var untranslatedFunctions: [String?: [PCIFunction]] = [:]
  /// PCI functions that are displays.
  public var displays: Set<PCIFunction>
  /// Roads that not every kernel has and that this kernel's types know.
  public var knownRoads: Set<Policy> = []
  /// Kernel domains that handle page requests, which a live update refuses.
  public var pageRequestDomains: Set<KernelAddress> = []
  /// Kernel domains that are known not to be iommufd's.
  public var domainsWithoutIOMMUFD: Set<KernelAddress> = []
  /// Whether a live update refuses devices that share their group: what newer code does, and so what a
  /// rehearsal on an older kernel supposes.
  public var refusesSharedGroups = true
  /// Units that this kernel's code never switches off (`iommu_skip_te_disable`), by name.
  public var unitsKeptOn: Set<String> = []
  /// What could not be read.
  public var gaps: [String]

  public init(
    reservations: [Reservation] = [], kernelText: ClosedRange<UInt64>? = nil,
    memoryFrames: [Range<UInt64>] = [], traits: CrashKernelTraits,
    bridges: [PCIFunction: [PCIFunction]] = [:], displays: Set<PCIFunction> = [],
    gaps: [String] = []
  ) {
    self.reservations = reservations
    self.kernelText = kernelText
    self.memoryFrames = memoryFrames
    self.traits = traits
    self.bridges = bridges
    self.displays = displays
    self.gaps = gaps
  }
}

/// What the user says about the takeover.
public struct ForecastOptions: Hashable, Sendable {
  public var policies: [Policy]
  /// Names another crash kernel than the crashed one.
  public var variant: CopyVariant?
  public var commandLine: CrashCommandLine
  /// Driver modules or devices that the crash kernel has drivers for; `nil` for all that the crashed
  /// kernel had.
  public var drivers: [String]?
  /// Leaves the code's quirks out and contexts that hardware would refuse.
  public var strict: Bool
  /// Devices that a live update is to preserve; `nil` for those that VFIO and iommufd have.
  public var preserved: [DeviceName]?

  public init(
    policies: [Policy] = Policy.allCases, variant: CopyVariant? = nil,
    commandLine: CrashCommandLine = CrashCommandLine(), drivers: [String]? = nil,
    strict: Bool = false, preserved: [DeviceName]? = nil
  ) {
    self.policies = policies
    self.variant = variant
    self.commandLine = commandLine
    self.drivers = drivers
    self.strict = strict
    self.preserved = preserved
  }
}
