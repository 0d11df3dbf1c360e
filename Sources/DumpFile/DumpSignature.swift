// SPDX-License-Identifier: Apache-2.0

internal import ELF
internal import Memory

/// What a file's first bytes show.
public enum DumpSignature: Hashable, Sendable {
  /// A dump in one of the forms that `DumpFile` opens.
  case dump
  /// A kernel or another program, in ELF.
  case kernel

  /// Bytes of a file that are needed to tell.
  public static let byteCount = 64

  /// `nil` for everything else.
  public init?(_ head: [UInt8]) {
    if head.starts(with: ELFHeader.signature) {
      guard let type: UInt16 = try? head.littleEndian(at: 16) else { return nil }
      switch type {
      case ELFHeader.Kind.core: self = .dump
      case ELFHeader.Kind.executable, ELFHeader.Kind.shared: self = .kernel
      default: return nil
      }
      return
    }
    let signatures = [
      KdumpHeader.kdumpSignature, KdumpHeader.diskdumpSignature, FlattenedIndex.signature,
      LimeImage.signature,
    ]
    guard signatures.contains(where: { head.starts(with: $0) }) || VMwareImage.isStart(head) else {
      return nil
    }
    self = .dump
  }

}
