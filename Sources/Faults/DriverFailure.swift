// SPDX-License-Identifier: Apache-2.0

/// What of the driver failed, as its own message tells.
///
/// Source of the messages: drivers/iommu/intel (iommu.c, dmar.c, irq_remapping.c, pasid.c, svm.c,
/// prq.c) of Linux 5.15, 6.8 and 6.12, and drivers/iommu/intel-iommu.c, dmar.c of 3.10.
public enum DriverFailure: String, Hashable, Sendable, CaseIterable {
  /// Every domain-id of a unit is taken.
  case domainIDs = "domain-ids"
  /// A domain could not be made.
  case domain
  /// A device did not get its context or its PASID entry.
  case attach
  /// An address is beyond what the unit or the domain can translate.
  case width
  /// A range could not be mapped to itself.
  case identityMap = "identity-map"
  /// The unit has no interrupt for its faults.
  case faultInterrupt = "fault-interrupt"
  /// The invalidation queue could not be set up.
  case invalidationQueue = "invalidation-queue"
  /// The unit did not carry out an invalidation by registers.
  case flush
  /// Interrupt remapping as a whole, or of a unit, did not come up.
  case interruptRemapping = "interrupt-remapping"
  /// No entry of the interrupt remapping table was to be had.
  case interruptEntry = "interrupt-entry"
  /// The source that an IO-APIC or HPET sends under is not known.
  case interruptSource = "interrupt-source"
  /// The unit's registers could not be mapped, or answer with nonsense.
  case registers
  /// The unit offers no width of tables that the kernel can use.
  case tableWidth = "table-width"
  /// Translation as a whole did not come up.
  case start
  /// Firmware names a device that the kernel does not find.
  case scope
  /// Firmware names an endpoint where a bridge is, or a bridge where an endpoint is; Linux gives up all
  /// DMA remapping for it (`dmar_insert_dev_scope`, whose error `intel_iommu_init` meets).
  case scopeType = "scope-type"
  /// A PASID could not be set up.
  case pasid
  /// The unit's page requests cannot be received.
  case pageRequests = "page-requests"
  case other

  /// - Parameter message: the whole message in lower case.
  init(message: String) {
    self =
      Self.words.first { message.contains($0.words) }?.failure ?? .other
  }

  /// The first that occurs counts: what names its object stands before what only says "failed".
  private static let words: [(words: String, failure: DriverFailure)] = [
    ("no free domain ids", .domainIDs),
    ("not sufficient for the mapped address", .width),
    ("failed to build identity map", .identityMap),
    ("mapping reserved region failed", .identityMap),
    ("failed to set up identity map", .identityMap),
    ("no free irq vectors", .faultInterrupt),
    ("can't request irq", .faultInterrupt),
    ("failed to enable fault, interrupt", .faultInterrupt),
    ("failed to enable queued invalidation", .invalidationQueue),
    ("flush iotlb failed", .flush),
    ("flush context failed", .flush),
    ("source-id of", .interruptSource),
    ("exceeded max", .interruptSource),
    ("allocate irte", .interruptEntry),
    ("allocate an irte", .interruptEntry),
    ("exceeds the max invalidation handle", .interruptEntry),
    ("failed to enable irq remapping", .interruptRemapping),
    ("failed to setup irq remapping", .interruptRemapping),
    ("failed to allocate pages of order", .interruptRemapping),
    ("failed to allocate bitmap", .interruptRemapping),
    ("failed to allocate irqdomain", .interruptRemapping),
    ("failed to parse managed ioapic", .interruptSource),
    ("not enabling interrupt remapping", .interruptRemapping),
    ("interrupt remapping will be disabled", .interruptRemapping),
    ("has enabled interrupt remapping", .interruptRemapping),
    ("failed to copy ir table", .interruptRemapping),
    ("page request queue", .pageRequests),
    ("iopf queue", .pageRequests),
    ("rid2pasid", .attach),
    ("domain context map failed", .attach),
    ("failed to attach", .attach),
    ("level translation support", .attach),
    ("5-level paging support", .attach),
    ("pasid", .pasid),
    ("supported address widths", .tableWidth),
    ("valid agaw", .tableWidth),
    ("valid max agaw", .tableWidth),
    ("validate drhd address", .registers),
    ("can't map the region", .registers),
    ("can't reserve memory", .registers),
    ("failed to map", .registers),
    ("allocate seq_id", .registers),
    ("allocating domain array failed", .start),
    ("allocating root entry", .start),
    ("unable to map dmar", .start),
    ("parse dmar table failure", .start),
    ("invalid dmar haw", .start),
    ("no dmar devices", .start),
    ("initialization of dmar", .start),
    ("domain initialization failed", .domain),
    ("initialization failed", .start),
    ("allocate dmar_domain", .domain),
    ("allocating domain", .domain),
    ("acpi object", .scope),
    ("scope type does not match", .scopeType),
    ("iommu scope", .scope),
    ("acpi name space devices", .scope),
    ("device scope", .scope),
    ("_dsm method", .scope),
  ]
}
