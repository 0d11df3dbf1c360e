// SPDX-License-Identifier: Apache-2.0

public import Memory

extension SyntheticKernel {
  // MARK: Lists

  /// Links `list_head`s into a circle through `head`.
  public func link(_ links: [KernelAddress], at head: KernelAddress) {
    let circle = [head] + links
    for (index, link) in circle.enumerated() {
      let next = circle[(index + 1) % circle.count]
      write(next.rawValue, at: link)
      write(link.rawValue, at: KernelAddress(next.rawValue + 8))
    }
  }

  public func link(_ objects: [FixtureObject], by path: String, at head: KernelAddress) {
    link(objects.map { $0.address(of: path) }, at: head)
  }

  // MARK: XArrays

  /// Fills the `struct xarray` at an address as the kernel would: one entry of index 0 sits in the
  /// head, everything else in as few levels of nodes as the highest index allows.
  ///
  /// - Returns: addresses of the nodes, the top one first.
  @discardableResult
  public func fillXArray(
    at address: KernelAddress, _ entries: [UInt64: UInt64]
  ) -> [KernelAddress] {
    let array = object("xarray", at: address)
    guard let highest = entries.keys.max() else {
      array["xa_head"] = 0
      return []
    }
    if highest == 0 {
      array["xa_head"] = entries[0] ?? 0
      return []
    }
    var shift: UInt64 = 0
    while shift < 60, highest >> (shift + 6) != 0 { shift += 6 }
    var nodes: [KernelAddress] = []
    array["xa_head"] = makeXArrayNode(shift, entries, &nodes).rawValue | 2
    return nodes
  }

  private func makeXArrayNode(
    _ shift: UInt64, _ entries: [UInt64: UInt64], _ nodes: inout [KernelAddress]
  ) -> KernelAddress {
    let node = make("xa_node", ["shift": shift])
    nodes.append(node.address)
    for (slot, part) in Dictionary(grouping: entries, by: { Int($0.key >> shift & 63) }).sorted(
      by: { $0.key < $1.key })
    {
      if shift == 0 {
        node.setElement("slots", slot, part[0].value)
      } else {
        let inner = Dictionary(uniqueKeysWithValues: part.map { ($0.key, $0.value) })
        node.setElement("slots", slot, makeXArrayNode(shift - 6, inner, &nodes).rawValue | 2)
      }
    }
    return node.address
  }

  /// Fills the `struct ida` at an address: value entries where 63 bits suffice, bitmaps elsewhere.
  public func fillIDA(at address: KernelAddress, _ ids: [UInt32]) {
    var entries: [UInt64: UInt64] = [:]
    for (chunk, part) in Dictionary(grouping: ids, by: { $0 / 1024 }) {
      let bits = part.map { Int($0 % 1024) }
      if let highest = bits.max(), highest < 63 {
        entries[UInt64(chunk)] = bits.reduce(0) { $0 | 1 << UInt64($1) } << 1 | 1
      } else {
        entries[UInt64(chunk)] = bitmap(bits, count: 1024).rawValue
      }
    }
    fillXArray(at: address, entries)
  }

  // MARK: Red-black trees

  /// Builds a balanced tree of nodes that are given in order.
  ///
  /// - Parameter root: address of the `struct rb_root`.
  public func fillTree(at root: KernelAddress, _ nodes: [KernelAddress]) {
    write(subtree(nodes[...], parent: 0), at: root)
  }

  private func subtree(_ nodes: ArraySlice<KernelAddress>, parent: UInt64) -> UInt64 {
    guard !nodes.isEmpty else { return 0 }
    let middle = nodes.startIndex + nodes.count / 2
    let node = object("rb_node", at: nodes[middle])
    // Bit 0 is the colour: black.
    node["__rb_parent_color"] = parent | 1
    node["rb_left"] = subtree(nodes[..<middle], parent: node.address.rawValue)
    node["rb_right"] = subtree(nodes[(middle + 1)...], parent: node.address.rawValue)
    return node.address.rawValue
  }
}
