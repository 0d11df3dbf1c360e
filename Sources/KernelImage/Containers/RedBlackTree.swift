// SPDX-License-Identifier: Apache-2.0

public import Memory

extension KernelImage {
  /// The nodes of a red-black tree in order: addresses of the embedded `struct rb_node`s.
  ///
  /// - Parameter root: address of the `struct rb_root`. A tree that is deeper than a balanced one
  ///   of `limit` nodes can be, a node met twice, or a node whose parent pointer names another
  ///   node is the walk's problem; what was reached stands.
  ///
  /// Source: include/linux/rbtree_types.h: `__rb_parent_color`, `rb_right`, `rb_left`.
  public func redBlackTree(
    at root: KernelAddress, limit: Int = 1 << 24
  ) -> LinkWalk<KernelAddress> {
    var walk = LinkWalk<KernelAddress>()
    // Twice the logarithm of any count of nodes that fits an address space.
    let depthLimit = 128
    do throws(KernelError) {
      var stack: [(node: KernelAddress, right: KernelAddress)] = []
      var seen: Set<KernelAddress> = []
      var current = KernelAddress(try reader.littleEndian(at: root))
      var parent: KernelAddress?
      while true {
        while current.rawValue != 0 {
          guard seen.insert(current).inserted else {
            throw KernelError(at: current, .malformed("red-black tree node is met twice"))
          }
          guard stack.count < depthLimit, seen.count <= limit else {
            throw KernelError(at: current, .malformed("red-black tree deeper than it can be"))
          }
          let bytes = try reader.bytes(at: current, count: 24)
          let up: UInt64 = (try? bytes.littleEndian(at: 0)) ?? 0
          let right: UInt64 = (try? bytes.littleEndian(at: 8)) ?? 0
          let left: UInt64 = (try? bytes.littleEndian(at: 16)) ?? 0
          if KernelAddress(up & ~3) != parent ?? KernelAddress(0), walk.problem == nil {
            walk.problem = KernelError(
              at: current,
              .malformed(
                "red-black tree node's parent is \((up & ~3).hexadecimal), "
                  + "reached from \(parent?.description ?? "the root")"))
          }
          stack.append((current, KernelAddress(right)))
          parent = current
          current = KernelAddress(left)
        }
        guard let top = stack.popLast() else { break }
        walk.elements.append(top.node)
        // Depth is bounded on the way down, where the stack grows; a right spine is bounded by
        // `seen`.
        parent = top.node
        current = top.right
      }
    } catch {
      walk.problem = error
    }
    return walk
  }
}
