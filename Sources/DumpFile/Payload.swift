// SPDX-License-Identifier: Apache-2.0

internal import ELF
import Memory

/// What kind of dump a file, or the stream in it, holds.
enum Payload {
  case elf
  case kdump
  case lime
  case vmware

  init(_ bytes: DumpBytes) throws(DumpError) {
    let start = Self.head(bytes)
    if start.starts(with: ELFHeader.signature) {
      self = .elf
    } else if start == KdumpHeader.kdumpSignature || start == KdumpHeader.diskdumpSignature {
      self = .kdump
    } else if start.starts(with: LimeImage.signature) {
      self = .lime
    } else if VMwareImage.isStart(start) {
      self = .vmware
    } else {
      throw DumpError(bytes.name, .notADump, Self.message(start, bytes))
    }
  }

  /// The first eight bytes, or as many as there are.
  static func head(_ bytes: DumpBytes) -> [UInt8] {
    (try? bytes.copy(at: 0, length: Int(min(bytes.count, 8)))) ?? []
  }

  private static func message(_ start: [UInt8], _ bytes: DumpBytes) -> String {
    let expected = "expected an ELF, kdump-compressed or flattened dump, found "
    if bytes.isFlattened {
      return start.isEmpty
        ? expected + "a flattened stream without the dump's first bytes; "
          + (bytes.obstacle ?? "it is damaged")
        : expected + "a flattened stream of something else; copy the dump again"
    }
    let head = (try? bytes.copy(at: 0, length: Int(min(bytes.count, 1024)))) ?? []
    if let (name, advice) = ForeignImage.name(head) {
      return expected + "\(name), which is not read; \(advice)"
    }
    // Nothing in these files tells what they are but the name that VMware gives.
    if bytes.name.lowercased().hasSuffix(".vmem") {
      return expected
        + "memory of a VMware machine without the .vmss or .vmsn of the same name that "
        + "tells where it lies; copy that beside it, or read a machine of up to 3 GiB as plain memory, "
        + "FILE@0"
    }
    let isText = start.allSatisfy { $0 >= 0x20 && $0 < 0x7f || $0 == 0x09 || $0 == 0x0a }
    return expected + (isText ? "text" : "neither")
      + " (first bytes \(start.map { hexadecimal($0) }.joined(separator: " "))); "
      + "name the vmcore itself" + (isText ? "" : ", or plain memory with its address, FILE@0")
  }

  private static func hexadecimal(_ byte: UInt8) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }
}
