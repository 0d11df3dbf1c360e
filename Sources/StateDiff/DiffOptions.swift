// SPDX-License-Identifier: Apache-2.0

/// What counts as a difference.
public struct DiffOptions: Hashable, Sendable {
  /// Mappings differ only if something is mapped on one side alone or with another access; which
  /// page it is does not matter.
  public var ignorePhysical: Bool
  /// Where tables, entries and queues lie is compared too, and the entries' words.
  public var addresses: Bool

  public init(ignorePhysical: Bool = false, addresses: Bool = false) {
    self.ignorePhysical = ignorePhysical
    self.addresses = addresses
  }
}
