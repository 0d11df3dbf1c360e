// SPDX-License-Identifier: Apache-2.0

public import RemappingState
public import StateDiff

/// The document of `diff`: how one state became another, and which dumps they came from.
public struct DiffDocument: Hashable, Sendable {
  /// The name and version of the document's form.
  public static let schema = "iommuscope-diff/1"

  public var tool: Tool
  public var old: DumpSummary
  public var new: DumpSummary
  public var diff: StateDiff

  public init(old: DumpSummary, new: DumpSummary, diff: StateDiff, tool: Tool = .current) {
    self.tool = tool
    self.old = old
    self.new = new
    self.diff = diff
  }
}

extension DiffDocument: Encodable {
  /// In the document's order.
  private enum CodingKeys: String, CodingKey {
    case schema
    case tool
    case old
    case new
    case options
    case equal
    case units
    case contexts
    case domains
    case devices
    case reservedRegions
    case findings
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(Self.schema, forKey: .schema)
    try container.encode(tool, forKey: .tool)
    try container.encode(old, forKey: .old)
    try container.encode(new, forKey: .new)
    try container.encode(diff.options, forKey: .options)
    try container.encode(diff.isEmpty, forKey: .equal)
    try container.encode(diff.units, forKey: .units)
    try container.encode(diff.contexts, forKey: .contexts)
    try container.encode(diff.domains, forKey: .domains)
    try container.encode(diff.devices, forKey: .devices)
    try container.encode(diff.reservedRegions, forKey: .reservedRegions)
    try container.encode(diff.findings, forKey: .findings)
  }
}
