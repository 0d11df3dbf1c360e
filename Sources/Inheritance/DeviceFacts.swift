// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// What the forecast of one device starts from, whatever the policy.
struct DeviceFacts {
  /// How hardware treated the device's requests without PASID at the panic.
  enum Situation: Hashable {
    case translated
    case passThrough
    /// A context that hardware refuses.
    case refused
    case noContext
    /// The unit did not translate, or there was none.
    case untranslated

    /// Whether its addresses were physical ones already, so that no table tells where it may go.
    var hasPhysicalAddresses: Bool { self == .passThrough || self == .untranslated }
  }

  var name: DeviceName
  /// The source id of its requests: the device's own, that of the VMD controller above it, or the one
  /// that the kernel has for a device that is no PCI function.
  var function: PCIFunction
  var unit: String?
  var driver: String?
  /// The crash kernel has a driver for it, or may have.
  var attaches: Bool
  /// Whether it could not be read which driver the crashed kernel had for it, if it had one.
  var driverIsUnknown: Bool
  var situation: Situation
  /// The fault that hardware records of a context that it refuses.
  var refusal: Int?
  /// Indices into `MappedSpaces`, of all its PASIDs.
  var spaces: [Int]
  /// Of its requests without PASID alone.
  var ownSpaces: [Int]
  /// Its requests with a PASID, by PASID.
  var pasids: [PASIDFacts]
  var isFirstStage: Bool
  var inFlight: Bool
  var hasFirmwareRegions: Bool
  /// Why the device cannot be reset through a port above it; `nil` if it can.
  var resetObstacle: String?
  var hasErrorFinding: Bool
  /// What the dump lacks of its tables.
  var lack: Lack = .nothing
  /// Whether the crashed kernel gave it the identity by default; `nil` where that is not known.
  var defaultsToIdentity: Bool?
  /// Class, subclass and interface; `nil` if not known.
  var classCode: UInt32? = nil

  /// What of a device's tables could not be read.
  enum Lack: Hashable {
    case nothing
    /// Some of the tables of its address spaces.
    case pageTables
    /// Its context or its PASID entry, if it has one.
    case context
  }

  /// Requests with one PASID.
  struct PASIDFacts {
    var pasid: UInt32
    var situation: Situation
    var refusal: Int?
    /// `nil` where nothing is walked.
    var space: Int?
  }

  /// Whether a dump could be written to it or through it: storage, network, USB, Fibre Channel.
  var couldTakeDump: Bool { Self.couldTakeDump(classCode) }

  static func couldTakeDump(_ classCode: UInt32?) -> Bool {
    guard let classCode else { return false }
    return [0x01, 0x02].contains(classCode >> 16)
      || [0x0c03, 0x0c04, 0x0c06].contains(classCode >> 8)
  }
}

extension DeviceFacts {
  /// Every PCI function that the hardware's tables or the kernel's records of remapping know, or that no unit
  /// translates for, by number; none where another driver's units are over them.
  static func all(
    of state: RemappingState, facts: MachineFacts, options: ForecastOptions,
    errors: Set<DeviceName>, spaces: inout MappedSpaces
  ) -> [DeviceFacts] {
    // What is foretold is what VT-d's driver does.
    guard state.otherUnits == nil else { return [] }
    var contexts: [PCIFunction: [Context]] = [:]
    for context in state.contexts { contexts[context.device, default: []].append(context) }
    var devices: [PCIFunction: Device] = [:]
    // Devices whose requests carry only another's source id.
    var guests: [(device: Device, function: PCIFunction)] = []
    for device in state.devices {
      guard let function = device.requesters.first else { continue }
      if device.device.function == function {
        devices[function] = device
      } else {
        guests.append((device, function))
      }
    }
    let units = Dictionary(state.units.map { ($0.name, $0) }, uniquingKeysWith: { a, _ in a })
    // An alias shares the driver, and so the fate, of the device that it stands for.
    var owner: [PCIFunction: Device] = devices
    for device in state.devices {
      for alias in device.aliases.compactMap(\.function) where owner[alias] == nil {
        owner[alias] = device
      }
    }
    // The unit that does not translate, if there is one, of those that remapping has no record of.
    var untranslated: [PCIFunction: String?] = [:]
    for (unit, functions) in facts.untranslatedFunctions {
      for function in functions { untranslated.updateValue(unit, forKey: function) }
    }
    let lacks = TableLacks(state)
    let lostDrivers = LostDrivers(state)
    // A context of a device that is no PCI function is that device's, and needs no row of its own.
    let claimed = Set(guests.lazy.filter { $0.device.device.function == nil }.map(\.function))
    let rows =
      Set(contexts.keys).union(devices.keys).union(untranslated.keys)
      .filter { devices[$0] != nil || !claimed.contains($0) }
      .sorted().map { (name: DeviceName.pci($0), function: $0, device: owner[$0]) }
      + guests.map { (name: $0.device.device, function: $0.function, device: $0.device) }
    return rows.sorted { $0.name < $1.name }.map { name, function, device in
      let own = contexts[function] ?? []
      // The function that drivers and bridges know.
      let known = name.function ?? function
      let primary = own.first { $0.servesRequestsWithoutPASID } ?? own.first
      let unit = primary?.unit ?? device?.unit ?? untranslated[function] ?? nil
      let isOff = unit.map { units[$0]?.translationEnabled == false } ?? false
      let situation =
        isOff || untranslated[function] != nil
        ? .untranslated : primary.map(Self.situation) ?? .noContext
      let indices = own.compactMap { spaces.index(of: $0) }
      let inFlight = indices.contains { spaces[$0].inFlight }
      let isRecorded = device != nil || untranslated[function] == nil
      let driver = isRecorded ? device?.driver : facts.drivers[function]
      let driverIsUnknown =
        driver == nil
        && (isRecorded ? lostDrivers.mayBeMissing(of: device) : lostDrivers.names.contains(name))
      return DeviceFacts(
        name: name, function: function, unit: unit, driver: driver,
        attaches: attaches(
          known, driver: driver, isUnknown: driverIsUnknown,
          mapsNothing: situation == .translated && !inFlight, options),
        driverIsUnknown: driverIsUnknown,
        situation: situation, refusal: primary?.refusal.map { Int($0.faultReason.rawValue) },
        spaces: indices, ownSpaces: [primary].compactMap { $0 }.compactMap { spaces.index(of: $0) },
        pasids: own.compactMap { context in
          guard let pasid = context.pasid, !context.servesRequestsWithoutPASID, context != primary
          else { return nil }
          return PASIDFacts(
            pasid: pasid,
            situation: situation == .untranslated ? .untranslated : Self.situation(context),
            refusal: context.refusal.map { Int($0.faultReason.rawValue) },
            space: spaces.index(of: context))
        },
        isFirstStage: primary?.translation == .firstStage || primary?.translation == .nested,
        inFlight: inFlight,
        hasFirmwareRegions: device?.reservedRegions.contains { $0.kind == .rmrr } ?? false,
        resetObstacle: resetObstacle(known, facts),
        hasErrorFinding: errors.contains(.pci(function)) || errors.contains(name)
          || device.map { errors.contains($0.device) } ?? false,
        lack: situation == .untranslated
          ? .nothing : lacks.lack(of: function, own, primary, on: unit),
        defaultsToIdentity: device?.defaultDomainType.map { $0 == .identity },
        classCode: facts.classCodes[known])
    }
  }

  /// What of the tables could not be read.
  private struct TableLacks {
    private let hidden: HiddenContexts
    private var spaces: Set<DomainKey> = []

    init(_ state: RemappingState) {
      hidden = state.hiddenContexts
      for domain in state.domains {
        guard let walk = domain.walk, walk.unreadable > 0 || walk.budgetExhausted else { continue }
        spaces.insert(domain.key)
      }
    }

    /// - Parameters:
    ///   - contexts: the device's.
    ///   - primary: that of its requests without PASID, as far as known.
    func lack(
      of device: PCIFunction, _ contexts: [Context], _ primary: Context?, on unit: String?
    ) -> Lack {
      if hidden.mayHide(contextsOf: device, isKnown: !contexts.isEmpty, on: unit) {
        // What is missing may be the entry of another PASID.
        return primary.map(\.isFound) ?? false ? .pageTables : .context
      }
      return contexts.contains { spaces.contains($0.domainKey) } ? .pageTables : .nothing
    }
  }

  /// How hardware treats requests that find a context.
  ///
  /// One whose PASID entries could not be read counts as refused; see `Lack`.
  private static func situation(_ context: Context) -> Situation {
    guard context.refusal == nil else { return .refused }
    switch context.translation {
    case .secondStage, .firstStage, .nested: return .translated
    case .passThrough: return .passThrough
    case .none: return .refused
    }
  }

  /// Drivers that map nothing, whatever their devices could do.
  private static let idleDrivers: Set<String> = ["pcieport"]

  /// Linux attaches a device when its driver first maps something. A driver that had nothing mapped in
  /// the crashed kernel, such as a port's, is not taken to map anything in the crash kernel either.
  /// Something that mapped had a driver, whether its name could be read or not.
  static func attaches(
    _ function: PCIFunction, driver: String?, isUnknown: Bool, mapsNothing: Bool,
    _ options: ForecastOptions
  ) -> Bool {
    func has(_ isMeant: (String) -> Bool) -> Bool {
      driver.map(isMeant) ?? (isUnknown && !mapsNothing)
    }
    guard let wanted = options.drivers else {
      return has { !mapsNothing && !idleDrivers.contains($0) }
    }
    return wanted.contains { word in
      if let named = PCIFunction(word) { return named == function }
      return has { $0.isDriver(word) }
    }
  }

  /// A hot reset goes out of a root or downstream port, and reaches everything below it.
  private static func resetObstacle(_ function: PCIFunction, _ facts: MachineFacts) -> String? {
    guard let bridges = facts.bridges[function] else {
      return "it is not known which port leads to it"
    }
    guard let port = bridges.last else {
      return "it sits on a root bus, where no port can reset it"
    }
    let shares = facts.displays.contains { facts.bridges[$0]?.last == port }
    return shares ? "the port \(port) above it also leads to a display and is skipped" : nil
  }
}

extension String {
  /// Whether a driver of this name is meant by `word`: modules and drivers differ in their dashes.
  public func isDriver(_ word: String) -> Bool { replacingDashes == word.replacingDashes }

  private var replacingDashes: String { String(map { $0 == "-" ? "_" : $0 }) }
}

/// Where the absence of a driver proves nothing.
struct LostDrivers {
  private let devicesAreComplete: Bool
  /// Devices whose driver could not be read.
  let names: Set<DeviceName>

  init(_ state: RemappingState) {
    devicesAreComplete = state.devicesAreComplete
    names = Set(
      state.observations.lazy.filter { $0.structure.kernelStructure == .driver }
        .compactMap(\.device))
  }

  /// - Parameter device: `nil` for a context of which the kernel's records have no device.
  func mayBeMissing(of device: Device?) -> Bool {
    device.map { names.contains($0.device) } ?? !devicesAreComplete
  }
}

extension Context {
  /// Whether it is known what becomes of requests without PASID.
  fileprivate var isFound: Bool {
    servesRequestsWithoutPASID && (translation != .none || refusal != nil)
  }
}
