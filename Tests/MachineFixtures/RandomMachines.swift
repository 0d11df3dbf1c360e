// SPDX-License-Identifier: Apache-2.0

public import KernelFixtures
import Memory
public import MemoryFixtures
import RemappingState

extension MachinePlan {
  /// Whether a generation of kernels has tables of the first stage.
  private static func hasFirstStage(_ variant: KernelVariant) -> Bool { variant.top != .pgd }

  /// A machine of one to four units in one or two segments, the same for the same generator.
  public static func random(
    _ variant: KernelVariant, _ random: inout SeededGenerator
  ) -> MachinePlan {
    var plan = MachinePlan(variant)
    let segments = 1 + random.index(below: 2)
    for index in 0...random.index(below: 4) {
      _ = plan.addUnit(
        mode: random.chance(50) && variant.ids != .single ? .scalable : .legacy,
        levels: 3 + random.index(below: 3),
        segment: index < segments ? UInt32(index) : UInt32(random.index(below: segments)))
    }
    for unit in plan.units.indices {
      var free = Array(0..<64).map { ($0, random.next()) }.sorted { $0.1 < $1.1 }.map(\.0)
      for _ in 0...random.index(below: 4) {
        // Both halves of a bus, and buses of several units apart from each other.
        let place = free.removeLast()
        let function = PCIFunction(
          segment: plan.units[unit].segment, bus: UInt8(unit * 4 + place / 32),
          devfn: UInt8(place % 32 * 8 + random.index(below: 2)))
        let domain = plan.addRandomDomain(unit, &random)
        var pasids: [UInt32: Int] = [:]
        if plan.units[unit].mode == .scalable {
          for _ in 0..<random.index(below: 3) {
            pasids[1 + UInt32(random.index(below: 300))] = plan.addRandomDomain(unit, &random)
          }
        }
        plan.addDevice(
          function, unit, domain,
          driver: ["nvme", "e1000e", "vfio-pci", nil][random.index(below: 4)], pasids: pasids)
      }
    }
    plan.addRandomRegions(&random)
    return plan
  }

  private mutating func addRandomDomain(
    _ unit: Int, _ random: inout SeededGenerator
  ) -> Int {
    let isScalable = units[unit].mode == .scalable
    var kinds: [Kind] = [.dma, .dma, .dmaFQ, .unmanaged]
    // Before domains had types, pass-through was one static domain.
    if variant.embedsDomain { kinds.append(.identity) }
    if isScalable, Self.hasFirstStage(variant) { kinds.append(.nested) }
    let kind = kinds[random.index(below: kinds.count)]
    let isFirst =
      kind != .identity && isScalable && Self.hasFirstStage(variant) && random.chance(50)
    let levels =
      kind == .nested || isFirst ? 4 + random.index(below: 2) : 3 + random.index(below: 3)
    guard kind != .identity else {
      // A kernel has one.
      return domains.firstIndex { $0.kind == .identity } ?? addDomain(.identity)
    }
    if kind == .nested {
      let mappings = randomMappings(levels: levels, isFirst: true, small: true, &random)
      // Guest memory from 1 GiB on, backed by what devices may map.
      let guest = mappings.enumerated().map { index, mapping in
        Mapping(
          0x4000_0000 + UInt64(index) << 20, to: mapping.physical, bytes: mapping.bytes)
      }
      let own = zip(mappings, guest).map { mapping, memory in
        Mapping(mapping.iova, to: memory.iova, bytes: mapping.bytes, rights: mapping.rights)
      }
      return addDomain(.nested, own, levels: levels, guestMemory: guest)
    }
    return addDomain(
      kind, randomMappings(levels: levels, isFirst: isFirst, small: false, &random),
      stage: isFirst ? .first : .second, levels: levels)
  }

  /// Mappings that do not touch one another's pages: dense ones, far ones, and large pages.
  private mutating func randomMappings(
    levels: Int, isFirst: Bool, small: Bool, _ random: inout SeededGenerator
  ) -> [Mapping] {
    // The interrupt window and reserved regions are left alone.
    let width = UInt64(min(12 + 9 * levels, 48)) - (isFirst ? 1 : 0)
    var taken: [ClosedRange<UInt64>] = [0xfee0_0000...0xfeef_ffff, 0...0xfff_ffff]
    var mappings: [Mapping] = []
    for _ in 0...random.index(below: 6) {
      let isLarge = !small && random.chance(20)
      let size: UInt64 = isLarge ? 0x20_0000 : 0x1000
      let bytes = size * (1 + random.next() % (isLarge ? 2 : 20))
      var iova = random.next() & ((1 << width) - 1) & ~(size - 1)
      switch random.index(below: 3) {
      case 0: iova = 0x1000_0000 + iova & 0xff_ffff & ~(size - 1)
      case 1: iova = (1 << width) - bytes - iova & 0xf_ffff & ~(size - 1)
      default: break
      }
      guard iova + bytes <= 1 << width else { continue }
      let range = iova...iova + bytes - 1
      guard !taken.contains(where: { $0.overlaps(range) }) else { continue }
      taken.append(range)
      // No page of memory is given to two domains; there may be a gap.
      let physical = (nextTarget + (random.next() % 3) << 12 + size - 1) & ~(size - 1)
      guard physical + bytes <= BuiltMachine.targets.upperBound else { break }
      nextTarget = physical + bytes
      mappings.append(
        Mapping(
          iova, to: physical, bytes: bytes,
          rights: isFirst ? [1, 3][random.index(below: 2)] : 1 + random.next() % 3,
          level: isLarge ? 2 : 1))
    }
    return mappings
  }

  private mutating func addRandomRegions(_ random: inout SeededGenerator) {
    for index in devices.indices where random.chance(30) {
      guard let domain = devices[index].domain, domains[domain].kind != .nested else { continue }
      let base = 0x1_0000 + UInt64(regions.count) << 16
      regions.append(
        Region(range: base...base + 0x1fff + (random.next() % 3) << 12, devices: [index]))
    }
    for segment in Set(units.map(\.segment)).sorted() {
      let own = devices.indices.filter { devices[$0].function.segment == segment }
      let some = own.filter { _ in random.chance(30) }
      caches.append(
        CacheScope(kind: .atsr, segment: UInt16(segment), includeAll: some.isEmpty, devices: some))
      if let one = own.first(where: { units[devices[$0].unit].mode == .scalable }) {
        caches.append(
          CacheScope(
            kind: .satc, segment: UInt16(segment), required: random.chance(50), devices: [one]))
      }
    }
  }
}
