// SPDX-License-Identifier: Apache-2.0

internal import Memory
public import Owners
internal import RemappingState

extension ReportDocument {
  /// The report with nothing but what has to do with one device: its unit, the contexts and address
  /// spaces of its source ids, its regions, and what was found or met there.
  ///
  /// What lies where in memory, the log's account and the rules that were not judged stay whole.
  public func narrowed(to view: DeviceView) -> ReportDocument {
    var result = self
    result.deviceView = view
    let names = Set(view.sourceIDs.map { DeviceName.pci($0.sourceID) } + [view.device])
    let ids = Set(view.sourceIDs.map(\.sourceID))
    let state = self.state
    result.state.units = state.units.filter { $0.name == view.unit }
    result.state.contexts = state.contexts.filter { ids.contains($0.device) }
    result.state.devices = state.devices.filter { names.contains($0.device) }
    let objects = Set(result.state.devices.compactMap(\.domain))
    result.state.domains = state.domains.filter { domain in
      !names.isDisjoint(with: domain.devices)
        || domain.kernelObject.map(objects.contains) == true
    }
    result.state.reservedRegions = state.reservedRegions.compactMap { region in
      var region = region
      region.devices.removeAll { !names.contains($0) }
      return region.devices.isEmpty ? nil : region
    }
    result.state.translationCaches = state.translationCaches.filter {
      !names.isDisjoint(with: $0.devices)
    }
    let domainIDs = Set(result.state.domains.compactMap(\.domainID))
    result.state.observations = state.observations.filter { observation in
      if let device = observation.device { return names.contains(device) }
      guard observation.unit == nil || observation.unit == view.unit else { return false }
      return observation.domainID.map(domainIDs.contains) ?? true
    }
    result.findings = findings.filter { finding in
      finding.device.map(names.contains) ?? (finding.unit == nil || finding.unit == view.unit)
    }
    return result
  }
}
