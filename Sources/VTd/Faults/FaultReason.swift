// SPDX-License-Identifier: Apache-2.0

/// Why a unit refused a request: the FR field of a fault record, bits 103:96.
///
/// Any value is represented; those that no revision defines have no `condition`. The names stand in
/// `FaultReason+Names`, everything else about a number in `FaultCondition`.
///
/// Source: VT-d specification, section 7.1.3 (DMA remapping) and section 7.1.4 (interrupt
/// remapping).
public struct FaultReason: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt8

  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public init(_ rawValue: UInt8) { self.rawValue = rawValue }

  /// What the code means; `nil` for codes that no revision defines.
  public var condition: FaultCondition? { FaultCondition.byCode[rawValue] }

  /// The meaning, or `unknown`.
  public var meaning: String { condition?.meaning ?? "unknown" }

  /// Codes of interrupt requests; all others are of DMA requests.
  public var isInterruptRemapping: Bool { 0x20...0x2f ~= rawValue }

  /// Codes that only units in scalable mode report.
  public var isScalableMode: Bool { rawValue >= 0x30 }

  /// All codes that are defined, ascending.
  public static var all: [FaultReason] { FaultCondition.all.map(\.reason) }

  /// Whether both numbers are of one condition, or of two that one event can be reported as.
  ///
  /// A unit in scalable mode may log the number of legacy mode: QEMU does for everything above the
  /// PASID directory and for the second stage. A missing second-stage right has a number of its own
  /// (0x79) beside those of the direction (0x85, 0x86).
  ///
  /// Source: QEMU, hw/i386/intel_iommu.c, `vtd_dev_to_context_entry` and `vtd_iova_to_slpte`.
  public func isSameFault(as other: FaultReason) -> Bool {
    if self == other { return true }
    guard let mine = condition?.kinds, let theirs = other.condition?.kinds else { return false }
    let common = mine.intersection(theirs)
    return isScalableMode == other.isScalableMode
      ? !common.isDisjoint(with: FaultCondition.Kind.withSeveralNumbers) : !common.isEmpty
  }

  /// The number of the same condition in the other mode, the first one where there are several;
  /// `nil` where there is none.
  public var counterpart: FaultReason? {
    FaultReason.all.first { $0.isScalableMode != isScalableMode && isSameFault(as: $0) }
  }
}

extension FaultReason: CustomStringConvertible {
  public var description: String {
    let digits = String(rawValue, radix: 16)
    return "0x\(digits) (\(condition.map { "\($0.name): \($0.meaning)" } ?? "unknown"))"
  }
}
