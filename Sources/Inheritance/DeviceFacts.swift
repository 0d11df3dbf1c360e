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
    /// The unit did not translate.
    case untranslated
  }

  var name: DeviceName
  var function: PCIFunction
  var unit: String?
  var driver: String?
  /// The crash kernel has a driver for it.
  var attaches: Bool
  var situation: Situation
  /// The fault that hardware records of a context that it refuses.
  var refusal: Int?
  /// Indices into `MappedSpaces`, of all its PASIDs.
  var spaces: [Int]
  var isFirstStage: Bool
  var inFlight: Bool
  var hasFirmwareRegions: Bool
  /// Why the device cannot be reset through a port above it; `nil` if it can.
  var resetObstacle: String?
  var hasErrorFinding: Bool
  /// Whether the crashed kernel gave it the identity by default; `nil` where that is not known.
  var defaultsToIdentity: Bool?
  /// Class, subclass and interface; `nil` if not known.
  var classCode: UInt32? = nil

  /// Whether a dump could be written to it or through it: storage, network, USB, Fibre Channel.
  var couldTakeDump: Bool {
    guard let classCode else { return false }
    return [0x01, 0x02].contains(classCode >> 16)
      || [0x0c03, 0x0c04, 0x0c06].contains(classCode >> 8)
  }
}

extension DeviceFacts {
  /// Every PCI function that the hardware's tables or the kernel know, by number.
  static func all(
    of state: RemappingState, facts: MachineFacts, options: ForecastOptions,
    errors: Set<DeviceName>, spaces: inout MappedSpaces
  ) -> [DeviceFacts] {
    var contexts: [PCIFunction: [Context]] = [:]
    for context in state.contexts { contexts[context.device, default: []].append(context) }
    var devices: [PCIFunction: Device] = [:]
    for device in state.devices {
      if let function = device.device.function { devices[function] = device }
    }
    let units = Dictionary(state.units.map { ($0.name, $0) }, uniquingKeysWith: { a, _ in a })
    var names: [PCIFunction: String] = [:]
    // An alias shares the driver, and so the fate, of the device that it stands for.
    var owner: [PCIFunction: Device] = devices
    for device in state.devices {
      for alias in device.aliases.compactMap(\.function) where owner[alias] == nil {
        owner[alias] = device
        names[alias] = device.driver
      }
    }
    return Set(contexts.keys).union(devices.keys).sorted().map { function in
      let own = contexts[function] ?? []
      let device = owner[function]
      let primary = own.first { $0.servesRequestsWithoutPASID } ?? own.first
      let unit = primary?.unit ?? device?.unit
      let situation: Situation
      if let unit, units[unit]?.translationEnabled == false {
        situation = .untranslated
      } else {
        switch primary.map({ $0.refusal == nil ? $0.translation : Self.noTranslation }) {
        case .secondStage?, .firstStage?, .nested?: situation = .translated
        case .passThrough?: situation = .passThrough
        case DeviceFacts.noTranslation?: situation = .refused
        default: situation = .noContext
        }
      }
      let indices = own.compactMap { spaces.index(of: $0) }
      let inFlight = indices.contains { spaces[$0].inFlight }
      return DeviceFacts(
        name: .pci(function), function: function, unit: unit, driver: device?.driver,
        attaches: attaches(
          function, driver: device?.driver, mapsNothing: situation == .translated && !inFlight,
          options),
        situation: situation, refusal: primary?.refusal.map { Int($0.faultReason.rawValue) },
        spaces: indices,
        isFirstStage: primary?.translation == .firstStage || primary?.translation == .nested,
        inFlight: inFlight,
        hasFirmwareRegions: device?.reservedRegions.contains { $0.kind == .rmrr } ?? false,
        resetObstacle: resetObstacle(function, facts),
        hasErrorFinding: errors.contains(.pci(function))
          || device.map { errors.contains($0.device) } ?? false,
        defaultsToIdentity: device?.defaultDomainType.map { $0 == .identity },
        classCode: facts.classCodes[function])
    }
  }

  // `none` alone would be read as the absence of a value.
  private static let noTranslation = Translation.none

  /// Drivers that map nothing, whatever their devices could do.
  private static let idleDrivers: Set<String> = ["pcieport"]

  /// Linux attaches a device when its driver first maps something. A driver that had nothing mapped in
  /// the crashed kernel, such as a port's, is not taken to map anything in the crash kernel either.
  private static func attaches(
    _ function: PCIFunction, driver: String?, mapsNothing: Bool, _ options: ForecastOptions
  ) -> Bool {
    guard let wanted = options.drivers else {
      return driver.map { !mapsNothing && !idleDrivers.contains($0) } ?? false
    }
    return wanted.contains { word in
      if let named = PCIFunction(word) { return named == function }
      return driver?.isDriver(word) ?? false
    }
  }

  /// A hot reset goes out of a root or downstream port, and reaches everything below it.
  private static func resetObstacle(_ function: PCIFunction, _ facts: MachineFacts) -> String? {
    guard let bridges = facts.bridges[function], let port = bridges.last else {
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
