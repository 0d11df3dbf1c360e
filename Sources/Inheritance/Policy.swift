// SPDX-License-Identifier: Apache-2.0

/// A road by which a crash kernel can take over units that translate.
public enum Policy: String, CaseIterable, Hashable, Sendable {
  /// What Linux does since 4.2: root and context tables are copied, page tables stay in the old
  /// memory until a driver attaches its device to a new, empty domain.
  case linux
  /// The series of 2014: every level is copied, and devices inherit domain-id, tables and I/O
  /// virtual addresses.
  case fullCopy = "full-copy"
  /// The counter-proposal of 2014: faults off, everything blocked but devices with firmware regions,
  /// pass-through once a driver takes the device.
  case isolate
  /// Translation is switched off and later on again with empty tables: the original bug.
  case disable
  /// Devices behind PCI Express ports are reset first, then as `linux`.
  case reset
  /// Nothing is copied: the next kernel goes on with the old root, contexts and tables in place, as
  /// arm-smmu-v3 does in kdump since 2026.
  case adopt
  /// A planned update of the kernel: chosen devices keep their tables, everything else is cleared
  /// before the old kernel ends.
  case liveUpdate = "live-update"
}

/// What a policy does, as data: the forecast executes it and knows no policy by name otherwise.
public struct PolicyPlan: Hashable, Sendable {
  /// The tables that the root pointer is switched to at T2.
  public enum Tables: Hashable, Sendable {
    /// Root and context tables copied as the crash kernel's code does it.
    case contexts
    /// Every level copied.
    case everything
    /// Nothing present but the contexts of devices with firmware regions; faults silenced.
    case blocked
    /// An empty root table.
    case empty
    /// The old ones, word for word.
    case adopted
    /// The old ones, with the entries of what is not preserved cleared.
    case handedOver
  }

  /// What a driver's attach does to its device at T3.
  public enum Attach: Hashable, Sendable {
    /// A new domain with an empty table.
    case newDomain
    /// The inherited domain, with new addresses beside the old ones.
    case inherit
    /// Pass-through, where the unit has it.
    case passThrough
    /// A preserved device goes on with its domain, any other one gets a new domain.
    case restore
  }

  public var tables: Tables
  public var attach: Attach
  /// Translation is off from the crash kernel's first access to the unit until T2.
  public var disablesFirst = false
  /// Old translations are dropped at T1 already, before the new tables are loaded.
  public var blocksFirst = false
  /// Devices behind a PCI Express port are reset before T1.
  public var resetsFirst = false
  /// What was mapped for a device stays mapped while the dump is saved.
  public var keepsMappings = false
  /// Released kernels can be made to follow it.
  public var isAvailable = false
  /// It exists in kernels alone whose types say so; see `MachineFacts.knownRoads`.
  public var needsTypes = false
  /// What every reader of the forecast should know of what becomes of translation; of no use where none was on.
  public var translationRemarks: [String] = []
  /// What every reader of the forecast should know.
  public var remarks: [String] = []

  public static let plans: [Policy: PolicyPlan] = [
    .linux: PolicyPlan(
      tables: .contexts, attach: .newDomain, keepsMappings: true, isAvailable: true,
      translationRemarks: [
        "page tables and PASID tables stay in the crashed kernel's memory, where a faulty device or"
          + " driver may have altered them"
      ]),
    .fullCopy: PolicyPlan(
      tables: .everything, attach: .inherit, keepsMappings: true,
      translationRemarks: [
        "a copy keeps whatever caused the crash: old I/O virtual addresses stay live for as long as"
          + " the crash kernel runs"
      ]),
    .isolate: PolicyPlan(
      tables: .blocked, attach: .passThrough, blocksFirst: true,
      translationRemarks: [
        "reads that are cut off end as master aborts, which some devices do not survive",
        "pass-through lets a device that still runs reach all memory once its driver attaches",
      ]),
    .disable: PolicyPlan(
      tables: .empty, attach: .newDomain, disablesFirst: true, isAvailable: true,
      translationRemarks: [
        "while translation is off, I/O virtual addresses of running transfers are physical ones"
      ]),
    .reset: PolicyPlan(
      tables: .contexts, attach: .newDomain, resetsFirst: true, keepsMappings: true,
      remarks: [
        "only devices behind PCI Express ports can be reset; ports with a display below are skipped",
        "a reset loses what firmware set up in a device with a reserved region",
      ]),
    .adopt: PolicyPlan(
      tables: .adopted, attach: .newDomain, keepsMappings: true, needsTypes: true,
      translationRemarks: [
        "the tables stay in the crashed kernel's memory, where whatever caused the crash can still"
          + " change them, or already has",
        "an attach frees nothing: the old page tables and the domain-id of the device stay as they are",
      ]),
    .liveUpdate: PolicyPlan(
      tables: .handedOver, attach: .restore, blocksFirst: true, keepsMappings: true,
      isAvailable: true, needsTypes: true,
      remarks: [
        "a live update is planned: it must be prepared while the machine runs, and no crash kernel"
          + " can do this; T1 to T4 are the next kernel's"
      ]),
  ]

  public static func plan(_ policy: Policy) -> PolicyPlan {
    plans[policy] ?? PolicyPlan(tables: .empty, attach: .newDomain)
  }
}

/// What a device's old transfers meet.
public enum Fate: String, Hashable, Sendable, CaseIterable {
  /// As before the panic.
  case translated
  /// A new domain: old addresses fault, or hit a new buffer at an equal address.
  case remapped
  case blocked
  /// Translation is off: addresses are physical ones, even those that were made to be translated.
  case physical
  case passThrough = "pass-through"
  /// The device was reset and sends nothing.
  case silent
}

public enum Verdict: String, Hashable, Sendable, Comparable, CaseIterable {
  case safe
  case risky
  case unsafe

  private var rank: Int {
    switch self {
    case .safe: 0
    case .risky: 1
    case .unsafe: 2
    }
  }

  public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
}

/// The moments of a takeover: the panic is T0.
public enum Moment: Int, CaseIterable, Hashable, Sendable {
  /// The crash kernel's IOMMU start-up.
  case t1
  /// The new root pointer is in force.
  case t2
  /// A driver attaches the device; for devices without one, what would be then.
  case t3
  /// While the dump is being saved.
  case t4

  public var name: String { "T\(rawValue + 1)" }
}
