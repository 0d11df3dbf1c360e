// SPDX-License-Identifier: Apache-2.0

public import Inheritance
public import RemappingState

/// The document of `inherit`: what a crash kernel would find, under each policy.
public struct InheritDocument: Hashable, Sendable {
  /// The name and version of the document's form.
  public static let schema = "iommuscope-inherit/1"

  public var tool: Tool
  public var dump: DumpSummary
  public var forecast: Forecast

  public init(dump: DumpSummary, forecast: Forecast, tool: Tool = .current) {
    self.tool = tool
    self.dump = dump
    self.forecast = forecast
  }
}

extension InheritDocument: Encodable {
  /// In the document's order.
  private enum CodingKeys: String, CodingKey {
    case schema
    case tool
    case dump
    case crashKernel
    case inherited
    case observed
    case policies
    case recommendation
    case changedAfterPanic
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(Self.schema, forKey: .schema)
    try container.encode(tool, forKey: .tool)
    try container.encode(dump, forKey: .dump)
    try container.encode(forecast.crashKernel, forKey: .crashKernel)
    try container.encode(forecast.inherited, forKey: .inherited)
    try container.encode(forecast.observed, forKey: .observed)
    try container.encode(forecast.policies, forKey: .policies)
    try container.encode(forecast.recommendation, forKey: .recommendation)
    try container.encode(forecast.changedAfterPanic, forKey: .changedAfterPanic)
  }
}
