// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState
internal import VTd

/// A page that looks like the root table of a unit.
public struct CarvedRoot: Hashable, Sendable {
  public var address: PhysicalAddress
  public var mode: TableMode
  /// 0 to 100: how much of what lies below was found to be as it must be.
  public var score: Int
  /// What the score rests on, in sentences without full stop; the first ones speak for the page.
  public var reasons: [String]
  /// Buses with a context table, ascending.
  public var buses: [UInt8]
  /// Requester ids with a present context entry, ascending.
  public var sourceIDs: [UInt16]
  /// Domain-ids of the contexts, ascending, each once.
  public var domainIDs: [UInt16]
  /// Top tables of the address spaces, ascending, each once.
  public var tables: [PhysicalAddress]
  /// Tables between the root and the address spaces that the dump does not hold.
  public var missingTables: Int
  /// Contexts that a kernel marked as taken over from another one (bit 67 of a legacy entry).
  public var copiedContexts: Int
  /// Whether a unit's own register points here.
  public var isRegistered = false
}
