// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// A PCI function that a dump could be written to or through, of which remapping has no record: because
/// no unit translates, or none is over it. What it does meets no table.
struct Outsider {
  var name: DeviceName
  /// `nil` where it has none, or it could not be read.
  var driver: String?
  var driverIsUnknown: Bool

  /// Those that have, or may have, a driver in the crash kernel.
  ///
  /// - Parameter devices: those that remapping knows.
  static func all(
    besides devices: [DeviceFacts], _ state: RemappingState, _ facts: MachineFacts,
    _ options: ForecastOptions
  ) -> [Outsider] {
    let known = Set(devices.flatMap { [$0.name, .pci($0.function)] })
    let lost = LostDrivers(state)
    return facts.classCodes.sorted { $0.key < $1.key }.compactMap { function, classCode in
      let name = DeviceName.pci(function)
      guard !known.contains(name), DeviceFacts.couldTakeDump(classCode) else { return nil }
      let driver = facts.drivers[function]
      let outsider = Outsider(
        name: name, driver: driver, driverIsUnknown: driver == nil && lost.names.contains(name))
      let attaches = DeviceFacts.attaches(
        function, driver: driver, isUnknown: outsider.driverIsUnknown, mapsNothing: false, options)
      return attaches ? outsider : nil
    }
  }
}
