// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

extension Device {
  var identity: RowKey { RowKey([.init("device", FieldValue(device))]) }

  func fields(_ labels: UnitLabels, _ side: UnitLabels.Side) -> [FieldValue.Member] {
    [
      .init("unit", labels.value(unit, side)),
      .init("domainID", FieldValue(domainID)),
      .init("aliases", FieldValue(aliases)),
      .init("reservedRegions", .list(reservedRegions.map(\.value))),
      .init("group", FieldValue(group)),
      .init("driver", FieldValue(driver)),
      .init("defaultDomainType", FieldValue(defaultDomainType)),
      .init("pciID", FieldValue(pciID)),
    ]
  }
}

extension DeviceRegion {
  fileprivate var value: FieldValue {
    .members([
      .init("kind", FieldValue(kind)), .init("base", FieldValue(base)),
      .init("end", FieldValue(end)), .init("mapped", FieldValue(mapped)),
    ])
  }
}

extension ReservedRegion {
  var identity: RowKey {
    RowKey([
      .init("segment", FieldValue(segment)), .init("base", FieldValue(base)),
      .init("end", FieldValue(end)), .init("kind", FieldValue(kind)),
    ])
  }

  var fields: [FieldValue.Member] {
    [.init("devices", FieldValue(devices)), .init("mapped", FieldValue(mapped))]
  }
}

extension Finding {
  /// Rule and subject; the sentence may change from dump to dump.
  func identity(_ labels: UnitLabels, _ side: UnitLabels.Side) -> RowKey {
    RowKey([
      .init("rule", .text(rule)), .init("unit", labels.value(unit, side)),
      .init("device", FieldValue(device)),
    ])
  }

  var fields: [FieldValue.Member] {
    [.init("severity", FieldValue(severity)), .init("message", .text(message))]
  }
}
