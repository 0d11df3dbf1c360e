// SPDX-License-Identifier: Apache-2.0

/// Faults of one log that are alike, with when they happened.
public struct FaultRecord: Hashable, Sendable {
  public var fault: FaultLine
  /// The first one's text.
  public var text: String
  public var count: Int
  /// Nanoseconds since boot; `nil` for a line that comes from elsewhere.
  public var first: UInt64?
  public var last: UInt64?

  public init(
    fault: FaultLine, text: String, count: Int = 1, first: UInt64? = nil, last: UInt64? = nil
  ) {
    self.fault = fault
    self.text = text
    self.count = count
    self.first = first
    self.last = last
  }

  /// Faults per second between the first and the last; `nil` for a single one.
  public var rate: Double? {
    Self.rate(count, first, last)
  }

  static func rate(_ count: Int, _ first: UInt64?, _ last: UInt64?) -> Double? {
    guard let first, let last, last > first, count > 1 else { return nil }
    return Double(count - 1) / (Double(last - first) / 1e9)
  }
}

/// Messages of one log about units that say the same, with when they came.
public struct UnitRecord: Hashable, Sendable {
  public var message: UnitMessage
  /// As the message names it.
  public var unit: String?
  /// Descriptors that were printed with an invalidation error, by place.
  public var descriptors: [UnitMessage.DescriptorPlace: [UInt64]] = [:]
  /// Whether the driver said that it cleared the error.
  public var isCleared = false
  /// Of dumped tables: the lines that belong together, in order.
  public var tables: [UnitMessage.TableLine] = []
  /// Of dumped tables: the fault that they were printed for.
  public var fault: FaultLine?
  /// The first one's text.
  public var text: String
  public var count = 1
  /// Nanoseconds since boot.
  public var first: UInt64?
  public var last: UInt64?

  public init(
    message: UnitMessage, unit: String? = nil, text: String, first: UInt64? = nil,
    last: UInt64? = nil
  ) {
    self.message = message
    self.unit = unit
    self.text = text
    self.first = first
    self.last = last
  }

  /// What records that say the same have in common.
  struct Statement: Hashable {
    var message: UnitMessage
    var unit: String?
    var descriptors: [UnitMessage.DescriptorPlace: [UInt64]]
    var tables: [UnitMessage.TableLine]
    var fault: FaultLine?
    var text: String?
  }

  var statement: Statement {
    Statement(
      message: message, unit: unit, descriptors: descriptors, tables: tables, fault: fault,
      text: message.isToldByText ? text : nil)
  }
}
