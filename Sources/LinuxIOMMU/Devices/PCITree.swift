// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import KernelTypes
internal import Memory
internal import RemappingState

/// The PCI functions that Linux had enumerated, with the buses they sit on.
struct PCITree {
  struct Function {
    var name: PCIFunction
    /// The `struct pci_dev`.
    var object: KernelObject
    /// Bridges from the function's bus up to the root, nearest first.
    var bridges: [Bridge]
  }

  /// A bridge above a function.
  struct Bridge {
    var name: PCIFunction
    var object: KernelObject
    /// Number of the bus behind it.
    var secondary: UInt8
  }

  /// A segment can have that many; hosts have a few thousand in all.
  private static let functionLimit = 65536

  var functions: [Function] = []
  /// Memory windows of the host bridges in bus addresses, inclusive.
  var windows: [ClosedRange<UInt64>] = []

  /// Walks `pci_root_buses`.
  ///
  /// Source: drivers/pci/probe.c, `pci_root_buses`; include/linux/pci.h.
  init(_ image: KernelImage, _ log: ProblemLog) {
    guard let head = image.symbol("pci_root_buses") else {
      log.note(KernelError(.noSymbol("pci_root_buses")), .buses)
      return
    }
    let roots = log.take(
      image.list(at: head, of: "pci_bus", linkedBy: "node", limit: 65536), .rootBuses)
    var seen: Set<KernelAddress> = []
    _ = log.attempt(.buses) { () throws(KernelError) in
      for root in roots {
        readWindows(of: root, image, log)
        var pending: [(bus: KernelObject, bridges: [Bridge])] = [(root, [])]
        while let (bus, bridges) = pending.popLast() {
          // A segment has 256 buses, so no path is longer.
          guard seen.insert(bus.address).inserted, bridges.count < 256 else {
            log.note(
              KernelError(
                at: bus.address, .malformed("PCI bus is met twice or deeper than a bus can be")),
              .buses)
            continue
          }
          // The path is kept for every function on the bus.
          try image.spend(1 + bridges.count, at: bus.address)
          read(bus, bridges, image, log, &pending)
          guard functions.count <= Self.functionLimit, seen.count <= Self.functionLimit else {
            throw KernelError(
              at: bus.address, .malformed("more than \(Self.functionLimit) PCI functions or buses"))
          }
        }
      }
    }
    functions.sort { $0.name < $1.name }
  }

  private mutating func read(
    _ bus: KernelObject, _ bridges: [Bridge], _ image: KernelImage, _ log: ProblemLog,
    _ pending: inout [(bus: KernelObject, bridges: [Bridge])]
  ) {
    guard
      let (number, segment, devices, children) = log.attempt(
        .bus,
        { () throws(KernelError) in
          (
            UInt8(truncatingIfNeeded: try bus.unsigned("number")), try Self.segment(of: bus),
            try bus.address(of: "devices"), try bus.address(of: "children")
          )
        })
    else { return }
    for device in log.take(
      image.list(at: devices, of: "pci_dev", linkedBy: "bus_list", limit: 256),
      .devicesOfBus, number: "\(number)")
    {
      let name = log.attempt(.pciDevice) { () throws(KernelError) in
        PCIFunction(
          segment: segment, bus: number,
          devfn: UInt8(truncatingIfNeeded: try device.unsigned("devfn")))
      }
      if let name { functions.append(Function(name: name, object: device, bridges: bridges)) }
    }
    for child in log.take(
      image.list(at: children, of: "pci_bus", linkedBy: "node", limit: 256),
      .childrenOfBus, number: "\(number)")
    {
      // `self` is the bridge that leads to the child bus; virtual SR-IOV buses have none.
      let bridge = log.attempt(.bridgeOfBus) { () throws(KernelError) -> Bridge? in
        guard let object = try child.target("self", as: "pci_dev") else { return nil }
        return Bridge(
          name: PCIFunction(
            segment: segment, bus: number,
            devfn: UInt8(truncatingIfNeeded: try object.unsigned("devfn"))),
          object: object, secondary: UInt8(truncatingIfNeeded: try child.unsigned("number")))
      }
      pending.append((child, (bridge ?? nil).map { [$0] + bridges } ?? bridges))
    }
  }

  /// `pci_domain_nr`: x86 keeps the segment in the bus's `struct pci_sysdata`.
  private static func segment(of bus: KernelObject) throws(KernelError) -> UInt32 {
    guard let data = try bus.target("sysdata", as: "pci_sysdata") else { return 0 }
    return UInt32(truncatingIfNeeded: try data.signed("domain"))
  }

  /// The memory windows that dma-iommu reserves in every allocator.
  ///
  /// Source: drivers/iommu/dma-iommu.c, `iova_reserve_pci_windows`.
  private mutating func readWindows(of root: KernelObject, _ image: KernelImage, _ log: ProblemLog)
  {
    let found = log.attempt(.hostBridgeWindows) {
      () throws(KernelError) -> [ClosedRange<UInt64>] in
      guard try image.has("pci_host_bridge", "windows") else { return [] }
      let pointer = try root.pointer("bridge")
      guard pointer.rawValue != 0 else { return [] }
      let bridge = try image.container("pci_host_bridge", of: "dev", at: pointer)
      // The entries' structure was the host bridge's own up to Linux v3.19.
      let (name, link) =
        try image.structure("resource_entry") != nil
        ? ("resource_entry", "node") : ("pci_host_bridge_window", "list")
      var windows: [ClosedRange<UInt64>] = []
      for entry in log.take(
        image.list(
          at: try bridge.address(of: "windows"), of: name, linkedBy: link, limit: 4096),
        .hostBridgeWindows)
      {
        guard let resource = try entry.target("res", as: "resource") else { continue }
        // IORESOURCE_TYPE_BITS and IORESOURCE_MEM, include/linux/ioport.h.
        guard try resource.unsigned("flags") & 0x1f00 == 0x200 else { continue }
        let offset = try entry.unsigned("offset")
        let start = try resource.unsigned("start") &- offset
        let end = try resource.unsigned("end") &- offset
        if start <= end { windows.append(start...end) }
      }
      return windows
    }
    windows += found ?? []
  }

  /// The other source ids that a function's requests may carry.
  ///
  /// Its own alias mask first, then what conventional bridges on the way up put in its place. What
  /// cannot be read costs none of the others; it is the walk's problem.
  ///
  /// Source: drivers/pci/search.c, `pci_for_each_dma_alias`.
  static func aliases(of function: Function) -> LinkWalk<PCIFunction> {
    var walk = LinkWalk<PCIFunction>()
    let own = function.name
    func add(_ bus: UInt8, _ devfn: UInt8) {
      let alias = PCIFunction(segment: own.segment, bus: bus, devfn: devfn)
      if alias != own, !walk.elements.contains(alias) { walk.elements.append(alias) }
    }
    func attempt<T>(_ body: () throws(KernelError) -> T) -> T? {
      do {
        return try body()
      } catch {
        walk.problem = walk.problem ?? error
        return nil
      }
    }
    for devfn in attempt({ () throws(KernelError) in try ownAliases(of: function) }) ?? [] {
      add(own.bus, devfn)
    }
    for bridge in function.bridges {
      let step = attempt { () throws(KernelError) in try self.step(over: bridge) }
      switch step {
      case nil, .unchanged: continue
      // Translation happens below this bridge; what it puts on its bus does not matter.
      case .translated: return walk
      case .replaced(let bus, let devfn): add(bus, devfn)
      }
    }
    return walk
  }

  /// Numbers on its own bus that a function's requests may carry besides its own.
  private static func ownAliases(of function: Function) throws(KernelError) -> [UInt8] {
    if try function.object.has("dma_alias_mask") {
      let mask = try function.object.pointer("dma_alias_mask")
      guard mask.rawValue != 0 else { return [] }
      let bytes = try function.object.image.reader.bytes(at: mask, count: 32)
      return (0..<256).filter { bytes[$0 / 8] >> UInt8($0 % 8) & 1 != 0 }.map { UInt8($0) }
    }
    // One alias only. Since Linux commit 338c3149a221 ("PCI: Add support for multiple DMA aliases")
    // (in v4.7) it is a mask.
    if try function.object.has("dma_alias_devfn"),
      try flag("PCI_DEV_FLAGS_DMA_ALIAS_DEVFN", 1 << 4, of: function.object)
    {
      return [UInt8(truncatingIfNeeded: try function.object.unsigned("dma_alias_devfn"))]
    }
    return []
  }

  /// What a bridge does to the source id of a request on its way up.
  private enum BridgeStep {
    case unchanged
    case translated
    case replaced(bus: UInt8, devfn: UInt8)
  }

  private static func step(over bridge: Bridge) throws(KernelError) -> BridgeStep {
    let own = BridgeStep.replaced(bus: bridge.name.bus, devfn: bridge.name.devfn)
    let secondary = BridgeStep.replaced(bus: bridge.secondary, devfn: 0)
    if try flag("PCI_DEV_FLAGS_BRIDGE_XLATE_ROOT", 1 << 9, of: bridge.object) { return .translated }
    guard try bridge.object.unsigned("pcie_cap") != 0 else {
      return try flag("PCI_DEV_FLAG_PCIE_BRIDGE_ALIAS", 1 << 5, of: bridge.object) ? secondary : own
    }
    switch try bridge.object.unsigned("pcie_flags_reg")[bits: 4...7] {
    case 7:  // PCIe to PCI bridge: its secondary bus, function 0
      return try flag("PCI_DEV_FLAGS_PCI_BRIDGE_NO_ALIAS", 1 << 14, of: bridge.object)
        ? .unchanged : secondary
    case 8: return own  // PCI to PCIe bridge
    default: return .unchanged  // root port, upstream and downstream port pass source ids on
    }
  }

  /// Whether a flag of `enum pci_dev_flags` is set; its value is the type's, or the one it has had
  /// since it exists where the type information lacks the enumeration.
  private static func flag(
    _ name: String, _ usual: UInt64, of device: KernelObject
  ) throws(KernelError) -> Bool {
    guard try device.has("dev_flags") else { return false }
    let flags = try device.unsigned("dev_flags")
    // Few devices have any.
    guard flags != 0 else { return false }
    let value = try device.image.enumerator(name).map { UInt64(bitPattern: $0) } ?? usual
    return flags & value != 0
  }
}
