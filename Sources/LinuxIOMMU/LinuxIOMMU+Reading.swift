// SPDX-License-Identifier: Apache-2.0

public import KernelImage
internal import Memory
internal import RemappingState

extension LinuxIOMMU {
  /// Reads everything that the kernel held about its remapping units.
  ///
  /// - Parameter hostAddressWidth: bits, where somebody read them before from a log that is left out.
  /// - Throws: where not even the list of units can be read; whatever else cannot be read becomes
  ///   one of `problems`.
  public init(
    reading image: KernelImage, hostAddressWidth known: Int? = nil
  ) throws(KernelError) {
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
    // Domains of another driver's units have another shape.
    let hasNoUnit = units.isEmpty && !log.lacks(\.isPartOfUnitList)
    let domainReader = DomainReader(
      image, log, sequences: units.compactMap { $0.kernelObject == nil ? nil : $0.sequence },
      isForeign: hasNoUnit)
    let deviceReader = DeviceReader(
      image: image, log: log, names: names, tree: tree, domains: domainReader)
    devices = deviceReader.devices()
    if hasNoUnit { otherUnits = OtherUnitReader(image: image, log: log).units(behind: devices) }
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
    hostAddressWidth = HostAddressWidth(image: image, log: log, known: known).bits()
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

  /// The segment in the kernel's copy of an ATSR or SATC: bytes 6 and 7, behind type (2 or 5), length
  /// and flags.
  ///
  /// Source: include/acpi/actbl1.h, `struct acpi_dmar_atsr` and `struct acpi_dmar_satc`.
  private static func segment(of unit: KernelObject) -> UInt32? {
    guard let header = try? unit.pointer("hdr"), header.rawValue != 0,
      let bytes = try? unit.image.reader.bytes(at: header, count: 8),
      let type = try? bytes.littleEndian(at: 0) as UInt16, type == 2 || type == 5,
      let segment = try? bytes.littleEndian(at: 6) as UInt16
    else { return nil }
    return UInt32(segment)
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
          address: unit.address, segment: Self.segment(of: unit),
          includeAll: try unit.has("include_all") ? try unit.unsigned("include_all") != 0 : false,
          required: try unit.has("atc_required") ? try unit.unsigned("atc_required") != 0 : nil,
          devices: try names.scope(of: unit).compactMap { $0 })
      }
    }
  }
}
