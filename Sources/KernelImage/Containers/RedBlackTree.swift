// SPDX-License-Identifier: Apache-2.0

public import Memory

extension KernelImage {
  /// The nodes of a red-black tree in order: addresses of the embedded `struct rb_node`s.
  ///
  /// - Parameter root: address of the `struct rb_root`. A subtree that is deeper than a balanced
  ///   one of any size can be, a node that cannot be read, is all zeros or is met twice, or one whose
  ///   parent pointer names another node is the walk's problem; what hangs elsewhere is still followed.
  ///
  /// Source: include/linux/rbtree_types.h: `__rb_parent_color`, `rb_right`, `rb_left`.
  public func redBlackTree(
    at root: KernelAddress, limit: Int = 1 << 24
  ) -> LinkWalk<KernelAddress> {
    var walk = LinkWalk<KernelAddress>()
    func note(_ error: KernelError) {
      if walk.problem == nil { walk.problem = error }
    }
    // Twice the logarithm of any count of nodes that fits an address space.
    let depthLimit = 128
    var stack: [(node: KernelAddress, right: KernelAddress, depth: Int)] = []
    var seen: Set<KernelAddress> = []
    var current: KernelAddress
    do throws(KernelError) {
      current = KernelAddress(try reader.littleEndian(at: root))
    } catch {
      return LinkWalk(problem: error)
    }
    var parent = KernelAddress(0)
    var depth = 0
    while true {
      while current.rawValue != 0 {
        guard seen.count < limit else {
          note(
            KernelError(at: root, .malformed("red-black tree of more than \(limit) nodes")))
          return walk
        }
        guard depth < depthLimit else {
          note(KernelError(at: current, .malformed("red-black tree deeper than it can be")))
          break
        }
        guard seen.insert(current).inserted else {
          note(KernelError(at: current, .malformed("red-black tree node is met twice")))
          break
        }
        let bytes: [UInt8]
        do throws(KernelError) {
          try spend(at: current)
          bytes = try reader.bytes(at: current, count: 24)
        } catch {
          note(error)
          if error.reason == .budget { return walk }
          break
        }
        let up: UInt64 = (try? bytes.littleEndian(at: 0)) ?? 0
        let right: UInt64 = (try? bytes.littleEndian(at: 8)) ?? 0
        let left: UInt64 = (try? bytes.littleEndian(at: 16)) ?? 0
        // The root is black, which is bit 0, and every other node has a parent.
        if up | right | left == 0 {
          note(KernelError(at: current, .malformed("red-black tree node is all zeros")))
          break
        }
        if up & ~3 != parent.rawValue {
          note(
            KernelError(
              at: current,
              .malformed(
                "red-black tree node's parent is \((up & ~3).hexadecimal), "
                  + "reached from \(parent.rawValue == 0 ? "the root" : parent.description)")))
        }
        stack.append((current, KernelAddress(right), depth))
        parent = current
        depth += 1
        current = KernelAddress(left)
      }
      guard let top = stack.popLast() else { return walk }
      walk.elements.append(top.node)
      parent = top.node
      depth = top.depth + 1
      current = top.right
    }
  }
}
