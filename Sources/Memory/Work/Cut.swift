// SPDX-License-Identifier: Apache-2.0

/// A place where work ended because what the run may do was spent; what lies behind was not looked
/// at.
public struct Cut: Hashable, Sendable {
  public var what: WorkPart
  /// Name of the unit whose work it was.
  public var unit: String?
  public var device: DeviceName?
  /// How much there was of it for the whole run.
  public var limit: Int
  /// What was being done, a noun with its place.
  public var detail: String

  public init(
    what: WorkPart, unit: String? = nil, device: DeviceName? = nil, limit: Int, detail: String
  ) {
    self.what = what
    self.unit = unit
    self.device = device
    self.limit = limit
    self.detail = detail
  }
}

extension Cut: CustomStringConvertible {
  public var description: String {
    let place = [unit, device?.description].compactMap(\.self).joined(separator: " ")
    return
      "\(place.isEmpty ? "" : place + ": ")\(detail) ended early, all \(limit) \(what.unit) are"
      + " spent (--\(what.option)); what lies behind was not looked at"
  }
}
