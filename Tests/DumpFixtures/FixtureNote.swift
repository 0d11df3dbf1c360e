// SPDX-License-Identifier: Apache-2.0

/// An ELF note as a builder writes it.
public struct FixtureNote: Hashable, Sendable {
  public var name: String
  public var type: UInt32
  public var bytes: [UInt8]

  public init(_ name: String, type: UInt32 = 0, _ bytes: [UInt8]) {
    self.name = name
    self.type = type
    self.bytes = bytes
  }

  /// Header, name and descriptor, each padded to 4 bytes.
  public var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.append(UInt32(name.utf8.count + 1))
    writer.append(UInt32(bytes.count))
    writer.append(type)
    writer.append(Array(name.utf8) + [0])
    writer.align(4)
    writer.append(bytes)
    writer.align(4)
    return writer.bytes
  }
}
