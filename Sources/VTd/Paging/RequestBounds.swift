// SPDX-License-Identifier: Apache-2.0

import Memory
public import RemappingState

/// The interrupt address range, 0xFEEx_xxxx.
///
/// Requests without PASID are not remapped there, whatever the tables say: a write is an interrupt.
/// With PASID they are translated like any other. No translation may lead there.
///
/// Source: VT-d specification, section 3.15 (3.14 before revision 4.0); QEMU,
/// hw/i386/intel_iommu.c, `vtd_switch_address_space` and `vtd_do_iommu_translate`.
public enum InterruptWindow {
  /// Inclusive.
  public static let range: ClosedRange<UInt64> = 0xfee0_0000...0xfeef_ffff

  public static func contains(_ address: UInt64) -> Bool { range.contains(address) }
}

/// What a unit refuses by the address alone, before it reads a table.
public struct RequestBounds: Hashable, Sendable {
  public var stage: Stage
  /// Bits that the tables translate.
  public var tableWidth: Int
  /// MGAW plus one; `nil` if unknown.
  public var unitWidth: Int?

  public init(stage: Stage, tableWidth: Int, unitWidth: Int?) {
    self.stage = stage
    self.tableWidth = tableWidth
    self.unitWidth = unitWidth
  }

  public init(_ space: AddressSpace, unit: UnitCapabilities?) {
    self.init(
      stage: space.stage, tableWidth: space.width,
      unitWidth: unit?.capability.maximumGuestAddressWidth)
  }

  /// Bits of the widest address that gets through.
  public var width: Int { min(tableWidth, unitWidth ?? 64) }

  /// Why an address does not get through; `nil` if it does.
  ///
  /// First-stage addresses are canonical: their upper bits are copies of the highest one that is
  /// translated. Both stages stop at MGAW.
  ///
  /// Source: VT-d specification, sections 3.6, 3.7 and 11.4.2 (MGAW); Linux,
  /// drivers/iommu/intel/iommu.c, `compute_vasz_lg2_fs`; QEMU, hw/i386/intel_iommu.c,
  /// `vtd_iova_sl_range_check` and `vtd_iova_fl_check_canonical`.
  public func refusal(of address: UInt64) -> TranslationEnding? {
    switch stage {
    case .first:
      let upper = Int64(bitPattern: address) >> Int64(max(1, min(tableWidth, 64)) - 1)
      guard upper == 0 || upper == -1 else { return .notCanonical }
    case .second:
      if tableWidth < 64, address >> UInt64(tableWidth) != 0 {
        return .beyondWidth(.second, tableWidth)
      }
    }
    return isWithinUnit(address) ? nil : .beyondUnit(width)
  }

  private func isWithinUnit(_ address: UInt64) -> Bool {
    if let end, address < end { return true }
    return end == nil || stage == .first && address >= upperHalf
  }

  /// The first address behind those that begin at 0 and get through; `nil` if all do.
  private var end: UInt64? {
    switch stage {
    case .first: min(1 << UInt64(max(1, min(tableWidth, 64)) - 1), 1 << UInt64(min(width, 63)))
    case .second: width < 64 ? 1 << UInt64(width) : nil
    }
  }

  /// First stage: where the upper half of the canonical addresses begins.
  private var upperHalf: UInt64 { 0 &- (1 << UInt64(max(1, min(width, 64)) - 1)) }
}

/// Why pages that the tables map cannot be reached.
public enum ReachObstacle: Hashable, Sendable {
  /// The address lies in the interrupt address range, and the requests carry no PASID.
  case interruptWindow
  /// The page lies in the interrupt address range.
  case interruptTarget
  /// The unit or the tables do not take such addresses.
  case beyondWidth(TranslationEnding)
}

extension RequestBounds {
  /// Cuts a run where it begins or ceases to be reachable.
  ///
  /// - Parameter hasPASID: whether the requests carry a PASID.
  /// - Returns: the pieces in ascending order, which make up the run, each with what stands in its
  ///   way; `nil` for a piece that requests can reach.
  public func pieces(
    of run: MappedRun, hasPASID: Bool
  ) -> [(run: MappedRun, obstacle: ReachObstacle?)] {
    guard run.length > 0 else { return [] }
    let start = run.iova.rawValue
    let last = start &+ (run.length - 1)
    let window = InterruptWindow.range
    // Offsets into the run at which something may change.
    var cuts: Set<UInt64> = [0]
    func cut(at address: UInt64, from base: UInt64) {
      let offset = address &- base
      if address > base, offset < run.length { cuts.insert(offset) }
    }
    if last >= start {
      cut(at: window.lowerBound, from: start)
      cut(at: window.upperBound + 1, from: start)
      if let end { cut(at: end, from: start) }
      if stage == .first { cut(at: upperHalf, from: start) }
    }
    cut(at: window.lowerBound, from: run.physical.rawValue)
    cut(at: window.upperBound + 1, from: run.physical.rawValue)
    let offsets = cuts.sorted()
    return offsets.enumerated().map { index, offset in
      let end = index + 1 < offsets.count ? offsets[index + 1] : run.length
      var piece = run
      piece.iova = IOVirtualAddress(start &+ offset)
      piece.physical = PhysicalAddress(run.physical.rawValue &+ offset)
      piece.length = end - offset
      return (piece, obstacle(piece, hasPASID: hasPASID))
    }
  }

  private func obstacle(_ piece: MappedRun, hasPASID: Bool) -> ReachObstacle? {
    let address = piece.iova.rawValue
    if !hasPASID, InterruptWindow.contains(address) { return .interruptWindow }
    if let refusal = refusal(of: address) { return .beyondWidth(refusal) }
    return InterruptWindow.contains(piece.physical.rawValue) ? .interruptTarget : nil
  }
}

extension ReachObstacle: CustomStringConvertible {
  /// Half a sentence, lower case, no full stop.
  public var description: String {
    switch self {
    case .interruptWindow: "the address is in the interrupt range, where a write is an interrupt"
    case .interruptTarget: "the page is in the interrupt address range, where no request may go"
    case .beyondWidth(let ending): ending.description
    }
  }
}
