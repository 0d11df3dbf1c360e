// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

extension RemappingState {
  /// Whether the kernel's structures were read at all; without them there is nothing to compare the
  /// hardware's tables with.
  var hasKernel: Bool { dump.typesFrom != nil && !devices.isEmpty }

  /// Whether every root, context and PASID table of `unit` was read, so that an entry that was not
  /// found really is not there.
  func contextsAreComplete(on unit: String) -> Bool {
    !observations.contains { ($0.unit == nil || $0.unit == unit) && $0.hidesContexts }
  }

  /// Whether it was read which domain each device and each PASID is attached to, so that a domain
  /// without any really has none.
  var attachmentsAreComplete: Bool { !observations.lack(\.isPartOfAttachments) }

  /// Whether every range that is kept out of the allocators was read.
  var reservedRangesAreComplete: Bool { !observations.lack(\.isPartOfReservedRanges) }

  /// The first observations of `kind` that belong to `domain`, as evidence.
  func evidence(_ kind: Observation.Kind, in domain: Domain) -> [Evidence] {
    observations.filter {
      $0.kind == kind && $0.unit == domain.unit && $0.domainID == domain.domainID
    }.prefix(4).map {
      Evidence(what: $0.subject, address: $0.address, words: $0.word.map { [$0] } ?? [])
    }
  }
}

extension Context {
  /// A scalable-mode context entry that leads to no PASID entry: the device is blocked.
  var isWithoutPASIDEntry: Bool { pasid == nil && translation == .none && domainID == nil }

  var evidence: Evidence {
    Evidence(
      what: pasid == nil ? "context entry" : "PASID entry", address: HexWord(entry.rawValue),
      words: raw)
  }
}

extension Domain {
  /// `domain-id 5` or, where the kernel gave none, the kernel's object.
  var name: String {
    if let domainID { return "domain-id \(domainID)" }
    return kernelObject.map { "the domain at \($0)" } ?? "a domain without id"
  }

  /// Whether the kernel maps this domain through its DMA API, and so keeps an allocator for it.
  var isDMA: Bool { type == .dma || type == .dmaFQ }

  /// Whether the walk saw all of the tables; if not, what is not mapped is not proven.
  var isFullyWalked: Bool {
    guard let walk else { return false }
    return walk.unreadable == 0 && walk.assumedEmpty == 0 && !walk.budgetExhausted
  }

  var evidence: [Evidence] {
    kernelObject.map { [Evidence(what: "iommu_domain", address: HexWord($0.rawValue))] } ?? []
  }
}

extension Device {
  var evidence: [Evidence] {
    kernelObject.map {
      [Evidence(what: "device_domain_info", address: HexWord($0.rawValue))]
    } ?? []
  }
}
