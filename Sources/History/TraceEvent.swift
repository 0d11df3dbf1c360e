// SPDX-License-Identifier: Apache-2.0

public import Memory

/// One event of the kernel's trace ring.
public struct TraceEvent: Hashable, Sendable {
  /// Of the trace clock, in nanoseconds.
  public var time: UInt64
  public var cpu: Int
  public var process: Int32
  /// `iommu` or `intel_iommu`.
  public var system: String
  /// `map`, `unmap`, `qi_submit`, ….
  public var name: String
  /// As the kernel prints it where the form is known, otherwise `field=value` pairs.
  public var text: String
  /// First I/O virtual address of a `map` or `unmap`.
  public var iova: UInt64?
  /// Its bytes.
  public var length: UInt64?
  /// Where a `map` led to.
  public var physical: UInt64?
  /// Devices that the event names, or that it could be attributed to; see `EventNames`.
  public var devices: [DeviceName] = []
  /// The unit of a `qi_submit`.
  public var unit: String?
  /// The descriptor of a `qi_submit`, lowest word first.
  public var words: [UInt64] = []

  /// Seconds and microseconds, rounded as the kernel rounds them: `42.627250`.
  public var seconds: String { Self.seconds(time) }

  /// A time in nanoseconds, as `seconds`.
  public static func seconds(_ time: UInt64) -> String {
    let micro = time / 1000 + (time % 1000 >= 500 ? 1 : 0)
    let rest = String(micro % 1_000_000)
    return "\(micro / 1_000_000)." + String(repeating: "0", count: 6 - rest.count) + rest
  }
}
