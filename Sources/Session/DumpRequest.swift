// SPDX-License-Identifier: Apache-2.0

/// Which dump to read, and what to read it with.
public struct DumpRequest: Hashable, Sendable {
  /// The dump's file, or all files of a split one, as they were given.
  public var files: [String]
  /// A `vmlinux` with symbols, DWARF or both.
  public var vmlinux: String?
  /// A `System.map`.
  public var symbols: String?
  public var types: TypePreference

  public init(
    files: [String], vmlinux: String? = nil, symbols: String? = nil, types: TypePreference = .auto
  ) {
    self.files = files
    self.vmlinux = vmlinux
    self.symbols = symbols
    self.types = types
  }

  /// Every file that the request names.
  public var inputs: [String] { files + [vmlinux, symbols].compactMap(\.self) }

  /// The dump's name in messages.
  public var name: String { files.first ?? "" }
}

/// Where struct layouts may come from.
public enum TypePreference: String, CaseIterable, Hashable, Sendable {
  /// DWARF where it is given, otherwise the dump's own BTF.
  case auto
  case dwarf
  case btf
}
