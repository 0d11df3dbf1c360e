// SPDX-License-Identifier: Apache-2.0

public import VTd

/// What walks have found of address spaces, for whoever comes to the same tables of the same memory
/// again.
///
/// Of a space that is here, every entry of a level 1 table that was met maps its page or is not
/// present. A copy then takes these tables, nearly all of the pages there are, without a look at their
/// entries, and a comparison needs no more of them than that their bytes are the same.
public struct WalkedSpaces: Sendable {
  /// What a space maps.
  public struct Space: Hashable, Sendable {
    /// Entries that map a page of any size.
    public var leaves: Int
    /// Maximal ranges that follow each other in both address spaces with the same rights.
    public var runs: Int
    public var bytes: UInt64

    public init(leaves: Int, runs: Int, bytes: UInt64) {
      self.leaves = leaves
      self.runs = runs
      self.bytes = bytes
    }
  }

  private struct Key: Hashable {
    var space: AddressSpace
    // What counts as reserved depends on the unit.
    var capabilities: UnitCapabilities
  }

  private var spaces: [Key: Space] = [:]

  public init() {}

  /// What a space maps below a unit; `nil` where no walk found it, came to its end and met no reserved
  /// bits.
  public subscript(space: AddressSpace, below capabilities: UnitCapabilities) -> Space? {
    get { spaces[Key(space: space, capabilities: capabilities)] }
    set { spaces[Key(space: space, capabilities: capabilities)] = newValue }
  }
}
