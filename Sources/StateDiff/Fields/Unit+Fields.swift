// SPDX-License-Identifier: Apache-2.0

internal import RemappingState

extension Unit {
  /// Segment and register base; kernels number units as they find them.
  var identity: RowKey {
    RowKey([
      .init("segment", FieldValue(segment)), .init("registerBase", FieldValue(registerBase)),
    ])
  }

  func fields(_ options: DiffOptions) -> [FieldValue.Member] {
    var fields: [FieldValue.Member] = [
      .init("name", .text(name)),
      .init("capability", FieldValue(capability)),
      .init("extendedCapability", FieldValue(extendedCapability)),
      .init("tableMode", FieldValue(tableMode)),
      .init("translationEnabled", FieldValue(translationEnabled)),
      .init("interruptRemappingEnabled", FieldValue(interruptRemappingEnabled)),
      .init("rootFrom", FieldValue(rootFrom)),
      .init("domainIDs.supported", .number(domainIDs.supported)),
      .init(
        "domainIDs.used", domainIDs.used.map { .list($0.map { .number(Int($0)) }) } ?? .null),
      .init("globalCommand", FieldValue(globalCommand)),
      .init("levels", FieldValue(levels)),
      .init("ignored", FieldValue(ignored)),
      .init("includeAll", FieldValue(includeAll)),
      .init("scope", .list(scope.map { FieldValue($0) })),
      .init("inherited", FieldValue(inherited)),
      .init("copiedContexts", FieldValue(copiedContexts)),
      .init("interruptRemapping.entries", FieldValue(interruptRemapping?.entries)),
      .init("interruptRemapping.present", FieldValue(interruptRemapping?.present)),
      .init("interruptRemapping.posted", FieldValue(interruptRemapping?.posted)),
      .init("interruptRemapping.allocated", FieldValue(interruptRemapping?.allocated)),
      .init(
        "interruptRemapping.presentButFree",
        interruptRemapping.map { .list($0.presentButFree.map(FieldValue.number)) } ?? .null),
      .init("interruptRemapping.unreadablePages", FieldValue(interruptRemapping?.unreadablePages)),
      .init("invalidationQueue.entries", FieldValue(invalidationQueue?.entries)),
      .init("invalidationQueue.descriptorSize", FieldValue(invalidationQueue?.descriptorSize)),
      .init("invalidationQueue.pending", FieldValue(invalidationQueue?.pending)),
    ]
    if options.addresses {
      fields += [
        .init("rootTable", FieldValue(rootTable)),
        .init("interruptRemapping.table", FieldValue(interruptRemapping?.table)),
        .init("invalidationQueue.base", FieldValue(invalidationQueue?.base)),
      ]
    }
    return fields
  }
}
