// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

/// Reads a run as this program writes it: its keys in their order, its words in digits.
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
    guard take(UInt8(ascii: "{")),
      key("iova"), let iova = word(), take(UInt8(ascii: ",")),
      key("length"), let length = word(), take(UInt8(ascii: ",")),
      key("physical"), let physical = word(), take(UInt8(ascii: ",")),
      key("access"), let access = access(), take(UInt8(ascii: "}"))
    else { return nil }
    return Run(
      iova: IOVirtualAddress(iova), length: HexWord(length), physical: PhysicalAddress(physical),
      access: access)
  }

  /// Consumes `byte`, and white space before it.
  @inline(__always)
  private mutating func take(_ byte: UInt8) -> Bool {
    var next = place
    while next < bytes.count,
      bytes[next] == 0x20 || bytes[next] == 0x0a || bytes[next] == 0x0d || bytes[next] == 0x09
    {
      next &+= 1
    }
    guard next < bytes.count, bytes[next] == byte else { return false }
    place = next &+ 1
    return true
  }

  /// Consumes `"name":`.
  @inline(__always)
  private mutating func key(_ name: StaticString) -> Bool {
    guard take(UInt8(ascii: "\"")) else { return false }
    let size = name.utf8CodeUnitCount
    guard size < bytes.count - place, bytes[place &+ size] == UInt8(ascii: "\"") else {
      return false
    }
    for index in 0..<size {
      // The text is a constant of the program with `size` bytes.
      guard unsafe bytes[place &+ index] == name.utf8Start[index] else { return false }
    }
    place = place &+ size &+ 1
    return take(UInt8(ascii: ":"))
  }

  /// Consumes `"0x…"` with at most 16 digits.
  @inline(__always)
  private mutating func word() -> UInt64? {
    guard take(UInt8(ascii: "\"")), bytes.count - place > 2, bytes[place] == UInt8(ascii: "0"),
      bytes[place &+ 1] == UInt8(ascii: "x")
    else { return nil }
    let first = place &+ 2
    var next = first
    var value: UInt64 = 0
    while next < bytes.count {
      let byte = bytes[next]
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte &- UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte &- UInt8(ascii: "a") &+ 10
      case UInt8(ascii: "\"") where next > first:
        place = next &+ 1
        return value
      default: return nil
      }
      guard next &- first < 16 else { return nil }
      value = value &<< 4 | UInt64(digit)
      next &+= 1
    }
    return nil
  }

  /// Consumes `"r"`, `"w"` or `"rw"`.
  @inline(__always)
  private mutating func access() -> Access? {
    guard take(UInt8(ascii: "\"")), bytes.count - place > 2 else { return nil }
    let access: Access
    switch (bytes[place], bytes[place &+ 1]) {
    case (UInt8(ascii: "r"), UInt8(ascii: "\"")): access = .read
    case (UInt8(ascii: "w"), UInt8(ascii: "\"")): access = .write
    case (UInt8(ascii: "r"), UInt8(ascii: "w")) where bytes[place &+ 2] == UInt8(ascii: "\""):
      place &+= 3
      return .readWrite
    default: return nil
    }
    place &+= 2
    return access
  }
}
