// SPDX-License-Identifier: Apache-2.0

public import Memory
public import VTd

/// A fault as the kernel's log tells it.
///
/// Every form that `dmar_fault_do_one` and its forerunners have printed is read, and Xen's:
///
///     DMAR:[DMA Write] Request device [03:00.0] fault addr fffd3000            up to 4.6: the reason
///     DMAR:[fault reason 06] PTE Read access is not set                        in a second line
///     DMAR: [DMA Write] Request device [03:00.0] fault addr 0 [fault reason 05] …         since 4.7
///     DMAR: [DMA Read] Request device [03:00.0] PASID ffffffff fault addr 0 [fault reason 06] …
///     DMAR: [DMA Write NO_PASID] Request device [0x03:0x00.0] fault addr 0x0 [fault reason 0x05] …
///     DMAR: [DMA Write NO_PASID] Request device [03:00.0] fault addr 0x0 [fault reason 0x05] …
///     DMAR: [DMA Write PASID 0x3] Request device [0000:03:00.0] fault addr 0x0 [fault reason 0x71] …
///     DMAR: INTR-REMAP: Request device [[03:00.0] fault index 1c
///     DMAR: [INTR-REMAP] Request device [03:00.0] fault index 0x1c [fault reason 0x22] …
///     (XEN) [VT-D]DMAR:[DMA Write] Request device [0000:03:00.0] fault addr 0, iommu reg = ffff82c0…
///     (XEN) [VT-D]DMAR: reason 05 - PTE Write access is not set
///
/// Source: drivers/iommu/intel/dmar.c (drivers/iommu/dmar.c, drivers/pci/dmar.c), dmar_fault_do_one;
/// xen/drivers/passthrough/vtd/iommu.c, iommu_page_fault_do_one.
public struct FaultLine: Hashable, Sendable {
  public var kind: Kind
  public var device: PCIFunction
  /// `nil` for a request without PASID, and where the form does not tell.
  public var pasid: UInt32?
  /// Page-aligned address of a DMA fault, index of an interrupt fault.
  public var value: UInt64
  /// `nil` where the line that holds it is missing.
  public var reason: FaultReason?
  /// Whether the form names the segment; those of before 7.0 mean the unit's, which they do not tell.
  public var namesSegment: Bool
  /// Whether Xen wrote it.
  public var isXen: Bool

  public enum Kind: String, Hashable, Sendable, CaseIterable {
    case read
    case write
    case interrupt
  }

  public init(
    kind: Kind, device: PCIFunction, pasid: UInt32? = nil, value: UInt64,
    reason: FaultReason? = nil, namesSegment: Bool = false, isXen: Bool = false
  ) {
    self.kind = kind
    self.device = device
    self.pasid = pasid
    self.value = value
    self.reason = reason
    self.namesSegment = namesSegment
    self.isXen = isXen
  }
}

extension FaultLine {
  /// The first fault of a text, or `nil` if it tells of none.
  public init?(_ text: some StringProtocol) {
    guard let fault = FaultLog(pasted: text).records.first?.fault else { return nil }
    self = fault
  }

  /// Whether the record was read from a unit that does not answer.
  ///
  /// Source: drivers/iommu/intel/dmar.c, dmar_fault: the page, the source id and the reason come out
  /// of the record's words, the reason as 0xff.
  public var isAllOnes: Bool {
    device.sourceID == .max && value >> 12 == .max >> 12 && reason?.rawValue == 0xff
  }

  /// Reads on behind `DMA Read`, `DMA Write` or `INTR-REMAP`.
  init?(_ scanner: inout LogScanner, _ kind: Kind, isXen: Bool) {
    var pasid: UInt64?
    if scanner.words("NO_PASID") {
      pasid = nil
    } else if scanner.words("PASID") {
      guard let value = scanner.hexadecimal() else { return nil }
      pasid = value
    }
    _ = scanner.mark("]")
    _ = scanner.mark(":")
    guard scanner.words("Request device"), scanner.mark("[") else { return nil }
    // Old interrupt lines have one bracket too many.
    _ = scanner.mark("[")
    guard let name = scanner.upTo("]"), let device = Self.function(name) else { return nil }
    if scanner.words("PASID") {
      guard let value = scanner.hexadecimal() else { return nil }
      pasid = value
    }
    guard kind == .interrupt ? scanner.words("fault index") : scanner.words("fault addr"),
      let value = scanner.hexadecimal()
    else { return nil }
    var isXen = isXen
    if scanner.mark(","), scanner.words("iommu reg"), scanner.mark("=") {
      _ = scanner.hexadecimal()
      isXen = true
    }
    var reason: FaultReason?
    // A form of one line has the reason at once, one that was joined of two behind its tag.
    var behind = scanner
    _ = behind.words("DMAR:") || behind.words("INTR-REMAP:")
    if behind.words("[fault reason"),
      let line = ReasonLine(&behind, isInterrupt: kind == .interrupt)
    {
      reason = line.reason
      scanner = behind
    }
    self.init(
      kind: kind, device: device,
      // All ones stood for "no PASID" while the form had no word for it.
      pasid: pasid.flatMap { UInt32(exactly: $0) }.flatMap { $0 < 1 << 20 ? $0 : nil },
      value: value, reason: reason, namesSegment: name.split(separator: ":").count == 3,
      isXen: isXen)
  }

  /// `03:00.0`, `0000:03:00.0`, or `0x03:0x00.0` as Linux 5.14 to 5.17 printed it.
  private static func function(_ text: String) -> PCIFunction? {
    let plain = text.split(separator: ":", omittingEmptySubsequences: false).map {
      $0.hasPrefix("0x") ? $0.dropFirst(2) : $0
    }.joined(separator: ":")
    return PCIFunction(plain)
  }
}
