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
  /// A node that cannot be read, that is met a second time or whose `shift` does not continue its
  /// parent's is the walk's problem; what hangs elsewhere is still followed.
  ///
  /// Since Linux v4.20 nodes are `struct xa_node`; before that, `struct radix_tree_node`.
  ///
  /// Source: include/linux/xarray.h.
  public func xarray(at address: KernelAddress, limit: Int = 1 << 20) -> LinkWalk<XArrayEntry> {
    do throws(KernelError) {
      let isXArray = try has("xarray", "xa_head")
      let root = try object(isXArray ? "xarray" : "radix_tree_root", at: address)
      let head = try root.unsigned(isXArray ? "xa_head" : "rnode")
      let layout = try requiredStructure(isXArray ? "xa_node" : "radix_tree_node")
      var walker = XArrayWalker(
        image: self, layout: layout, nodeTag: isXArray ? 2 : 1, limit: limit)
      walker.enter(head, base: 0, parentShift: nil)
      return walker.walk
    } catch {
      return LinkWalk(problem: error)
    }
  }

  /// The ids that a `struct ida` has given out, ascending.
  ///
  /// A slot of its XArray stands for 1024 ids and holds a bitmap of 128 bytes, or a value entry
  /// with the first 63 of them in its upper bits.
  ///
  /// - Parameter limit: ids after this many are not given, which is the walk's problem.
  ///
  /// Source: lib/idr.c, function `ida_alloc_range`.
  public func ida(at address: KernelAddress, limit: Int = 1 << 20) -> LinkWalk<UInt32> {
    var walk = LinkWalk<UInt32>()
    let entries: LinkWalk<XArrayEntry>
    do throws(KernelError) {
      entries = xarray(at: try object("ida", at: address).address(of: "xa"))
    } catch {
      return LinkWalk(problem: error)
    }
    walk.problem = entries.problem
    for entry in entries.elements {
      // IDs end at INT_MAX, so an index beyond it belongs to nothing.
      guard entry.index < 1 << 21 else { continue }
      let first = UInt32(entry.index) * 1024
      var bitmap: [UInt8] = []
      if entry.word & 1 == 1 {
        bitmap = (0..<8).map { UInt8(truncatingIfNeeded: entry.word >> (1 + $0 * 8)) }
      } else {
        do throws(KernelError) {
          bitmap = try reader.bytes(at: KernelAddress(entry.word & ~3), count: 128)
        } catch {
          if walk.problem == nil { walk.problem = error }
        }
      }
      for (index, byte) in bitmap.enumerated() where byte != 0 {
        for bit in 0..<8 where byte >> UInt8(bit) & 1 != 0 {
          guard walk.elements.count < limit else {
            walk.problem =
              walk.problem ?? KernelError(at: address, .malformed("ida of more than \(limit) ids"))
            return walk
          }
          walk.elements.append(first + UInt32(index * 8 + bit))
        }
      }
    }
    return walk
  }
}

/// One walk over an XArray's nodes.
private struct XArrayWalker {
  let image: KernelImage
  let layout: StructLayout
  /// Low bits of a pointer to a node; also of the other internal entries.
  let nodeTag: UInt64
  let limit: Int
  var walk = LinkWalk<XArrayEntry>()
  // A node has one parent. Without this, few nodes could stand for more paths than can be walked.
  private var seen: Set<UInt64> = []

  init(image: KernelImage, layout: StructLayout, nodeTag: UInt64, limit: Int) {
    self.image = image
    self.layout = layout
    self.nodeTag = nodeTag
    self.limit = limit
  }

  /// Takes a word from the head or from the slot of a node above a leaf.
  mutating func enter(_ word: UInt64, base: UInt64, parentShift: UInt64?) {
    guard word != 0 else { return }
    if word & 3 != nodeTag {
      append(word, at: base)
    } else if word > 4096 {
      do throws(KernelError) {
        try descend(KernelAddress(word & ~3), base: base, parentShift: parentShift)
      } catch {
        note(error)
      }
    }
  }

  private mutating func descend(
    _ address: KernelAddress, base: UInt64, parentShift: UInt64?
  ) throws(KernelError) {
    guard seen.insert(address.rawValue).inserted else {
      throw KernelError(at: address, .malformed("xarray node is met twice"))
    }
    guard seen.count <= limit, walk.elements.count < limit else {
      throw KernelError(at: address, .malformed("xarray larger than \(limit) entries"))
    }
    // Its slots are read one by one.
    try image.spend(8, at: address)
    let node = KernelObject(image, layout, at: address)
    let shift = try node.unsigned("shift")
    // Shifts fall towards the leaves, so the depth is bounded too.
    guard shift < parentShift ?? 64 else {
      throw KernelError(
        at: address,
        .malformed(
          "xarray node has shift \(shift)" + (parentShift.map { " below one of \($0)" } ?? "")))
    }
    // XA_CHUNK_SIZE is 16 or 64.
    for slot in 0..<min(try node.arrayCount("slots"), 64) {
      let word = try node.element("slots", slot)
      let index = base &+ UInt64(slot) << shift
      if shift > 0 {
        enter(word, base: index, parentShift: shift)
      } else if word != 0, word & 3 != nodeTag {
        // A leaf's slots are entries even where their low bits look like a node's.
        append(word, at: index)
      }
    }
  }

  private mutating func append(_ word: UInt64, at index: UInt64) {
    guard walk.elements.count < limit else {
      note(KernelError(.malformed("xarray larger than \(limit) entries")))
      return
    }
    walk.elements.append(XArrayEntry(index: index, word: word))
  }

  private mutating func note(_ error: KernelError) {
    if walk.problem == nil { walk.problem = error }
  }
}
