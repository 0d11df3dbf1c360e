// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import KernelTypes
internal import Memory
internal import RemappingState

/// Reads the devices that remapping is about, and finds every domain on the way.
final class DeviceReader {
  let image: KernelImage
  let log: ProblemLog
  let names: DeviceNames
  let tree: PCITree
  let domains: DomainReader
  /// Domains by PASID of the groups read so far.
  private var pasidDomains: [KernelAddress: [UInt32: KernelAddress]] = [:]
  /// No member that is known leads from a device to the driver's own structure.
  private var isWayUnknown = false
  private lazy var functionByName = Dictionary(
    tree.functions.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

  init(
    image: KernelImage, log: ProblemLog, names: DeviceNames, tree: PCITree, domains: DomainReader
  ) {
    self.image = image
    self.log = log
    self.names = names
    self.tree = tree
    self.domains = domains
  }

  /// PCI functions, then the other members of groups, each with what the driver keeps about it.
  func devices() -> [LinuxDevice] {
    var devices: [LinuxDevice] = []
    var known: Set<KernelAddress> = []
    for function in tree.functions {
      let device = log.attempt(.pciDevice, device: .pci(function.name)) {
        () throws(KernelError) in try pci(function)
      }
      guard let device else { continue }
      known.insert(device.kernelObject)
      devices.append(device)
    }
    for address in groupMembers() where known.insert(address).inserted {
      let device = log.attempt(.device) { () throws(KernelError) in
        let object = try image.object("device", at: address)
        return try self.device(object, name: try names.name(of: object))
      }
      if let device { devices.append(device) }
    }
    return devices.sorted { $0.name < $1.name }
  }

  private func pci(_ function: PCITree.Function) throws(KernelError) -> LinuxDevice {
    let name = DeviceName.pci(function.name)
    var device = try device(try function.object.object("dev"), name: name)
    device.classCode = UInt32(truncatingIfNeeded: try function.object.unsigned("class"))
    device.vendorID = UInt16(truncatingIfNeeded: try function.object.unsigned("vendor"))
    device.deviceID = UInt16(truncatingIfNeeded: try function.object.unsigned("device"))
    device.bridges = function.bridges.map(\.name)
    let aliases = PCITree.aliases(of: try requester(of: device, function))
    device.aliases = aliases.elements
    if let requester = device.requester, requester != function.name {
      device.aliases = [requester] + device.aliases.filter { $0 != requester }
    }
    if let problem = aliases.problem { log.note(problem, .aliases, device: name) }
    return device
  }

  /// The function whose ids the requests of `function` carry: the controller for one behind a VMD
  /// controller, else the function itself.
  ///
  /// Source: drivers/pci/search.c, `pci_for_each_dma_alias`; arch/x86/pci/common.c,
  /// `pci_real_dma_dev`; drivers/iommu/intel/iommu.c, `device_lookup_iommu`.
  private func requester(
    of device: LinuxDevice, _ function: PCITree.Function
  ) throws(KernelError) -> PCITree.Function {
    guard let requester = device.requester, requester != function.name else { return function }
    return functionByName[requester] ?? function
  }

  private func device(
    _ object: KernelObject, name: DeviceName
  ) throws(KernelError) -> LinuxDevice {
    var device = LinuxDevice(
      name: name, kernelObject: object.address, attachDeferred: false, pasidDomains: [:],
      aliases: [], bridges: [])
    device.driver =
      log.attempt(.driver, device: name) { () throws(KernelError) in
        try object.target("driver", as: "device_driver")?.string("name")
      } ?? nil
    _ = log.attempt(.group, device: name) { () throws(KernelError) in
      try readGroup(of: object, into: &device)
    }
    _ = log.attempt(.deviceInfo, device: name) { () throws(KernelError) in
      try readInfo(of: object, into: &device)
    }
    return device
  }

  // MARK: Groups

  private func readGroup(
    of object: KernelObject, into device: inout LinuxDevice
  ) throws(KernelError) {
    device.hasGroup = try object.pointer("iommu_group").rawValue != 0
    guard let group = try object.target("iommu_group", as: "iommu_group") else { return }
    device.group = Int(truncatingIfNeeded: try group.signed("id"))
    for (path, key) in [
      ("default_domain", \LinuxDevice.groupDefaultDomain), ("domain", \LinuxDevice.groupDomain),
    ] where try group.has(path) {
      let pointer = try group.pointer(path)
      guard pointer.rawValue != 0 else { continue }
      device[keyPath: key] = domains.add(iommuDomain: pointer)
    }
    if try group.has("blocking_domain") {
      domains.add(iommuDomain: try group.pointer("blocking_domain"))
    }
    guard try group.has("pasid_array") else { return }
    if let known = pasidDomains[group.address] {
      device.pasidDomains = known
      return
    }
    let entries = log.take(
      image.xarray(at: try group.address(of: "pasid_array")), .pasidArray, device: device.name)
    try image.spend(entries.count, at: group.address)
    for entry in entries {
      guard let pasid = UInt32(exactly: entry.index) else { continue }
      let domain = log.attempt(.pasidArray, device: device.name) { () throws(KernelError) in
        try self.domain(ofPASIDEntry: entry.word)
      }
      if let domain, let domain { device.pasidDomains[pasid] = domain }
    }
    pasidDomains[group.address] = device.pasidDomains
  }

  /// The domain behind an entry of `iommu_group.pasid_array`.
  ///
  /// A domain at first; since Linux v6.12 an `iommu_attach_handle`; since v6.15 either of them,
  /// told apart by the pointer's low bits: 0 marks a domain (`IOMMU_PASID_ARRAY_DOMAIN`), 1 a
  /// handle (`IOMMU_PASID_ARRAY_HANDLE`). That release also brought `iommu_domain.cookie_type`.
  private func domain(ofPASIDEntry word: UInt64) throws(KernelError) -> KernelAddress? {
    let pointer = KernelAddress(word & ~3)
    let hasHandles = try image.structure("iommu_attach_handle") != nil
    let isTagged = try image.has("iommu_domain", "cookie_type")
    let isHandle = isTagged ? word & 3 != 0 : hasHandles
    guard isHandle else { return domains.add(iommuDomain: pointer) }
    return domains.add(
      iommuDomain: try image.object("iommu_attach_handle", at: pointer).pointer("domain"))
  }

  /// Addresses of the `struct device`s of every group.
  ///
  /// Source: drivers/iommu/iommu.c, `iommu_group_kset`.
  private func groupMembers() -> [KernelAddress] {
    log.attempt(.groupSet) { () throws(KernelError) -> [KernelAddress] in
      guard let place = image.symbol("iommu_group_kset") else { return [] }
      let set = KernelAddress(try image.reader.littleEndian(at: place))
      guard set.rawValue != 0 else { return [] }
      let entries = log.take(
        image.list(
          at: try image.object("kset", at: set).address(of: "list"), of: "iommu_group",
          linkedBy: "kobj.entry", limit: 65536), .groupList)
      guard !entries.isEmpty else { return [] }
      let member = try Self.memberStructure(image)
      var members: [KernelAddress] = []
      for group in entries {
        let devices = log.take(
          image.list(
            at: try group.address(of: "devices"), of: member, linkedBy: "list",
            limit: 65536), .devicesOfGroup)
        try image.spend(at: group.address)
        for device in devices {
          let pointer = log.attempt(.groupDevice) { () throws(KernelError) in
            try device.pointer("dev")
          }
          if let pointer, pointer.rawValue != 0 { members.append(pointer) }
        }
      }
      return members
    } ?? []
  }

  /// The structure that stands for a device in a group's list.
  ///
  /// `struct group_device`; in older kernels `struct iommu_device` with the members `list`, `dev` and
  /// `name`. Later kernels use that name for a remapping unit, whose list is another one.
  ///
  /// Source: drivers/iommu/iommu.c of Linux v3.10, `iommu_group_add_device`.
  private static func memberStructure(_ image: KernelImage) throws(KernelError) -> String {
    if try image.structure("group_device") == nil, try image.has("iommu_device", "name"),
      try !image.has("iommu_device", "ops")
    {
      return "iommu_device"
    }
    return "group_device"
  }

  // MARK: The driver's own structure

  /// `struct device_domain_info`, by the way this kernel keeps it.
  ///
  /// Since Linux commit 01b9d4e21148 ("iommu/vt-d: Use dev_iommu_priv_get/set()") (in v5.9), in
  /// `device.iommu->priv`; before that, in `device.archdata.iommu`.
  private func readInfo(
    of object: KernelObject, into device: inout LinuxDevice
  ) throws(KernelError) {
    let pointer: KernelAddress
    if try image.has("dev_iommu", "priv"), try object.has("iommu") {
      guard let iommu = try object.target("iommu", as: "dev_iommu") else { return }
      // Another vendor's unit keeps its own data there.
      if try iommu.has("iommu_dev"), let ours = image.symbol("intel_iommu_ops"),
        let unit = try iommu.target("iommu_dev", as: "iommu_device"),
        try unit.pointer("ops") != ours
      {
        return
      }
      pointer = try iommu.pointer("priv")
      if try iommu.has("attach_deferred") {
        device.attachDeferred = try iommu.unsigned("attach_deferred") != 0
      }
    } else if try object.has("archdata.iommu") {
      pointer = try object.pointer("archdata.iommu")
    } else {
      // Said once: it is the same for every device.
      guard !isWayUnknown else { return }
      isWayUnknown = true
      throw KernelError(at: object.address, .noMember(structure: "device", member: "iommu"))
    }
    // The last page of the address space stands for small negative numbers: -1 marks a dummy, -2 a
    // deferred attachment.
    guard pointer.rawValue < UInt64(bitPattern: -4095) else {
      if pointer.rawValue == UInt64(bitPattern: -2) { device.attachDeferred = true }
      return
    }
    guard pointer.rawValue != 0 else { return }
    let info = try image.object("device_domain_info", at: pointer)
    device.info = info.address
    try readRequester(from: info, into: &device)
    device.iommu = try info.pointer("iommu")
    let domain = try info.pointer("domain")
    if domain.rawValue != 0 { device.domain = domains.add(domain) }
    if try info.has("pasid_table"), let table = try info.target("pasid_table", as: "pasid_table") {
      let directory = try table.pointer("table")
      if directory.rawValue != 0 {
        device.pasidDirectory = try image.reader.physical(directory).pageBase
      }
    }
  }

  /// The source id that the driver keeps, where it is not the device's own.
  ///
  /// Its segment is the unit's where it has no field of its own: Linux v3.10 and those from v5.10 on
  /// have one, 3.10.0-1160.el7, 4.18.0-147.el8 and v5.4 have none (`struct device_domain_info`).
  private func readRequester(
    from info: KernelObject, into device: inout LinuxDevice
  ) throws(KernelError) {
    guard try info.has("bus"), try info.has("devfn") else { return }
    let owner = try info.has("segment") ? info : try info.target("iommu", as: "intel_iommu")
    guard let owner else { return }
    let requester = PCIFunction(
      segment: UInt32(truncatingIfNeeded: try owner.unsigned("segment")),
      bus: UInt8(truncatingIfNeeded: try info.unsigned("bus")),
      devfn: UInt8(truncatingIfNeeded: try info.unsigned("devfn")))
    if let function = device.name.function, !function.isBehindVMD { return }
    guard !requester.isBehindVMD else { return }
    device.requester = requester
    if device.name.function == nil { device.aliases = [requester] }
  }

  // MARK: Domains that no device leads to

  /// Adds the domains of the units' own tables, of `device_domain_list` and of `si_domain`.
  ///
  /// A table from domain-id to domain existed up to Linux v5.15: flat at first, in two steps of 256
  /// since v4.3. The flat table is also what tells the ids of domains that are not the driver's own:
  /// their single `id` is not the one that the hardware uses.
  ///
  /// Source: drivers/iommu/intel-iommu.c of Linux v3.10, function `domain_context_mapping_one`.
  func addDomainsOfUnits(_ units: [LinuxUnit]) {
    if let place = image.symbol("si_domain"),
      let pointer: UInt64 = try? image.reader.littleEndian(at: place)
    {
      domains.add(KernelAddress(pointer))
    }
    if let head = image.symbol("device_domain_list") {
      for info in log.take(
        image.list(at: head, of: "device_domain_info", linkedBy: "global"), .deviceInfoList)
      {
        _ = log.attempt(.deviceInfo) { () throws(KernelError) in
          domains.add(try info.pointer("domain"))
        }
      }
    }
    for unit in units {
      guard let address = unit.kernelObject, let ids = unit.domainIDs else { continue }
      _ = log.attempt(.domainTable, unit: unit.name) { () throws(KernelError) in
        let iommu = try image.object("intel_iommu", at: address)
        guard try iommu.has("domains") else { return }
        let table = try iommu.pointer("domains")
        guard table.rawValue != 0 else { return }
        let isSplit = try image.has("dmar_domain", "iommu_did")
        try image.spend(ids.count, at: table)
        for id in ids {
          let slot: UInt64
          if isSplit {
            let half: UInt64 = try image.reader.littleEndian(
              at: KernelAddress(table.rawValue &+ UInt64(id >> 8) &* 8))
            guard half != 0 else { continue }
            slot = half &+ UInt64(id & 0xff) &* 8
          } else {
            slot = table.rawValue &+ UInt64(id) &* 8
          }
          let domain: UInt64 = try image.reader.littleEndian(at: KernelAddress(slot))
          // Id 0 is taken by a marker that is no domain.
          guard domain != 0, domain < UInt64(bitPattern: -4095) else { continue }
          if let key = domains.add(KernelAddress(domain)), !isSplit {
            domains.setID(id, of: key, on: unit.sequence)
          }
        }
      }
    }
  }
}
