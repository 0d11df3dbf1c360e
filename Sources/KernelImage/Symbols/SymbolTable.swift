// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Run-time addresses of the kernel symbols that somebody asked for, by name.
///
/// A kernel has 150,000 symbols and the analysis needs some sixty of them, so tables are made for
/// a set of wanted names in one pass over the source.
public struct SymbolTable: Hashable, Sendable {
  /// Addresses by name; static symbols of one name may stand at several.
  public var addresses: [String: [KernelAddress]]
  public var origin: Origin

  /// Where the symbols come from.
  public enum Origin: String, Hashable, Sendable, CaseIterable {
    /// `.symtab` of the vmlinux.
    case vmlinux
    /// A System.map.
    case systemMap = "System.map"
    /// The kernel's own table inside the dump.
    case kallsyms
    /// The note of an extract.
    case extract
  }

  public init(_ addresses: [String: [KernelAddress]], origin: Origin) {
    self.addresses = addresses
    self.origin = origin
  }

  /// The symbol's only address, or its first one where several objects share the name.
  public subscript(_ name: String) -> KernelAddress? { addresses[name]?.first }

  /// A table whose link-time addresses are moved by `offset` bytes, as KASLR does.
  ///
  /// Absolute and per-CPU symbols lie below the kernel's half of the address space and stay.
  public func relocated(by offset: UInt64) -> SymbolTable {
    SymbolTable(
      addresses.mapValues { list in
        list.map { $0.rawValue >= 1 << 63 ? KernelAddress($0.rawValue &+ offset) : $0 }
      }, origin: origin)
  }
}
