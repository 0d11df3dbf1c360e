// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

extension Context {
  /// Unit, source id and PASID. Requests without PASID keep their identity when the unit changes
  /// from legacy to scalable mode, where the hardware gives them one.
  func identity(_ labels: UnitLabels, _ side: UnitLabels.Side) -> RowKey {
    RowKey([
      .init("unit", labels.value(unit, side)), .init("device", FieldValue(DeviceName.pci(device))),
      .init("pasid", servesRequestsWithoutPASID ? .null : FieldValue(pasid)),
    ])
  }

  func fields(_ options: DiffOptions) -> [FieldValue.Member] {
    var fields: [FieldValue.Member] = [
      .init("pasid", FieldValue(pasid)),
      .init("translation", FieldValue(translation)),
      .init("domainID", FieldValue(domainID)),
      .init("levels", FieldValue(levels)),
      .init("faultProcessingDisabled", .flag(faultProcessingDisabled)),
      .init("secondStage.levels", FieldValue(secondStage?.levels)),
    ]
    if options.addresses {
      fields += [
        .init("table", FieldValue(table)),
        .init("raw", .list(raw.map { FieldValue($0) })),
        .init("entry", FieldValue(entry)),
        .init("secondStage.table", FieldValue(secondStage?.table)),
      ]
    }
    return fields
  }
}
