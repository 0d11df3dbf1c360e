// SPDX-License-Identifier: Apache-2.0

internal import ELF
internal import Memory

/// What a file's first bytes show.
public enum DumpSignature: Hashable, Sendable {
  /// A dump in one of the forms that `DumpFile` opens.
  case dump
  /// A kernel or another program, in ELF, or a bootable image of a kernel.
  case kernel

  /// Bytes of a file that are needed to tell.
  public static let byteCount = 0x206

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
    if Self.isBootable(head) {
      self = .kernel
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

  /// Source: Documentation/arch/x86/boot.rst, `boot_flag` and `header`.
  private static func isBootable(_ head: [UInt8]) -> Bool {
    head.count >= 0x206 && Array(head[0x1fe..<0x200]) == [0x55, 0xaa]
      && Array(head[0x202..<0x206]) == Array("HdrS".utf8)
  }
}
