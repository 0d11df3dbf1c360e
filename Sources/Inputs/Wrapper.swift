// SPDX-License-Identifier: Apache-2.0

/// A form of packing that people put around dumps.
public enum Wrapper: String, CaseIterable, Hashable, Sendable {
  case gzip
  case bzip2
  case xz
  case zstd
  case lz4

  /// The form that a file's first bytes show.
  init?(_ head: [UInt8]) {
    guard let known = Self.allCases.first(where: { $0.isStart(head) }) else { return nil }
    self = known
  }

  /// Source: RFC 1952; bzip2's manual and blocks, 0x314159265359 and, of nothing, 0x177245385090; the
  /// xz and zstd formats; lz4's frame format.
  private func isStart(_ head: [UInt8]) -> Bool {
    switch self {
    // The third byte is the method; deflate is the only one.
    case .gzip: head.starts(with: [0x1f, 0x8b, 8])
    case .bzip2:
      head.count >= 10 && head.starts(with: Array("BZh".utf8)) && (0x31...0x39).contains(head[3])
        && (head[4...].starts(with: [0x31, 0x41, 0x59, 0x26, 0x53, 0x59])
          || head[4...].starts(with: [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]))
    case .xz: head.starts(with: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])
    case .zstd: head.starts(with: [0x28, 0xb5, 0x2f, 0xfd])
    case .lz4: head.starts(with: [0x04, 0x22, 0x4d, 0x18])
    }
  }

  /// Whether a file of a folder may be a dump in this form, from its name.
  var suffix: String {
    switch self {
    case .gzip: ".gz"
    case .bzip2: ".bz2"
    case .xz: ".xz"
    case .zstd: ".zst"
    case .lz4: ".lz4"
    }
  }

  /// The program that unpacks it.
  var command: String {
    switch self {
    case .gzip: "gunzip"
    case .bzip2: "bunzip2"
    case .xz: "unxz"
    case .zstd: "unzstd"
    case .lz4: "unlz4"
    }
  }

  /// Debian's package with the library.
  var package: String {
    switch self {
    case .gzip: "zlib1g"
    case .bzip2: "libbz2-1.0"
    case .xz: "liblzma5"
    case .zstd: "libzstd1"
    case .lz4: "liblz4-1"
    }
  }

  /// Something that unpacks one stream; `nil` where its library is not there.
  func decoder() -> (any StreamDecoder)? {
    switch self {
    case .gzip: GzipDecoder()
    case .bzip2: Bzip2Decoder()
    case .xz: XzDecoder()
    case .zstd: ZstdDecoder()
    case .lz4: LZ4Decoder()
    }
  }

  /// Forms that are known and not read, by their first bytes.
  static let others: [(signature: [UInt8], name: String, command: String)] = [
    ([0x89, 0x4c, 0x5a, 0x4f], "lzop", "lzop -d"),
    ([0x02, 0x21, 0x4c, 0x18], "lz4's older frames", "unlz4"),
    ([0x4c, 0x5a, 0x49, 0x50], "lzip", "lzip -d"),
    ([0x50, 0x4b, 0x03, 0x04], "zip", "unzip"),
    ([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], "7-Zip", "7z x"),
    ([0x1f, 0x9d], "compress", "uncompress"),
  ]
}
