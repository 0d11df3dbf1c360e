// SPDX-License-Identifier: Apache-2.0

internal import KernelTypes
public import Memory

/// An entry of an XArray or radix tree.
public struct XArrayEntry: Hashable, Sendable {
  public var index: UInt64
  /// The stored word: a pointer, possibly with tag bits, or a value entry (bit 0 set).
  public var word: UInt64

  public init(index: UInt64, word: UInt64) {
    self.index = index
    self.word = word
  }
}

extension KernelImage {
  /// The entries of a `struct xarray`, or of a `struct radix_tree_root`, by index.
  ///
  /// Both keep their head in one word: a node pointer is tagged with 2 (XArray) or 1 (radix tree
  /// up to 4.19), anything else is the single entry of index 0. Reserved internal entries (retry,
  /// sibling, zero) are left out.
  ///
  /// Since Linux commit 01959dfe771c ("xarray: Define struct xa_node") (in v4.20) nodes are
  /// `struct xa_node`; before that, `struct radix_tree_node`.
  ///
  /// Source: include/linux/xarray.h.
  public func xarray(at address: KernelAddress, limit: Int = 1 << 20) -> LinkWalk<XArrayEntry> {
    var walk = LinkWalk<XArrayEntry>()
    do throws(KernelError) {
      let isXArray = try has("xarray", "xa_head")
      let root = try object(isXArray ? "xarray" : "radix_tree_root", at: address)
      let head = try root.unsigned(isXArray ? "xa_head" : "rnode")
      let node = try requiredStructure(isXArray ? "xa_node" : "radix_tree_node")
      try descend(
        head, base: 0, depth: 0, node: node, tag: isXArray ? 2 : 1, limit: limit, into: &walk)
    } catch {
      walk.problem = error
    }
    return walk
  }

  private func descend(
    _ word: UInt64, base: UInt64, depth: Int, node layout: StructLayout, tag: UInt64, limit: Int,
    into walk: inout LinkWalk<XArrayEntry>
  ) throws(KernelError) {
    guard word != 0 else { return }
    guard word & 3 == tag, word > 4096 else {
      // Internal entries other than nodes: sibling, retry and zero entries.
      if word & 3 == 2 { return }
      walk.elements.append(XArrayEntry(index: base, word: word))
      return
    }
    // 64-bit indices and 6 bits a level make at most 11 levels.
    guard depth < 11, walk.elements.count < limit else {
      throw KernelError(
        at: KernelAddress(word & ~3), .malformed("xarray deeper or larger than it can be"))
    }
    let node = KernelObject(self, layout, at: KernelAddress(word & ~3))
    let shift = try node.unsigned("shift")
    guard shift < 64 else {
      throw KernelError(at: node.address, .malformed("xarray node has shift \(shift)"))
    }
    for slot in 0..<(try node.arrayCount("slots")) {
      let entry = try node.element("slots", slot)
      let index = base &+ UInt64(slot) << shift
      // A leaf's slots are entries even if their low bits look like a node's.
      if shift == 0 {
        if entry != 0, entry & 3 != 2 {
          walk.elements.append(XArrayEntry(index: index, word: entry))
        }
      } else {
        try descend(
          entry, base: index, depth: depth + 1, node: layout, tag: tag, limit: limit, into: &walk)
      }
    }
  }

  /// The ids that a `struct ida` has given out, ascending.
  ///
  /// A slot of its XArray stands for 1024 ids and holds a bitmap of 128 bytes, or a value entry
  /// with the first 63 of them in its upper bits.
  ///
  /// Source: lib/idr.c, function `ida_alloc_range`.
  public func ida(at address: KernelAddress) -> LinkWalk<UInt32> {
    var walk = LinkWalk<UInt32>()
    do throws(KernelError) {
      let entries = xarray(at: try object("ida", at: address).address(of: "xa"))
      walk.problem = entries.problem
      for entry in entries.elements {
        guard let first = UInt32(exactly: entry.index &* 1024) else { continue }
        if entry.word & 1 == 1 {
          for bit in 0..<63 where entry.word >> 1 & 1 << UInt64(bit) != 0 {
            walk.elements.append(first &+ UInt32(bit))
          }
        } else {
          let bitmap = try reader.bytes(at: KernelAddress(entry.word & ~3), count: 128)
          for bit in 0..<1024 where bitmap[bit / 8] >> UInt8(bit % 8) & 1 != 0 {
            walk.elements.append(first &+ UInt32(bit))
          }
        }
      }
    } catch {
      walk.problem = error
    }
    return walk
  }
}
