// SPDX-License-Identifier: Apache-2.0

public import Investigation
public import RemappingState

/// The document of `tables`.
public struct TablesDocument: Encodable, Hashable, Sendable {
  public private(set) var schema = "iommuscope-tables/1"
  public var tool: Tool
  public var dump: DumpSummary
  /// By unit; empty where a device was asked for.
  public var units: [UnitTables]
  /// Of the device that was asked for; empty otherwise.
  public var devices: [PagingTables]

  public init(
    dump: DumpSummary, units: [UnitTables], devices: [PagingTables], tool: Tool = .current
  ) {
    self.tool = tool
    self.dump = dump
    self.units = units
    self.devices = devices
  }
}
