// SPDX-License-Identifier: Apache-2.0

internal import LinuxIOMMU
internal import Memory
internal import RemappingState
internal import VTd

extension Assembler {
  /// The address spaces: those that contexts use, and those that only the kernel holds.
  ///
  /// - Parameter units: in the order of the state.
  mutating func domains(units: [Unit], contexts: [Context]) -> [Domain] {
    let unitByName = Dictionary(
      units.enumerated().map { ($1.name, (rank: $0, unit: $1)) }, uniquingKeysWith: { a, _ in a })
    // Rows that contexts use, in the order of their first context.
    var rows: [Domain] = []
    var members: [[Context]] = []
    var rowByKey: [DomainKey: Int] = [:]
    for context in contexts where context.translation != .none {
      let key = context.domainKey
      if let row = rowByKey[key] {
        members[row].append(context)
      } else {
        rowByKey[key] = rows.count
        rows.append(Domain(unit: context.unit, domainID: context.domainID))
        members.append([context])
      }
    }
    walker.plan(
      zip(rows, members).compactMap { row, contexts in
        guard let unit = unitByName[row.unit ?? ""]?.unit,
          let space = contexts.first.flatMap({ tables.space(of: $0) })
        else { return nil }
        return (space, unit)
      })
    for row in rows.indices {
      guard let unit = unitByName[rows[row].unit ?? ""]?.unit, let first = members[row].first
      else { continue }
      fill(&rows[row], from: first, all: members[row], unit: unit)
    }

    // What only the kernel holds.
    let heldRows = Dictionary(grouping: rows, by: \.kernelObject)
    for domain in kernel.domains {
      let held = heldRows[domain.kernelObject] ?? []
      for (sequence, id) in domain.ids.sorted(by: { $0.key < $1.key }) {
        guard let name = index.unitBySequence[sequence]?.name else { continue }
        if held.contains(where: { $0.unit == name && $0.domainID == id }) { continue }
        rows.append(kernelRow(domain, unit: unitByName[name]?.unit, id: id))
      }
      if domain.ids.isEmpty, held.isEmpty { rows.append(kernelRow(domain, unit: nil, id: nil)) }
    }
    func order(_ row: Domain) -> (Int, UInt64, UInt64, UInt64) {
      (
        row.unit.flatMap { unitByName[$0]?.rank } ?? .max,
        row.domainID.map(UInt64.init) ?? .max, row.table?.rawValue ?? .max,
        row.kernelObject?.rawValue ?? .max
      )
    }
    return rows.sorted { order($0) < order($1) }
  }

  private mutating func fill(
    _ row: inout Domain, from first: Context, all contexts: [Context], unit: Unit
  ) {
    row.devices = Array(Set(contexts.map { DeviceName.pci($0.device) })).sorted()
    row.table = first.table
    row.levels = first.levels
    switch first.translation {
    case .secondStage: row.stage = .second
    case .firstStage, .nested: row.stage = .first
    case .passThrough, .none: row.stage = nil
    }
    // Through the device first, by id only then.
    let sequence = unit.sequence ?? -1
    let object =
      contexts.compactMap { kernelDomain(of: $0) }.first
      ?? row.domainID.flatMap {
        index.domainByID[KernelIndex.UnitDomainID(sequence: sequence, domainID: $0)]
      }
    row.kernelObject = object?.kernelObject
    row.type = object.map { DomainType($0.type) } ?? .unknown
    if let space = tables.space(of: first) {
      let result = walker.walk(
        space, unit: unit, domainID: row.domainID,
        kernelObject: row.kernelObject, isOwn: row.type != .sva)
      row.mapping = result.mapping
      row.walk = result.summary
    }
    row.references = object?.references[sequence]
    row.iova = object.flatMap { iovaSpace(of: $0, mapping: row.mapping) }
    // Mapped is not enough: hardware must go through one of the contexts.
    row.inFlight =
      row.type != .identity && contexts.contains { $0.refusal == nil }
      && isMappedBeyondFixedRegions(row.mapping)
  }

  private mutating func kernelRow(_ domain: LinuxDomain, unit: Unit?, id: UInt32?) -> Domain {
    var row = Domain(
      unit: unit?.name, domainID: id, type: DomainType(domain.type),
      kernelObject: domain.kernelObject,
      stage: domain.table == nil ? nil : domain.isFirstStage == true ? .first : .second,
      table: domain.table, levels: domain.levels)
    if let table = domain.table, let levels = domain.levels, let stage = row.stage,
      domain.type != .sva
    {
      let root = StageRoot(table: table, levels: levels)
      let result = walker.walk(
        AddressSpace(stage: stage, root: root),
        unit: unit, domainID: id,
        kernelObject: domain.kernelObject, isOwn: true)
      row.mapping = result.mapping
      row.walk = result.summary
    }
    row.references = unit?.sequence.flatMap { domain.references[$0] }
    row.iova = iovaSpace(of: domain, mapping: row.mapping)
    return row
  }

  /// The kernel domain that the context's own device, or its PASID there, is attached to.
  private func kernelDomain(of context: Context) -> LinuxDomain? {
    guard let number = index.deviceBySource[context.device] else { return nil }
    let device = kernel.devices[number]
    if let pasid = context.pasid, !context.servesRequestsWithoutPASID {
      return device.pasidDomains[pasid].flatMap { index.domains[$0] }
    }
    return device.attachedDomain.flatMap { index.domains[$0] }
  }

  private func isMappedBeyondFixedRegions(_ mapping: Mapping?) -> Bool {
    guard let mapping else { return false }
    // What is fixed is mapped onto itself; another page at such an address is in use.
    return mapping.runs.contains {
      $0.iova.rawValue != $0.physical.rawValue || !fixed.covers($0.addresses)
    }
  }

  private func iovaSpace(of domain: LinuxDomain, mapping: Mapping?) -> IOVASpace? {
    guard let allocator = domain.allocator else { return nil }
    var reserved = [Regions.msiWindow]
    switch allocator.owner {
    case .cookie: reserved += kernel.hostBridgeWindows
    case .driver: reserved += kernel.reservedTemplate
    }
    for device in index.devicesByDomain[domain.kernelObject] ?? [] {
      reserved += (regions.byDevice[device] ?? []).map(\.range)
    }
    return IOVASpace(
      allocator, mapping: mapping, reserved: AddressRanges(reserved),
      isReservedComplete: isReservedComplete)
  }
}

extension LinuxDomain {
  /// The static identity domain has one id on every unit: FLPT_DEFAULT_DID.
  ///
  /// Source: drivers/iommu/intel/pasid.h.
  var fixedID: UInt32? { type == .identity && ids.isEmpty && table == nil ? 1 : nil }
}

extension DomainType {
  init(_ type: LinuxDomainType) {
    self =
      switch type {
      case .blocked: .blocked
      case .identity: .identity
      case .unmanaged: .unmanaged
      case .dma: .dma
      case .dmaFQ: .dmaFQ
      case .sva: .sva
      case .nested: .nested
      case .other: .unknown
      }
  }
}
