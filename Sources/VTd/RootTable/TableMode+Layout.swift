// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

extension TableMode {
  /// The fields of half an entry of a root table that count in this mode: in legacy mode the whole entry,
  /// in the others the two halves have the same fields.
  ///
  /// Source: VT-d specification, sections 9.1 and 9.2.
  public var rootLayout: [BitField] {
    self == .legacy ? RootEntry.layout : RootEntry.layout.filter { $0.bits.upperBound < 64 }
  }

  /// The fields of an entry of a context table.
  ///
  /// Source: VT-d specification, sections 9.3 and 9.4; for extended mode revision 2.4.
  public var contextLayout: [BitField] {
    switch self {
    case .legacy: ContextEntry.layout
    case .extended: ExtendedContextEntry.layout
    case .scalable: ScalableContextEntry.layout
    }
  }
}
