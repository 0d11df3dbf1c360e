// SPDX-License-Identifier: Apache-2.0

public import KernelImage
internal import Memory
internal import RemappingState

extension LinuxIOMMU {
  /// Reads everything that the kernel held about its remapping units.
  ///
  /// - Throws: where not even the list of units can be read; whatever else cannot be read becomes
  ///   one of `problems`.
  public init(reading image: KernelImage) throws(KernelError) {
    let log = ProblemLog()
    let tree = PCITree(image, log)
    var names = DeviceNames(image, log)
    for function in tree.functions {
      if let device = log.attempt(
        .pciDevice, { () throws(KernelError) in try function.object.address(of: "dev") })
      {
        names.functions[device] = function.name
      }
    }
    units = try UnitReader(image: image, log: log, names: names).units()
    let domainReader = DomainReader(
      image, log, sequences: units.compactMap { $0.kernelObject == nil ? nil : $0.sequence })
    let deviceReader = DeviceReader(
      image: image, log: log, names: names, tree: tree, domains: domainReader)
    devices = deviceReader.devices()
    deviceReader.addDomainsOfUnits(units)
    domains = domainReader.domains.values.sorted { $0.kernelObject < $1.kernelObject }
    hostBridgeWindows = tree.windows
    reservedTemplate =
      log.attempt(.reservedTemplate) { () throws(KernelError) in
        try domainReader.allocators.reservedTemplate()
      } ?? []
    reservedRegions = Self.regions(image, log, names)
    atsrs = Self.scopes(
      "dmar_atsr_units", "dmar_atsr_unit", .rootPortList, .rootPort, image, log, names)
    satcs = Self.scopes(
      "dmar_satc_units", "dmar_satc_unit", .translationCacheList, .translationCache, image, log,
      names)
    memoryMap = MemoryMapReader(image: image, log: log).regions()
    interruptSources = InterruptSourceReader(image: image).sources()
    hostAddressWidth = HostAddressWidth(image: image).bits()
    handovers = HandoverReader(image: image, log: log).handovers()
    problems = log.problems
  }

  /// The list `dmar_rmrr_units`.
  private static func regions(
    _ image: KernelImage, _ log: ProblemLog, _ names: DeviceNames
  ) -> [LinuxReservedRegion] {
    guard let head = image.symbol("dmar_rmrr_units") else {
      log.note(KernelError(.noSymbol("dmar_rmrr_units")), .reservedRegions)
      return []
    }
    return log.take(
      image.list(at: head, of: "dmar_rmrr_unit", linkedBy: "list", limit: 8192),
      .reservedRegionList
    ).compactMap { unit in
      log.attempt(.reservedRegion) { () throws(KernelError) in
        LinuxReservedRegion(
          kernelObject: unit.address, base: try unit.unsigned("base_address"),
          end: try unit.unsigned("end_address"),
          scope: try names.scope(of: unit).compactMap { $0 })
      }
    }
  }

  /// The lists `dmar_atsr_units` and `dmar_satc_units`.
  private static func scopes(
    _ symbol: String, _ structure: String, _ list: KernelStructure, _ element: KernelStructure,
    _ image: KernelImage, _ log: ProblemLog, _ names: DeviceNames
  ) -> [LinuxATSR] {
    guard let head = image.symbol(symbol) else { return [] }
    return log.take(
      image.list(at: head, of: structure, linkedBy: "list", limit: 8192), list
    ).compactMap { unit in
      log.attempt(element) { () throws(KernelError) in
        LinuxATSR(
          address: unit.address,
          includeAll: try unit.has("include_all") ? try unit.unsigned("include_all") != 0 : false,
          devices: try names.scope(of: unit).compactMap { $0 })
      }
    }
  }
}
