// SPDX-License-Identifier: Apache-2.0

public import Memory

/// What tells one address space of a state from another as the hardware sees it.
///
/// The domain-id alone does not: in scalable mode Linux gives one id to all first-stage domains of a
/// unit. Neither does the table: pass-through has none.
public struct DomainKey: Hashable, Sendable {
  /// `Unit.name`; `nil` for a domain that is on no unit.
  public var unit: String?
  public var domainID: UInt32?
  /// Of the stage that translates first; `nil` for pass-through.
  public var table: PhysicalAddress?

  @inlinable
  public init(unit: String?, domainID: UInt32?, table: PhysicalAddress?) {
    self.unit = unit
    self.domainID = domainID
    self.table = table
  }
}

extension Context {
  /// The key of the domain that the context leads to.
  @inlinable
  public var domainKey: DomainKey { DomainKey(unit: unit, domainID: domainID, table: table) }
}

extension Domain {
  @inlinable
  public var key: DomainKey { DomainKey(unit: unit, domainID: domainID, table: table) }
}
