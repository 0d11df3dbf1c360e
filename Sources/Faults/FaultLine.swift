// SPDX-License-Identifier: Apache-2.0

public import Memory
public import VTd

/// A fault as the kernel's log tells it.
///
/// Every form that `dmar_fault_do_one` and its forerunners have printed is read:
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
///
/// Source: drivers/iommu/intel/dmar.c (drivers/iommu/dmar.c, drivers/pci/dmar.c), dmar_fault_do_one.
public struct FaultLine: Hashable, Sendable {
  public var kind: Kind
  public var device: PCIFunction
  /// `nil` for a request without PASID, and where the form does not tell.
  public var pasid: UInt32?
  /// Page-aligned address of a DMA fault, index of an interrupt fault.
  public var value: UInt64
  /// `nil` where the line that holds it is missing.
  public var reason: FaultReason?

  public enum Kind: String, Hashable, Sendable, CaseIterable {
    case read
    case write
    case interrupt
  }

  public init(
    kind: Kind, device: PCIFunction, pasid: UInt32? = nil, value: UInt64,
    reason: FaultReason? = nil
  ) {
    self.kind = kind
    self.device = device
    self.pasid = pasid
    self.value = value
    self.reason = reason
  }
}

extension FaultLine {
  /// Reads a line of the log, or returns `nil` if it tells of no fault.
  public init?(_ text: some StringProtocol) {
    guard let request = Self.after("Request device [", in: text) else { return nil }
    var scanner = request[...]
    // Old interrupt lines have one bracket too many.
    if scanner.first == "[" { scanner = scanner.dropFirst() }
    guard let close = scanner.firstIndex(of: "]"),
      let device = Self.function(scanner[..<close])
    else { return nil }
    let rest = scanner[close...].dropFirst()
    let head = text.prefix(text.count - request.count)
    let isInterrupt = head.contains("INTR-REMAP")
    let pasid: UInt32?
    if let inside = Self.after("PASID ", in: head) {
      pasid = Self.number(inside, radix: 16).flatMap { UInt32(exactly: $0) }
    } else if let inside = Self.after("PASID ", in: rest) {
      pasid = Self.number(inside, radix: 16).flatMap { UInt32(exactly: $0) }
    } else {
      pasid = nil
    }
    let place = Self.after(isInterrupt ? "fault index " : "fault addr ", in: rest)
    guard let place, let value = Self.number(place, radix: 16) else { return nil }
    let kind: Kind
    if isInterrupt {
      kind = .interrupt
    } else if head.contains("DMA Write") || head.contains("DMA write") {
      kind = .write
    } else if head.contains("DMA Read") || head.contains("DMA read") {
      kind = .read
    } else {
      return nil
    }
    // All ones stood for "no PASID" while the form had no word for it.
    self.init(
      kind: kind, device: device, pasid: pasid.flatMap { $0 < 1 << 20 ? $0 : nil }, value: value,
      reason: Self.reason(rest))
  }

  /// The reason in a line that goes on from an old line without one; `nil` if it has none.
  public static func reason(_ text: some StringProtocol) -> FaultReason? {
    guard let inside = after("fault reason ", in: text) else { return nil }
    // Decimal until the numbers got their prefix.
    let isHexadecimal = inside.hasPrefix("0x") || inside.hasPrefix("0X")
    guard let number = number(inside, radix: isHexadecimal ? 16 : 10), number <= 0xff else {
      return nil
    }
    return FaultReason(UInt8(number))
  }

  private static func after<S: StringProtocol>(
    _ mark: String, in text: S
  ) -> Substring? {
    let text = Substring(text)
    guard let first = mark.first else { return nil }
    var start = text.startIndex
    while let candidate = text[start...].firstIndex(of: first) {
      if text[candidate...].hasPrefix(mark) {
        return text[text.index(candidate, offsetBy: mark.count)...]
      }
      start = text.index(after: candidate)
    }
    return nil
  }

  private static func number(_ text: Substring, radix: Int) -> UInt64? {
    var text = text
    if text.hasPrefix("0x") || text.hasPrefix("0X") { text = text.dropFirst(2) }
    let digits = text.prefix { radix == 16 ? $0.isHexDigit : $0.isWholeNumber }
    return digits.isEmpty ? nil : UInt64(digits, radix: radix)
  }

  /// `03:00.0`, `0000:03:00.0`, or `0x03:0x00.0` as Linux 5.14 to 5.17 printed it.
  private static func function(_ text: Substring) -> PCIFunction? {
    let plain = text.split(separator: ":", omittingEmptySubsequences: false).map {
      $0.hasPrefix("0x") ? $0.dropFirst(2) : $0
    }.joined(separator: ":")
    return PCIFunction(plain)
  }
}
