// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Something that a reader or the table walk met: evidence for the audit, and the report's account
/// of what it does not know.
public struct Observation: Hashable, Sendable {
  public var kind: Kind
  public var unit: String?
  public var device: DeviceName?
  public var domainID: UInt32?
  /// What was being read.
  public var structure: Structure
  /// Where it was met: a physical address, or a kernel address for kernel structures.
  public var address: HexWord?
  /// The word that was read there, where there is one.
  public var word: HexWord?
  /// The sentence's end: a reason, the values that disagree.
  public var detail: String
  /// How many alike were met; only the first ones of a kind are listed one by one.
  public var count: Int
  /// What stood in the way, or is wrong; `nil` where `kind` says it all, and in documents of versions
  /// that did not tell.
  public var cause: Cause?

  /// What was being read, for people: `context table`, `struct iova`, …
  public var subject: String { structure.description }

  /// Whether a context that exists may not have been seen.
  public var hidesContexts: Bool {
    [.unreadable, .assumedZero, .budget, .cycle].contains(kind) && structure.isContextStructure
  }

  /// Whether what was being read is missing, or cannot be believed.
  var isLack: Bool { [.unreadable, .assumedZero, .budget, .malformed].contains(kind) }

  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// A page or structure that the dump does not hold.
    case unreadable
    /// A hole of an ELF dump taken for zeros.
    case assumedZero = "assumed-zero"
    /// Reserved bits set in a present entry.
    case reservedBits = "reserved-bits"
    /// A table that contains itself.
    case cycle
    /// A table page used in more than one place.
    case alias
    /// A walk or list that was cut because its budget was spent.
    case budget
    /// A kernel structure that contradicts itself: a list that does not close, a bad pointer.
    case malformed
    /// A present entry whose target is outside the memory that the dump describes.
    case outsideMemory = "outside-memory"
    /// A table page that serves two domains.
    case sharedTable = "shared-table"
    /// A domain maps a page of the remapping unit's own tables.
    case mapsTable = "maps-table"
    /// A domain maps a page that the kernel's allocator holds for free.
    case freePage = "free-page"
    /// A present interrupt-remapping entry that cannot be what the kernel wrote.
    case interruptEntry = "interrupt-entry"
    /// A remapping unit of another driver than VT-d's, such as AMD-Vi's: what it translates is not read.
    case otherDriver = "other-driver"
  }

  public init(
    _ kind: Kind, unit: String? = nil, device: DeviceName? = nil, domainID: UInt32? = nil,
    structure: Structure, address: HexWord? = nil, word: HexWord? = nil, cause: Cause? = nil,
    detail: String = "", count: Int = 1
  ) {
    self.kind = kind
    self.unit = unit
    self.device = device
    self.domainID = domainID
    self.structure = structure
    self.address = address
    self.word = word
    self.detail = detail
    self.count = count
    self.cause = cause
  }
}
