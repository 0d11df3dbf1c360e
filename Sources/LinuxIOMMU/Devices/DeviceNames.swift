// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import KernelTypes
internal import Memory
internal import RemappingState

/// Names of devices: PCI functions by number, everything else as Linux calls it.
struct DeviceNames {
  let image: KernelImage
  let log: ProblemLog
  /// PCI functions by the address of their `struct device`.
  var functions: [KernelAddress: PCIFunction] = [:]

  init(_ image: KernelImage, _ log: ProblemLog) {
    self.image = image
    self.log = log
  }

  func name(of device: KernelObject) throws(KernelError) -> DeviceName {
    if let function = functions[device.address] { return .pci(function) }
    return try Self.ownName(of: device).map { DeviceName($0) }
      ?? .other("device@\(device.address)")
  }

  /// What Linux calls a device; `nil` for one that has no name.
  static func ownName(of device: KernelObject) throws(KernelError) -> String? {
    // `init_name` is dropped once the object's own name is set.
    if let name = try device.string("kobj.name"), !name.isEmpty { return name }
    if let name = try device.string("init_name"), !name.isEmpty { return name }
    return nil
  }

  /// The devices of a scope: members `devices` and `devices_cnt` of a DRHD, RMRR, ATSR or SATC.
  ///
  /// The array held `struct pci_dev *` at first (Linux v3.10); later kernels have elements of
  /// `struct dmar_dev_scope`. A device that cannot be read is named by its address.
  func scope(of owner: KernelObject) throws(KernelError) -> [DeviceName?] {
    // A DMAR structure has a 16-bit length and at least 8 bytes for each entry of its scope.
    let count = try owner.count("devices_cnt", limit: 8192)
    let array = try owner.pointer("devices")
    guard count > 0, array.rawValue != 0 else { return [] }
    try image.spend(count, at: owner.address)
    let element = try image.structure("dmar_dev_scope")
    let step = UInt64(clamping: element?.byteCount ?? 8)
    var devices: [DeviceName?] = []
    for index in 0..<count {
      let place = KernelAddress(array.rawValue &+ UInt64(index) &* step)
      let pointer =
        if let element {
          try KernelObject(image, element, at: place).pointer("dev")
        } else {
          KernelAddress(try image.reader.littleEndian(at: place))
        }
      guard pointer.rawValue != 0 else {
        devices.append(nil)
        continue
      }
      let name = log.attempt(.deviceOfScope) { () throws(KernelError) in
        try self.name(
          of: element == nil
            ? try image.object("pci_dev", at: pointer).object("dev")
            : try image.object("device", at: pointer))
      }
      devices.append(name ?? .other("device@\(pointer)"))
    }
    return devices
  }
}
