// SPDX-License-Identifier: Apache-2.0

public import RemappingState
public import Translation

/// The document of `tables`.
public struct TablesDocument: Encodable, Hashable, Sendable {
  public private(set) var schema = "iommuscope-tables/1"
  public var tool: Tool
  public var dump: DumpSummary
  /// By unit; empty where a device was asked for.
  public var units: [UnitEntries]
  /// Of the device that was asked for; empty otherwise.
  public var devices: [DeviceEntries]

  public init(
    dump: DumpSummary, units: [UnitEntries], devices: [DeviceEntries], tool: Tool = .current
  ) {
    self.tool = tool
    self.dump = dump
    self.units = units
    self.devices = devices
  }
}
