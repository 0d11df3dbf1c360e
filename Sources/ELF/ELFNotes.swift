// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// A note inside bytes that hold several.
///
/// Source: System V ABI, chapter 5, "Note Section": three words of 4 bytes (name size, description
/// size, type), the name and the description, each padded.
public struct ELFNote: Hashable, Sendable {
  /// The owner, without what follows its first zero byte.
  public var name: String
  public var type: UInt32
  /// The description, without padding.
  public var bytes: [UInt8]

  public init(name: String, type: UInt32, bytes: [UInt8]) {
    self.name = name
    self.type = type
    self.bytes = bytes
  }

  /// The note with its padding to multiples of 4.
  ///
  /// - Precondition: name and description are shorter than 4 GiB.
  public var encoded: [UInt8] {
    var result: [UInt8] = []
    result.append(littleEndian: UInt32(name.utf8.count + 1))
    result.append(littleEndian: UInt32(bytes.count))
    result.append(littleEndian: type)
    result += name.utf8
    result.append(0)
    result.pad(to: 4)
    result += bytes
    result.pad(to: 4)
    return result
  }
}

/// Takes notes out of bytes, front to back.
public struct ELFNoteReader {
  private let bytes: [UInt8]
  private let mask: Int
  /// Where the next note starts.
  public private(set) var position = 0

  /// - Parameter alignment: `p_align` or `sh_addralign`; 8 pads to 8, everything else to 4, as Linux,
  ///   kexec and QEMU write.
  public init(_ bytes: [UInt8], alignment: UInt64) {
    self.bytes = bytes
    mask = alignment == 8 ? 7 : 3
  }

  public enum Step: Hashable, Sendable {
    case note(ELFNote)
    /// Nothing follows, or zeros.
    case end
    /// The note at `position` claims more bytes than there are.
    case damaged
  }

  /// The next note; after an end or damage the same again.
  public mutating func next() -> Step {
    guard position <= bytes.count - 12,
      let nameSize = try? bytes.littleEndian(at: position, as: UInt32.self),
      let byteCount = try? bytes.littleEndian(at: position + 4, as: UInt32.self),
      let type = try? bytes.littleEndian(at: position + 8, as: UInt32.self)
    else { return .end }
    if nameSize == 0, byteCount == 0, type == 0 { return .end }
    // Sums of an offset into an array and 32-bit values, which an Int holds.
    let name = position + 12
    let description = (name + Int(nameSize) + mask) & ~mask
    let end = description + Int(byteCount)
    guard name + Int(nameSize) <= bytes.count, description <= bytes.count, end <= bytes.count
    else { return .damaged }
    position = (end + mask) & ~mask
    return .note(
      ELFNote(
        name: String(
          decoding: bytes[name..<name + Int(nameSize)].prefix { $0 != 0 }, as: UTF8.self),
        type: type, bytes: Array(bytes[description..<end])))
  }
}
