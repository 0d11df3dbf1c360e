// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Pages contiguous in I/O virtual and in physical address, with the same access.
public struct MappedRun: Hashable, Sendable {
  public var iova: IOVirtualAddress
  /// Bytes; a multiple of 4096.
  ///
  /// The run's last byte is a 64-bit address, its end may be 2^64.
  public var length: UInt64
  /// Host-physical.
  public var physical: PhysicalAddress
  /// Never empty.
  public var access: PagingAccess

  @inlinable
  public init(
    iova: IOVirtualAddress, length: UInt64, physical: PhysicalAddress, access: PagingAccess
  ) {
    self.iova = iova
    self.length = length
    self.physical = physical
    self.access = access
  }
}

/// Merges leaves that come in ascending order into maximal runs.
public struct RunMerger: Sendable {
  @usableFromInline var iova: UInt64 = 0
  /// 0 before the first leaf.
  @usableFromInline var length: UInt64 = 0
  @usableFromInline var physical: UInt64 = 0
  @usableFromInline var access: PagingAccess = []

  @inlinable
  public init() {}

  /// Goes on behind a run.
  @inlinable
  public init(_ run: MappedRun) {
    iova = run.iova.rawValue
    length = run.length
    physical = run.physical.rawValue
    access = run.access
  }

  /// Whether a run that comes next is part of the one that is being built.
  @inlinable
  public func isContinued(by next: MappedRun) -> Bool {
    // A run that ends at 2^64 is the last one, so the sum's wrap to 0 can continue nothing.
    length != 0 && iova &+ length == next.iova.rawValue
      && physical &+ length == next.physical.rawValue && access == next.access
  }

  /// Takes a leaf, or several that follow each other and have `length` bytes together; returns the
  /// run before it, if the leaf does not continue that.
  @inlinable
  @inline(__always)
  public mutating func add(_ leaf: PagingLeaf, length added: UInt64) -> MappedRun? {
    // A run that ends at 2^64 is the last one, so the sum's wrap to 0 can continue nothing.
    if length != 0, iova &+ length == leaf.iova.rawValue,
      physical &+ length == leaf.physical.rawValue, access == leaf.access
    {
      length = length &+ added
      return nil
    }
    let finished = current
    iova = leaf.iova.rawValue
    length = added
    physical = leaf.physical.rawValue
    access = leaf.access
    return finished
  }

  /// The run that is being built.
  @inlinable
  public var current: MappedRun? {
    length == 0
      ? nil
      : MappedRun(
        iova: IOVirtualAddress(iova), length: length, physical: PhysicalAddress(physical),
        access: access)
  }
}
