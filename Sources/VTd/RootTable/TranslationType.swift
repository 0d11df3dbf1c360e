// SPDX-License-Identifier: Apache-2.0

/// TT of a context entry: what becomes of a request.
///
/// Three bits in extended mode, two in legacy.
public struct TranslationType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public var rawValue: UInt8

  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Second-stage translation; device-TLB requests are blocked.
  public static let secondStage = Self(rawValue: 0)
  /// Second-stage translation; device-TLB requests are served.
  public static let secondStageDeviceTLB = Self(rawValue: 1)
  /// Untranslated requests go through as they are.
  public static let passThrough = Self(rawValue: 2)
  /// Extended mode: pass-through, and first-stage translation of requests with PASID.
  public static let guest = Self(rawValue: 4)
  /// Extended mode: as `guest`, with device-TLB requests served.
  public static let guestDeviceTLB = Self(rawValue: 5)

  public var description: String {
    switch self {
    case .secondStage: "second-stage"
    case .secondStageDeviceTLB: "second-stage, device TLB"
    case .passThrough: "pass-through"
    case .guest: "pass-through, PASIDs translated"
    case .guestDeviceTLB: "pass-through, PASIDs translated, device TLB"
    default: "reserved (\(rawValue))"
    }
  }
}
