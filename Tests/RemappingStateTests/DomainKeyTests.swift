// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import Testing

/// A context and the domain that it leads to have one key.
struct DomainKeyTests {
  private func context(_ id: UInt32?, _ table: UInt64?) -> DomainKey {
    Context(
      unit: "dmar0", device: PCIFunction(bus: 0, devfn: 16), pasid: nil,
      translation: .secondStage, domainID: id, levels: 4, table: table.map { PhysicalAddress($0) },
      faultProcessingDisabled: false, raw: [], entry: PhysicalAddress(0x1000)
    ).domainKey
  }

  private func domain(_ unit: String?, _ id: UInt32?, _ table: UInt64?) -> DomainKey {
    Domain(unit: unit, domainID: id, table: table.map { PhysicalAddress($0) }).key
  }

  @Test func contextAndDomainMeet() {
    #expect(context(5, 0x2000) == domain("dmar0", 5, 0x2000))
    #expect(context(nil, nil) == domain("dmar0", nil, nil))
  }

  @Test func eachPartTells() {
    let key = domain("dmar0", 5, 0x2000)
    #expect(context(5, 0x3000) != key)
    #expect(context(6, 0x2000) != key)
    #expect(domain("dmar1", 5, 0x2000) != key)
    #expect(domain(nil, 5, 0x2000) != key)
    #expect(Set([key, context(5, 0x2000), context(5, nil)]).count == 2)
  }
}
