// SPDX-License-Identifier: Apache-2.0

/// A PCI function as a request names it: segment, bus, device and function.
///
/// The order is that of the numbers: segment first, function last.
public struct PCIFunction: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The PCI segment group; 16 bits in ACPI, but Linux gives VMD buses numbers from 0x10000 up.
  public var segment: UInt32
  public var bus: UInt8
  /// Device number in bits 7:3, function number in bits 2:0.
  public var devfn: UInt8

  @inlinable
  public init(segment: UInt32 = 0, bus: UInt8, devfn: UInt8) {
    self.segment = segment
    self.bus = bus
    self.devfn = devfn
  }

  /// Device number, 0…31.
  @inlinable public var device: UInt8 { devfn >> 3 }
  /// Function number, 0…7.
  @inlinable public var function: UInt8 { devfn & 7 }
  /// The requester id on the bus: bus in bits 15:8, devfn in bits 7:0.
  @inlinable public var sourceID: UInt16 { UInt16(bus) << 8 | UInt16(devfn) }
  /// Whether it sits behind a VMD controller, whose source id its requests carry.
  ///
  /// Source: drivers/pci/controller/vmd.c, `vmd_find_free_domain`: such buses get segments from 0x10000
  /// on, which no firmware can name.
  @inlinable public var isBehindVMD: Bool { segment >= 0x10000 }

  public static func < (a: Self, b: Self) -> Bool {
    (a.segment, a.sourceID) < (b.segment, b.sourceID)
  }

  /// `ssss:bb:dd.f` in lower-case hexadecimal; more segment digits where they are needed.
  public var description: String {
    "\(segment.padded(4)):\(UInt32(bus).padded(2)):\(UInt32(device).padded(2)).\(function)"
  }

  /// Reads `ssss:bb:dd.f` or `bb:dd.f` (segment 0), or returns `nil`.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2 || parts.count == 3 else { return nil }
    let tail = parts[parts.count - 1].split(separator: ".", omittingEmptySubsequences: false)
    guard tail.count == 2,
      let segment = parts.count == 3 ? Self.digits(parts[0], 1...8, as: UInt32.self) : 0,
      let bus = Self.digits(parts[parts.count - 2], 1...2, as: UInt8.self),
      let device = Self.digits(tail[0], 1...2, as: UInt8.self), device < 32,
      let function = Self.digits(tail[1], 1...1, as: UInt8.self), function < 8
    else { return nil }
    self.init(segment: segment, bus: bus, devfn: device << 3 | function)
  }

  private static func digits<T: FixedWidthInteger>(
    _ text: some StringProtocol, _ count: ClosedRange<Int>, as type: T.Type
  ) -> T? {
    guard count.contains(text.count), text.allSatisfy(\.isHexDigit) else { return nil }
    return T(text, radix: 16)
  }
}

extension UInt32 {
  fileprivate func padded(_ width: Int) -> String {
    let digits = String(self, radix: 16)
    return String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
  }
}
