// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import KernelTypes
internal import Memory

/// Names of devices: PCI functions by number, everything else as Linux calls it.
struct DeviceNames {
  let image: KernelImage
  /// PCI functions by the address of their `struct device`.
  var functions: [KernelAddress: PCIFunction] = [:]

  init(_ image: KernelImage) {
    self.image = image
  }

  func name(of device: KernelObject) throws(KernelError) -> DeviceName {
    if let function = functions[device.address] { return .pci(function) }
    // `init_name` is dropped once the object's own name is set.
    if let name = try device.string("kobj.name"), !name.isEmpty { return DeviceName(name) }
    if let name = try device.string("init_name"), !name.isEmpty { return DeviceName(name) }
    return .other("device@\(device.address)")
  }

  /// The devices of a scope: members `devices` and `devices_cnt` of a DRHD, RMRR, ATSR or SATC.
  ///
  /// Up to Linux 3.13 the array holds `struct pci_dev *`. Since Linux commit 832bd8586740
  /// ("iommu/vt-d: Change scope lists to struct device, bus, devfn") (in v3.15), elements of
  /// `struct dmar_dev_scope`.
  func scope(of owner: KernelObject) throws(KernelError) -> [DeviceName?] {
    let count = try owner.count("devices_cnt", limit: 65536)
    let array = try owner.pointer("devices")
    guard count > 0, array.rawValue != 0 else { return [] }
    var devices: [DeviceName?] = []
    if let element = try image.structure("dmar_dev_scope") {
      for index in 0..<count {
        let entry = KernelObject(
          image, element,
          at: KernelAddress(array.rawValue &+ UInt64(index) &* UInt64(clamping: element.byteCount)))
        devices.append(
          try entry.target("dev", as: "device").map { (device) throws(KernelError) in
            try name(of: device)
          })
      }
    } else {
      for index in 0..<count {
        let pointer: UInt64 = try image.reader.littleEndian(
          at: KernelAddress(array.rawValue &+ UInt64(index) &* 8))
        guard pointer != 0 else {
          devices.append(nil)
          continue
        }
        let function = try image.object("pci_dev", at: KernelAddress(pointer))
        devices.append(try name(of: try function.object("dev")))
      }
    }
    return devices
  }
}
