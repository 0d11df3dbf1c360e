// SPDX-License-Identifier: Apache-2.0

public import RemappingState

/// The document of `report`: one state, what the audit says about it, and who wrote it.
///
/// Decodes from what it encodes, so that a report written earlier can stand in for its dump.
public struct ReportDocument: Hashable, Sendable {
  /// The name and version of the document's form; a reader refuses any other.
  public static let schema = "iommuscope-report/1"

  public var tool: Tool
  public var state: RemappingState
  public var findings: [Finding]

  public init(state: RemappingState, findings: [Finding], tool: Tool = .current) {
    self.tool = tool
    self.state = state
    self.findings = findings
  }
}

extension ReportDocument: Codable {
  /// In the document's order.
  private enum CodingKeys: String, CodingKey {
    case schema
    case tool
    case dump
    case units
    case contexts
    case domains
    case devices
    case reservedRegions
    case findings
    case observations
    case memoryMap
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let schema = try container.decode(String.self, forKey: .schema)
    guard schema == Self.schema else {
      throw DecodingError.dataCorruptedError(
        forKey: .schema, in: container,
        debugDescription: "expected a document of schema \(Self.schema), have \(schema)")
    }
    tool = try container.decode(Tool.self, forKey: .tool)
    findings = try container.decode([Finding].self, forKey: .findings)
    state = RemappingState(
      dump: try container.decode(DumpSummary.self, forKey: .dump),
      units: try container.decode([Unit].self, forKey: .units),
      contexts: try container.decode([Context].self, forKey: .contexts),
      domains: try container.decode([Domain].self, forKey: .domains),
      devices: try container.decode([Device].self, forKey: .devices),
      reservedRegions: try container.decode([ReservedRegion].self, forKey: .reservedRegions),
      observations: try container.decode([Observation].self, forKey: .observations),
      memoryMap: try container.decode([MemoryRegion].self, forKey: .memoryMap))
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(Self.schema, forKey: .schema)
    try container.encode(tool, forKey: .tool)
    try container.encode(state.dump, forKey: .dump)
    try container.encode(state.units, forKey: .units)
    try container.encode(state.contexts, forKey: .contexts)
    try container.encode(state.domains, forKey: .domains)
    try container.encode(state.devices, forKey: .devices)
    try container.encode(state.reservedRegions, forKey: .reservedRegions)
    try container.encode(findings, forKey: .findings)
    try container.encode(state.observations, forKey: .observations)
    try container.encode(state.memoryMap, forKey: .memoryMap)
  }
}
