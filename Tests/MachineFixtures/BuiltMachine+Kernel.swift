// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import Memory
import RemappingState

/// What the kernel has beside units, domains and devices.
extension BuiltMachine {
  func makeScopes() {
    for (index, unit) in units.enumerated() where !plan.units[index].includeAll {
      let own = plan.devices.indices.filter { plan.devices[$0].unit == index }
      kernel.setScope(of: unit.drhd, own.map { kernel.scopeEntry(functions[$0]) })
    }
    for region in plan.regions {
      kernel.addReservedRegion(
        region.range.lowerBound, through: region.range.upperBound,
        region.devices.map { kernel.scopeEntry(functions[$0]) })
    }
    for scope in plan.caches {
      let devices = scope.devices.map { kernel.scopeEntry(functions[$0]) }
      switch scope.kind {
      case .atsr:
        kernel.addRootPorts(includeAll: scope.includeAll, segment: scope.segment, devices)
      case .satc:
        kernel.addTranslationCache(required: scope.required, segment: scope.segment, devices)
      }
    }
  }

  func makeRest() {
    let reservation = kernel.kernel.make(
      "resource",
      ["start": Self.crashKernel.lowerBound, "end": Self.crashKernel.upperBound])
    kernel.kernel.symbol("crashk_res", reservation.address)
    _ = kernel.kernel.makeLog(plan.log, sizeBits: 12)
  }

  /// BTF, the symbol table, and what VMCOREINFO says of both.
  func publish() {
    let kernel = kernel.kernel
    let bytes = kernel.types.btf
    let blob = kernel.allocate(bytes.count, alignment: 4096)
    kernel.write(bytes, at: blob)
    kernel.symbol("__start_BTF", blob)
    kernel.symbol("__stop_BTF", KernelAddress(blob.rawValue + UInt64(bytes.count)))
    kernel.symbol("_stext", kernel.virtual(PhysicalAddress(0x10_0000)))
    kernel.notes += [
      "OSRELEASE=\(plan.release)", "BUILD-ID=6d616368696e65", "PAGESIZE=4096",
      "NUMBER(phys_base)=\(kernel.space.physBase)", "CRASHTIME=1795417719",
    ]
    let note = kernel.makeOwnNote()
    let list = kernel.symbols.sorted { $0.key < $1.key }.flatMap { name, addresses in
      addresses.map { (name: name, address: $0) }
    }
    kernel.makeKallsyms(list, rule: .absolutePerCPU)
    kernel.writeOwnNote(at: note)
  }
}
