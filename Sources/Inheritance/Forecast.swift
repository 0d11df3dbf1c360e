// SPDX-License-Identifier: Apache-2.0

public import Memory

/// What a crash kernel would find after its IOMMU start-up, under each policy.
///
/// A plain value in the shape of the JSON document `iommuscope-inherit/1`.
public struct Forecast: Hashable, Sendable {
  public var crashKernel: CrashKernelSummary
  /// Contexts of this dump that were themselves inherited: the dump is that of a crash kernel.
  public var inherited: [InheritedContext]
  /// What a crash kernel whose memory is in this dump as well has really done; `nil` without one.
  public var observed: ObservedTakeover?
  /// In the order of `Policy`.
  public var policies: [PolicyForecast]
  /// What a live update keeps and clears; `nil` where that policy was not asked for.
  public var liveUpdate: LiveUpdateForecast?
  public var recommendation: Recommendation
  /// Pages of this dump that devices may have written after the panic, while it was being saved.
  public var changedAfterPanic: ChangedPages
  /// Whether a crash kernel that does what Linux does gets through, and what to do about it.
  public var outlook: Outlook

  public init(
    crashKernel: CrashKernelSummary, inherited: [InheritedContext],
    observed: ObservedTakeover? = nil, policies: [PolicyForecast],
    liveUpdate: LiveUpdateForecast? = nil, recommendation: Recommendation,
    changedAfterPanic: ChangedPages, outlook: Outlook
  ) {
    self.outlook = outlook
    self.crashKernel = crashKernel
    self.inherited = inherited
    self.observed = observed
    self.policies = policies
    self.liveUpdate = liveUpdate
    self.recommendation = recommendation
    self.changedAfterPanic = changedAfterPanic
  }
}

/// A range of physical or I/O virtual addresses; `end` is inclusive.
public struct ForecastRange: Hashable, Sendable {
  public var start: HexWord
  public var end: HexWord

  public init(_ range: ClosedRange<UInt64>) {
    start = HexWord(range.lowerBound)
    end = HexWord(range.upperBound)
  }
}

/// What the forecast takes the crash kernel to be.
public struct CrashKernelSummary: Hashable, Sendable {
  public var variant: CopyVariant
  /// `types` of the crashed kernel, or `option`.
  public var variantFrom: String
  public var isAmbiguous: Bool
  public var commandLine: String
  /// What the words of the command line do that the forecast takes into account.
  public var effects: [CrashCommandLine.Effect]
  /// The words that it does not.
  public var notModelled: [String]
  /// `nil`: every driver that the crashed kernel had.
  public var drivers: [String]?
  public var strict: Bool
  public var reservations: [Reservation]
  public var kernelText: ForecastRange?
  /// What could not be read; forecasts are blind there.
  public var gaps: [String]

  public struct Reservation: Hashable, Sendable {
    public var kind: MachineFacts.Reservation.Kind
    public var start: HexWord
    public var end: HexWord
    public var bytes: UInt64
  }
}

public struct InheritedContext: Hashable, Sendable {
  public var unit: String
  public var device: PCIFunction
  /// `bitmap` or `marker`.
  public var by: String
}

public struct PolicyForecast: Hashable, Sendable {
  public var policy: Policy
  public var units: [UnitForecast]
  public var devices: [DeviceForecast]
  public var verdict: Verdict
  public var reasons: [String]

  /// Of all units.
  public var memory: MemoryCost
  /// Whether no device can alter memory while the dump is saved; not where units or devices may be missing.
  public var dumpStable: Bool
  /// What devices may write into while the dump is saved.
  public var changing: ChangedPages
}

public struct UnitForecast: Hashable, Sendable {
  public enum Outcome: String, Hashable, Sendable, CaseIterable {
    case copied
    case partial
    case refused
    case disabled
    case isolated
    case adopted
  }

  public var unit: String
  public var outcome: Outcome
  public var reason: String?
  public var rootTable: RootTable
  public var roots: [RootRow]
  public var contexts: [ContextRow]
  public var pasids: [PASIDRow]
  public var domainIDs: DomainIDOutlook
  public var interruptRemapping: InterruptOutlook
  public var memory: MemoryCost

  /// What the other variant of the code would do, where the two differ.
  public var ambiguity: String?
  /// Sanity checks that failed.
  public var problems: [Problem]
  /// The walk of the copy against that of the original; `nil` where page tables are not copied.
  public var proof: Proof?

  public struct RootTable: Hashable, Sendable {
    public var old: HexWord?
    public var new: ForecastWord?
  }

  public struct RootRow: Hashable, Sendable {
    public var bus: Int
    public var half: String?
    public var old: HexWord
    public var new: ForecastWord
  }

  public struct ContextRow: Hashable, Sendable {
    public var device: PCIFunction
    public var old: [HexWord]?
    public var new: [ForecastWord]?
  }

  public struct PASIDRow: Hashable, Sendable {
    public var device: PCIFunction
    public var pasid: UInt32
    public var old: [HexWord]?
    public var new: [ForecastWord]?
  }

  public struct Problem: Hashable, Sendable {
    public var check: String
    public var outcome: String
    public var device: PCIFunction?
    public var pasid: UInt32?
    public var address: HexWord?
    public var iova: HexWord?
    public var detail: String
  }

  public struct Proof: Hashable, Sendable {
    public var identical: Bool
    public var contexts: Int
    public var spaces: Int
    public var leaves: Int
    public var runs: Int
    public var bytes: UInt64
    public var differences: [Difference]

    public struct Difference: Hashable, Sendable {
      public var device: PCIFunction?
      public var pasid: UInt32?
      public var iova: HexWord?
      public var what: String
    }
  }
}

/// A word of the new tables: exact, or relative to the arena.
public enum ForecastWord: Hashable, Sendable, CustomStringConvertible {
  case exact(UInt64)
  case arena(UInt64)

  /// `0x…`, or `+0x…` for a pointer into the arena.
  public var description: String {
    switch self {
    case .exact(let word): word.hexadecimal
    case .arena(let offset): "+" + offset.hexadecimal
    }
  }
}

public struct DomainIDOutlook: Hashable, Sendable {
  /// Ids that the crash kernel marks as taken, ascending.
  public var reserved: [UInt32]
  /// Ids that are left for new domains.
  public var remaining: Int
  /// The one that a device new to the crash kernel would get.
  public var firstFree: UInt32?
  /// Ids in use by inherited entries that are nevertheless not reserved.
  public var lost: [UInt32]
}

public struct InterruptOutlook: Hashable, Sendable {
  public enum Outcome: String, Hashable, Sendable, CaseIterable {
    case copied
    case empty
    case off
  }

  public var outcome: Outcome
  /// Present entries that are copied, with all 65,536 of the table.
  public var entries: Int
}

public struct MemoryCost: Hashable, Sendable {
  public var bytes: UInt64
  public var pages: Int
  /// By the tables' level, ascending depth.
  public var levels: [Level]

  public struct Level: Hashable, Sendable {
    public var kind: String
    public var pages: Int
  }
}

/// Bytes that a device could write into.
public struct Exposure: Hashable, Sendable {
  /// The first moment at which it is worst; `nil` where nothing is exposed.
  public var moment: String?
  public var crashReservation: UInt64
  public var crashLowReservation: UInt64
  public var crashCMA: UInt64
  public var kernelText: UInt64
  public var tables: UInt64
  public var lowMemory: UInt64
  public var otherMemory: UInt64
  /// Not RAM that the dump describes: device registers, firmware, nothing.
  public var outsideMemory: UInt64

  public var crash: UInt64 {
    [crashReservation, crashLowReservation, crashCMA].reduce(0) {
      let (sum, overflow) = $0.addingReportingOverflow($1)
      return overflow ? .max : sum
    }
  }

  /// All of it that is RAM.
  public var memory: UInt64 {
    [crash, kernelText, tables, lowMemory, otherMemory].reduce(0) {
      let (sum, overflow) = $0.addingReportingOverflow($1)
      return overflow ? .max : sum
    }
  }
}

public struct DeviceForecast: Hashable, Sendable {
  public struct Fates: Hashable, Sendable {
    public var t1: Fate
    public var t2: Fate
    public var t3: Fate
    public var t4: Fate

    public var all: [Fate] { [t1, t2, t3, t4] }
  }

  public struct Reasons: Hashable, Sendable {
    /// VT-d fault reason of a transfer that is blocked then; `nil` if none is, or none is recorded.
    public var t1: Int?
    public var t2: Int?
    public var t3: Int?
    public var t4: Int?

    public var all: [Int?] { [t1, t2, t3, t4] }
  }

  public var device: DeviceName
  public var at: Fates
  public var faultReason: Reasons
  public var exposure: Exposure
  public var verdict: Verdict
  public var reason: String

  public var unit: String?
  /// The crashed kernel's.
  public var driver: String?
  /// Whether a driver attaches the device in the crash kernel.
  public var attaches: Bool
  /// Old translations map something beyond fixed regions.
  public var inFlight: Bool
  /// What becomes of firmware regions: `kept`, `rebuilt` at attach, `lost`; `nil` for none.
  public var firmwareRegions: String?
  /// `nil` where the crash kernel makes no allocator for the device.
  public var iova: IOVAOutlook?
  /// Its requests with a PASID, whose fates are their own; by PASID.
  public var pasids: [PASIDForecast]
}

/// What becomes of a device's requests with one PASID.
public struct PASIDForecast: Hashable, Sendable {
  public var pasid: UInt32
  public var at: DeviceForecast.Fates
  public var faultReason: DeviceForecast.Reasons
  /// Bytes that the PASID's translations reached at the panic.
  public var bytes: UInt64
}

/// The I/O virtual addresses that the crash kernel can give to a device's driver.
public struct IOVAOutlook: Hashable, Sendable {
  /// Bytes that are free.
  public var left: UInt64
  public var largestBelow4GiB: ForecastRange?
  public var largest: ForecastRange?
  /// The addresses that are handed out first, downwards from 4 GiB.
  public var firstHandedOut: ForecastRange?
  /// Bytes among these that old transfers can still be aimed at.
  public var stillLive: UInt64
}

public struct ChangedPages: Hashable, Sendable {
  public var pages: UInt64
  /// Physical, ascending, whole pages.
  public var ranges: [ForecastRange]
  /// Devices with pass-through or physical access, which may write anywhere beyond the ranges.
  public var anywhere: [DeviceName]
}

public struct Recommendation: Hashable, Sendable {
  /// The one under which least can go wrong.
  public var policy: Policy?
  /// The best of those that kernels can be told to follow today.
  public var available: Policy?
  public var reasons: [String]
  /// Roads that were left out of the comparison, because no type of this kernel speaks of them.
  public var notWeighed: [Policy]
}
