// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import KernelTypes
internal import Memory
internal import RemappingState

/// Finds out whether another driver than VT-d's remaps DMA, on a machine that has none of its units.
struct OtherUnitReader {
  let image: KernelImage
  let log: ProblemLog

  /// Names of the units that some driver has registered with the kernel, such as `ivhd0` of AMD-Vi.
  ///
  /// Kernels before Linux v4.11 keep no such list. There a device in a group tells that something
  /// remaps its requests, but not what.
  ///
  /// Source: drivers/iommu/iommu.c, `iommu_device_list`; drivers/iommu/amd/init.c, `iommu_init_pci`.
  func units(behind devices: [LinuxDevice]) -> [LinuxOtherUnit] {
    guard let head = image.symbol("iommu_device_list") else {
      return devices.contains(where: \.hasGroup) ? [LinuxOtherUnit()] : []
    }
    return log.take(
      image.list(at: head, of: "iommu_device", linkedBy: "list", limit: 1024), .otherUnitList
    ).map { unit in
      LinuxOtherUnit(
        kernelObject: unit.address,
        name: log.attempt(.otherUnit) { () throws(KernelError) in try name(of: unit) } ?? nil)
    }
  }

  /// `dev` was the device itself at first (Linux v4.11 and v4.12), and is a pointer to it in later kernels.
  ///
  /// Source: include/linux/iommu.h, `struct iommu_device`.
  private func name(of unit: KernelObject) throws(KernelError) -> String? {
    guard case .pointer = try unit.member("dev").shape else {
      return try DeviceNames.ownName(of: try unit.object("dev"))
    }
    guard let device = try unit.target("dev", as: "device") else { return nil }
    return try DeviceNames.ownName(of: device)
  }
}
