// SPDX-License-Identifier: Apache-2.0

/// How a unit reads its root table, and with it every table below.
///
/// The hardware keeps it in the root table address register; Linux chooses it at boot.
///
/// Source: VT-d specification, section 11.4.6, TTM; `extended` is what revisions 2.x called RTT.
public enum TableMode: String, Hashable, Sendable, CaseIterable {
  /// Root entries of one context table, context entries of 128 bits.
  case legacy
  /// Root entries of two context tables, context entries of 256 bits with a second-stage pointer.
  case extended
  /// Root entries of two context tables, context entries of 256 bits that lead to a PASID directory.
  case scalable
}
