// SPDX-License-Identifier: Apache-2.0

extension RemappingState {
  /// Whether domains of type `dma` flush unmapped addresses at once; `nil` where nothing tells.
  ///
  /// Lazy domains have a type of their own only since Linux commit bf3aed4660c6 ("iommu: Introduce
  /// explicit type for non-strict DMA domains") (in v5.15); before that they are `dma` too, and the
  /// log, the command line or a filled flush queue must tell.
  public var dmaIsStrict: Bool? {
    let hasType =
      domains.contains { $0.type == .dmaFQ }
      || devices.contains { $0.defaultDomainType == .dmaFQ }
    if hasType { return true }
    for line in startUp?.log ?? [] where line.contains("invalidation policy") {
      return line.contains("strict")
    }
    let words = startUp?.commandLine ?? []
    if words.contains("iommu.strict=1")
      || words.contains(where: { $0.hasPrefix("intel_iommu=") && $0.contains("strict") })
    {
      return true
    }
    let isFilled = domains.contains { domain in
      domain.iova?.allocated.contains { $0.state == .pending || $0.state == .flushed } == true
    }
    return isFilled ? false : nil
  }
}
