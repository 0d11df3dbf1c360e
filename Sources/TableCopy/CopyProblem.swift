// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A sanity check that something in the old tables failed, and what the copy did about it.
public struct CopyProblem: Hashable, Sendable {
  public var check: Check
  public var outcome: Outcome
  /// The way on which it was met.
  public var bus: UInt8?
  public var devfn: UInt8?
  public var pasid: UInt32?
  /// The entry or table at fault; host-physical.
  public var address: PhysicalAddress?
  /// First I/O virtual address that is affected, inside page tables.
  public var iova: IOVirtualAddress?
  /// Half a sentence without a full stop: the values.
  public var detail: String

  /// What is checked.
  public enum Check: String, Hashable, Sendable, CaseIterable {
    /// A table lies on its own path.
    case cycle
    /// A page serves as a table at two levels.
    case mixedLevels = "mixed-levels"
    /// A table page is not in the memory that the dump describes.
    case tableOutsideMemory = "table-outside-memory"
    /// A table page was left out of the dump, or cannot be read.
    case tableMissing = "table-missing"
    /// A hole of an ELF dump stands for a table; it counts as zeros.
    case assumedZero = "assumed-zero"
    /// A present entry has reserved bits, a large-page bit that the unit lacks included.
    case reservedBits = "reserved-bits"
    /// A large page whose address is not a multiple of its size.
    case misalignedPage = "misaligned-page"
    /// An address above the host address width.
    case beyondHostWidth = "beyond-host-width"
    /// Pages mapped at addresses that the unit's MGAW keeps devices from using.
    case beyondGuestWidth = "beyond-guest-width"
    /// A domain-id that the unit does not have.
    case domainIDOutOfRange = "domain-id-out-of-range"
    /// Another field that the unit does not allow: the address width (SAGAW), the type, ….
    case fieldViolation = "field-violation"
    /// One domain-id with two different tables on one unit.
    case domainIDWithTwoTables = "domain-id-with-two-tables"
    /// One table under two domain-ids.
    case tableWithTwoDomainIDs = "table-with-two-domain-ids"
    /// One context table for two buses.
    case sharedContextTable = "shared-context-table"
    /// A budget was spent.
    case budget
  }

  /// What the copy did.
  public enum Outcome: String, Hashable, Sendable {
    /// The words were copied as they are; hardware treats the copy like the original.
    case copied
    /// The entry was left out: the copy translates nothing there.
    case dropped
    /// The entry was copied, but points to the old table still.
    case kept
    /// The copy ends here; the rest is missing in it.
    case ended
  }

  public init(
    _ check: Check, _ outcome: Outcome, bus: UInt8? = nil, devfn: UInt8? = nil,
    pasid: UInt32? = nil, address: PhysicalAddress? = nil, iova: IOVirtualAddress? = nil,
    detail: String = ""
  ) {
    self.check = check
    self.outcome = outcome
    self.bus = bus
    self.devfn = devfn
    self.pasid = pasid
    self.address = address
    self.iova = iova
    self.detail = detail
  }
}

/// The problems of one copy: all are counted, the first ones of each check are kept.
public struct CopyProblems: Hashable, Sendable {
  public static let limit = 64

  public private(set) var list: [CopyProblem] = []
  public private(set) var counts: [CopyProblem.Check: Int] = [:]

  public init() {}

  public mutating func note(_ problem: CopyProblem) {
    let count = counts[problem.check, default: 0]
    counts[problem.check] = count + 1
    if count < Self.limit { list.append(problem) }
  }
}
