// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState
internal import VTd

/// Names devices where events and descriptors name only addresses, domain-ids and source ids.
public struct EventNames: Hashable, Sendable {
  private struct IDKey: Hashable {
    var unit: String
    var id: UInt32
  }

  /// The newest events that are attributed; a ring holds some thousands.
  private static let attributed = 10_000

  private let state: RemappingState
  private let devices: [IDKey: [DeviceName]]
  /// I/O virtual addresses of `map` events by the devices that they were attributed to.
  private var mapped: [UInt64: [DeviceName]] = [:]

  public init(_ state: RemappingState) {
    self.state = state
    var devices: [IDKey: [DeviceName]] = [:]
    for context in state.contexts {
      guard let id = context.domainID else { continue }
      let name = DeviceName.pci(context.device)
      let key = IDKey(unit: context.unit, id: id)
      // Rows of one device with several PASIDs stand together.
      if devices[key]?.last != name { devices[key, default: []].append(name) }
    }
    self.devices = devices
  }

  /// Devices whose contexts have the domain-id on that unit.
  public func devices(unit: String, domainID: UInt32) -> [DeviceName] {
    devices[IDKey(unit: unit, id: domainID)] ?? []
  }

  /// Devices that a descriptor is about: by its source id, otherwise by its domain-id.
  public func devices(unit: String, words: [UInt64]) -> [DeviceName] {
    let descriptor = InvalidationDescriptor(words: words)
    func value(_ name: String) -> UInt64? {
      descriptor.fields.first { $0.name == name && $0.bits.lowerBound < words.count * 64 }?.value(
        in: words)
    }
    if let source = value("SID"), source != 0 {
      return device(unit: unit, sourceID: UInt16(truncatingIfNeeded: source)).map { [$0] } ?? []
    }
    guard let id = value("DID"), id != 0 else { return [] }
    return devices(unit: unit, domainID: UInt32(truncatingIfNeeded: id))
  }

  /// The function of a source id on that unit.
  public func device(unit: String, sourceID: UInt16) -> DeviceName? {
    state.units.first { $0.name == unit }.map {
      .pci(
        PCIFunction(
          segment: $0.segment, bus: UInt8(sourceID >> 8), devfn: UInt8(sourceID & 0xff)))
    }
  }

  /// `0000:00:02.0 e1000e`; only the name where no driver is known.
  public func withDriver(_ device: DeviceName) -> String {
    let driver = state.devices.first {
      $0.device == device || $0.aliases.contains(device)
    }?.driver
    return driver.map { "\(device) \($0)" } ?? device.description
  }

  /// Names the devices of each event.
  ///
  /// `map` and `unmap` name no device. A `map` is attributed to the devices of the only domains in
  /// whose tables its address still leads where the event says, an `unmap` to those of the last `map`
  /// of its address.
  ///
  /// - Parameter events: by time; their `devices` are filled in.
  public mutating func attribute(_ events: inout [TraceEvent]) {
    for index in events.indices.suffix(Self.attributed) where events[index].devices.isEmpty {
      if let unit = events[index].unit, !events[index].words.isEmpty {
        events[index].devices = devices(unit: unit, words: events[index].words)
        continue
      }
      guard let iova = events[index].iova else { continue }
      switch events[index].name {
      case "map":
        guard let physical = events[index].physical else { continue }
        let holders = self.holders(of: iova, at: physical)
        mapped[iova] = holders
        events[index].devices = holders
      case "unmap": events[index].devices = mapped[iova] ?? []
      default: break
      }
    }
  }

  private func holders(of iova: UInt64, at physical: UInt64) -> [DeviceName] {
    var result: [DeviceName] = []
    for domain in state.domains where domain.unit != nil {
      guard let run = domain.mapping?.runs(touching: iova...iova).first,
        run.addresses.contains(iova),
        run.physical.rawValue &+ (iova &- run.iova.rawValue) == physical
      else { continue }
      for device in domain.devices where !result.contains(device) { result.append(device) }
    }
    return result
  }
}
