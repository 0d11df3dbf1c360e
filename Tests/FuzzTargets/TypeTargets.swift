// SPDX-License-Identifier: Apache-2.0

import Files
import KernelFixtures
import KernelTypes

extension FuzzTarget {
  /// What tells how the kernel's structures lie.
  static let types: [FuzzTarget] = [
    FuzzTarget(
      "btf",
      seeds: {
        let kernel = RemappingKernel(.g5c).kernel
        let small = FixtureTypes()
        small.define("list_head", "list_head *next", "list_head *prev")
        small.define("outer", "list_head list", "u8 flags:5", "u8 level:3", "u64 words[4]")
        return [kernel.types.btf, small.btf]
      },
      run: { bytes in
        guard let types = try? BTFTypes(bytes) else { return }
        lookUp(types)
      }),
    FuzzTarget(
      "dwarf",
      seeds: {
        [
          "gcc-dwarf5", "gcc-dwarf4", "clang-dwarf5", "gcc-dwarf2", "gcc-dwarf5-compressed",
          "gcc-dwarf5-types", "gcc-dwarf5-relocatable",
        ].compactMap {
          try? WholeFile.read("\(seedFolder)/../../KernelTypesTests/Fixtures/\($0).elf")
        }
      },
      run: { bytes in
        withFile(bytes) { path in
          guard let vmlinux = try? VMLinux.open(path) else { return }
          _ = try? vmlinux.addresses(of: ["_stext", "dmar_drhd_units", "outer_value"])
          if let btf = try? vmlinux.btf() { _ = try? BTFTypes(btf) }
          guard vmlinux.hasDWARF, let types = try? DWARFTypes(vmlinux: vmlinux) else { return }
          lookUp(types)
        }
      }),
  ]

  private static func lookUp(_ types: any TypeSource) {
    for name in [
      "list_head", "outer", "intel_iommu", "dmar_domain", "device", "simple", "inner", "flags",
    ] {
      _ = try? types.structure(named: name)
      _ = try? types.structures(named: name)
    }
    _ = try? types.enumerator(named: "IOMMU_DOMAIN_DMA")
    _ = try? types.member("list.next", of: "outer")
  }
}
