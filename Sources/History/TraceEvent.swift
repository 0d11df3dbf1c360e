// SPDX-License-Identifier: Apache-2.0

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

  /// Seconds and microseconds, rounded as the kernel rounds them: `42.627250`.
  public var seconds: String {
    let micro = time / 1000 + (time % 1000 >= 500 ? 1 : 0)
    let rest = String(micro % 1_000_000)
    return "\(micro / 1_000_000)." + String(repeating: "0", count: 6 - rest.count) + rest
  }
}
