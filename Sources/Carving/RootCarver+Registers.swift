// SPDX-License-Identifier: Apache-2.0

internal import Memory
public import RemappingState

extension RootCarver {
  /// The root tables that units' registers point to, each once and in the registers' order.
  ///
  /// A register is the hardware's own word, so no shape is asked for; what the page looks like is said
  /// beside it.
  ///
  /// - Parameter registered: root pointers with the registers that they were read from.
  public func roots(registered: [RootTable]) -> [CarvedRoot] {
    var carver = self
    carver.threshold = 0
    var seen: Set<PhysicalAddress> = []
    return registered.filter { seen.insert($0.address.pageBase).inserted }.map { root in
      let address = root.address.pageBase
      let unit = root.registers?.unit ?? "a unit"
      let evidence =
        "hardware evidence: \(unit) had its root table here, in \(root.mode.rawValue) mode (RTADDR)"
      guard var found = carver.root(at: address) else {
        return CarvedRoot(
          address: address, mode: root.mode, score: 0, reasons: [evidence, doubt(about: address)],
          buses: [], sourceIDs: [], domainIDs: [], tables: [], missingTables: 0, copiedContexts: 0,
          isRegistered: true)
      }
      if found.mode != root.mode {
        found.reasons.insert(
          "by their shape the tables below are those of \(found.mode.rawValue) mode", at: 0)
      }
      found.reasons.insert(evidence, at: 0)
      found.mode = root.mode
      found.isRegistered = true
      return found
    }
  }

  private func doubt(about address: PhysicalAddress) -> String {
    do {
      return shape.pointers(try memory.page(address.frame)) == nil
        ? "the page does not have the shape of a root table: it has changed since, or the registers are "
          + "of another machine"
        : "no context table below it has the shape of one, or none is in the dump"
    } catch {
      return "the page cannot be read: \(error)"
    }
  }
}
