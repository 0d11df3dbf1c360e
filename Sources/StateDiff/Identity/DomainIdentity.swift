// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

/// Which domain of one state is which of the other.
///
/// Kernels hand out domain-ids anew at each boot and move tables about, so neither identifies a
/// domain. What it serves does: requests of devices, with or without a PASID. Domains that serve the
/// same are the same; of the rest, those that share most. A domain that serves nothing is told by
/// its unit, domain-id and type.
struct DomainIdentity {
  /// Requests of one device, as far as they take the same path.
  struct Client: Hashable, Comparable {
    var unit: String
    var device: DeviceName
    /// `nil` for requests without PASID, whatever PASID the hardware gives them.
    var pasid: UInt32?

    static func < (a: Self, b: Self) -> Bool {
      (a.unit, a.device, a.pasid.map { UInt64($0) + 1 } ?? 0)
        < (b.unit, b.device, b.pasid.map { UInt64($0) + 1 } ?? 0)
    }
  }

  /// Keys of the domains, in the states' order.
  private(set) var old: [RowKey]
  private(set) var new: [RowKey]

  init(_ oldState: RemappingState, _ newState: RemappingState, labels: UnitLabels) {
    let before = Self.clients(oldState, labels, .old)
    let after = Self.clients(newState, labels, .new)
    old = zip(oldState.domains, before).map { Self.key($0, clients: $1, labels, .old) }
    new = zip(newState.domains, after).map { Self.key($0, clients: $1, labels, .new) }
    for (x, y, anchor) in Self.pairs(before, after) {
      old[x] = Self.key(anchor)
      new[y] = Self.key(anchor)
    }
  }

  private static func key(_ client: Client) -> RowKey {
    RowKey([
      .init("unit", .text(client.unit)), .init("device", FieldValue(client.device)),
      .init("pasid", FieldValue(client.pasid)),
    ])
  }

  /// Of a domain without a counterpart, and of those that serve nothing.
  private static func key(
    _ domain: Domain, clients: Set<Client>, _ labels: UnitLabels, _ side: UnitLabels.Side
  ) -> RowKey {
    if let first = clients.min() { return key(first) }
    return RowKey([
      .init("unit", labels.value(domain.unit, side)), .init("device", .null),
      .init("pasid", .null), .init("domainID", FieldValue(domain.domainID)),
      .init("type", FieldValue(domain.type)),
    ])
  }

  /// Pairs of indices with the first client that both serve; every index at most once.
  private static func pairs(
    _ old: [Set<Client>], _ new: [Set<Client>]
  ) -> [(old: Int, new: Int, anchor: Client)] {
    var owners: [Client: Int] = [:]
    for (index, clients) in new.enumerated() {
      for client in clients where owners[client] == nil { owners[client] = index }
    }
    struct Pair: Hashable {
      var old: Int
      var new: Int
    }
    var shared: [Pair: (count: Int, anchor: Client)] = [:]
    var claimed: Set<Client> = []
    for (index, clients) in old.enumerated() {
      for client in clients where claimed.insert(client).inserted {
        guard let owner = owners[client] else { continue }
        let pair = Pair(old: index, new: owner)
        let known = shared[pair]
        shared[pair] = ((known?.count ?? 0) + 1, min(known?.anchor ?? client, client))
      }
    }
    // The same order from either side, so that a difference mirrors. Equal sets come first: nothing
    // shares more than everything.
    let ranked = shared.sorted { a, b in
      let (x, y) = (
        old[a.key.old] == new[a.key.new], old[b.key.old] == new[b.key.new]
      )
      if x != y { return x }
      if a.value.count != b.value.count { return a.value.count > b.value.count }
      return a.value.anchor < b.value.anchor
    }
    var taken = (old: Set<Int>(), new: Set<Int>())
    var result: [(old: Int, new: Int, anchor: Client)] = []
    for (pair, match) in ranked where !taken.old.contains(pair.old) {
      guard taken.new.insert(pair.new).inserted else { continue }
      taken.old.insert(pair.old)
      result.append((pair.old, pair.new, match.anchor))
    }
    return result
  }

  /// Whom each domain serves: by the contexts that lead to it; where none does, by the devices that
  /// the kernel attached to it.
  private static func clients(
    _ state: RemappingState, _ labels: UnitLabels, _ side: UnitLabels.Side
  ) -> [Set<Client>] {
    var byTable: [DomainKey: Set<Client>] = [:]
    for context in state.contexts {
      byTable[context.domainKey, default: []].insert(
        Client(
          unit: labels.label(context.unit, side) ?? "", device: .pci(context.device),
          pasid: context.servesRequestsWithoutPASID ? nil : context.pasid))
    }
    // Where hardware and kernel disagree, the hardware's domain is the device's.
    let served = byTable.values.reduce(into: Set<Client>()) { $0.formUnion($1) }
    var byObject: [KernelAddress: Set<Client>] = [:]
    for device in state.devices {
      guard let object = device.domain else { continue }
      byObject[object, default: []].insert(
        Client(unit: labels.label(device.unit, side) ?? "", device: device.device, pasid: nil))
    }
    return state.domains.map { domain in
      let unit = labels.label(domain.unit, side)
      if !domain.devices.isEmpty {
        return byTable[domain.key]
          ?? Set(domain.devices.map { Client(unit: unit ?? "", device: $0, pasid: nil) })
      }
      guard let object = domain.kernelObject else { return [] }
      return (byObject[object] ?? []).filter {
        (unit == nil || $0.unit == unit) && !served.contains($0)
      }
    }
  }
}
