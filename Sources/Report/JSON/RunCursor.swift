// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import Memory
internal import RemappingState

/// Reads a run exactly as this program writes it: its keys in their order, one space between them, its
/// words in digits.
///
/// A report has millions of runs and few of anything else. Whatever differs from that form, be it
/// sound or not, is left to the reader of rows.
struct RunCursor {
  private let bytes: [UInt8]
  private(set) var place: Int

  init(_ bytes: [UInt8], at place: Int) {
    self.bytes = bytes
    self.place = place
  }

  /// The run that comes next, with `place` behind it; `nil` if it has another form.
  mutating func run() -> Run? {
    passSpace()
    guard take("{\"iova\": \"0x"), let iova = digits(),
      take("\", \"length\": \"0x"), let length = digits(),
      take("\", \"physical\": \"0x"), let physical = digits(),
      take("\", \"access\": \""), let access = access(), take("\"}")
    else { return nil }
    return Run(
      iova: IOVirtualAddress(iova), length: HexWord(length), physical: PhysicalAddress(physical),
      access: access)
  }

  private mutating func passSpace() {
    while place < bytes.count,
      bytes[place] == 0x20 || bytes[place] == 0x0a || bytes[place] == 0x0d || bytes[place] == 0x09
    {
      place &+= 1
    }
  }

  /// Consumes a text of this program.
  @inline(__always)
  private mutating func take(_ text: StaticString) -> Bool {
    let size = text.utf8CodeUnitCount
    guard size <= bytes.count - place else { return false }
    // Both sides have `size` bytes: checked above, and the text is a constant of the program.
    let isSame = unsafe bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return false }
      return unsafe memcmp(base + place, text.utf8Start, size) == 0
    }
    guard isSame else { return false }
    place &+= size
    return true
  }

  /// Consumes at most 16 digits as this program writes them.
  @inline(__always)
  private mutating func digits() -> UInt64? {
    let first = place
    var value: UInt64 = 0
    while place < bytes.count {
      let byte = bytes[place]
      let isDecimal = byte &- UInt8(ascii: "0") < 10
      guard isDecimal || byte &- UInt8(ascii: "a") < 6 else { break }
      value = value &<< 4 | UInt64(isDecimal ? byte & 0xf : byte & 0xf &+ 9)
      place &+= 1
    }
    return (1...16).contains(place - first) ? value : nil
  }

  /// Consumes `r`, `w` or `rw`.
  @inline(__always)
  private mutating func access() -> Access? {
    if take("rw") { return .readWrite }
    if take("r") { return .read }
    return take("w") ? .write : nil
  }
}
