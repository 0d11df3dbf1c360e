// SPDX-License-Identifier: Apache-2.0

internal import ELF
import Memory

/// What kind of dump a file, or the stream in it, holds.
enum Payload {
  case elf
  case kdump

  init(_ bytes: DumpBytes) throws(DumpError) {
    let start = (try? bytes.copy(at: 0, length: Int(min(bytes.count, 8)))) ?? []
    if start.starts(with: ELFHeader.signature) {
      self = .elf
    } else if start == KdumpHeader.kdumpSignature || start == KdumpHeader.diskdumpSignature {
      self = .kdump
    } else {
      throw DumpError(bytes.name, .notADump, Self.message(start, bytes))
    }
  }

  private static func message(_ start: [UInt8], _ bytes: DumpBytes) -> String {
    let expected = "expected an ELF, kdump-compressed or flattened dump, found "
    if bytes.isFlattened {
      return start.isEmpty
        ? expected + "a flattened stream without the dump's first bytes; "
          + (bytes.obstacle ?? "it is damaged")
        : expected + "a flattened stream of something else; copy the dump again"
    }
    for (signature, name, command) in packers where start.starts(with: signature) {
      return expected + "\(name) data; unpack the file with \(command) first"
    }
    let isText = start.allSatisfy { $0 >= 0x20 && $0 < 0x7f || $0 == 0x09 || $0 == 0x0a }
    return expected + (isText ? "text" : "neither")
      + " (first bytes \(start.map { hexadecimal($0) }.joined(separator: " "))); "
      + "name the vmcore itself"
  }

  private static func hexadecimal(_ byte: UInt8) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }

  /// Programs that people pack dumps with, by the first bytes of their files.
  private static let packers: [(signature: [UInt8], name: String, command: String)] = [
    ([0x1f, 0x8b], "gzip", "gunzip"),
    ([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], "xz", "unxz"),
    ([0x42, 0x5a, 0x68], "bzip2", "bunzip2"),
    ([0x04, 0x22, 0x4d, 0x18], "lz4", "unlz4"),
    ([0x28, 0xb5, 0x2f, 0xfd], "zstd", "unzstd"),
    ([0x89, 0x4c, 0x5a, 0x4f], "lzop", "lzop -d"),
  ]
}
