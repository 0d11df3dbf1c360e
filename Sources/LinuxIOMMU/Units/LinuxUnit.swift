// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

/// A `struct dmar_drhd_unit` with its `struct intel_iommu`.
public struct LinuxUnit: Hashable, Sendable {
  /// `intel_iommu.name`, or `drhd` and the register base where the unit has no `intel_iommu`.
  public var name: String
  public var segment: UInt32
  public var registerBase: PhysicalAddress
  public var ignored: Bool
  public var includeAll: Bool
  /// It stands for nothing but graphics (`gfx_dedicated`); `nil` where the kernel does not say.
  public var graphicsOnly: Bool?
  /// Devices of the scope; `nil` where Linux had not found the device.
  public var scope: [DeviceName?]

  /// `nil` where the kernel made none: the unit is unused.
  public var kernelObject: KernelAddress?
  /// CAP and ECAP.
  public var capability: UInt64
  public var extendedCapability: UInt64
  /// `gcmd`, the software shadow of the global command register.
  public var globalCommand: UInt32?
  /// `seq_id`: the key of per-unit facts inside domains.
  public var sequence: Int
  /// `agaw`: levels of its second-stage tables minus 2.
  public var agaw: Int?
  /// `root_entry`, page-aligned.
  public var rootTable: PhysicalAddress?
  public var tableMode: TableMode
  /// Domain-ids marked as taken, ascending; `nil` if unreadable.
  public var domainIDs: [UInt32]?
  /// Ids that nobody is given although nothing marks them as taken.
  public var reservedDomainIDs: [UInt32] = []
  /// `flags` bit 0: translation was on when this kernel took over; `nil` where it has no flags.
  public var translationPreEnabled: Bool?
  /// Source ids whose bit is set in `copied_tables`.
  public var copiedContexts: [UInt16]
  public var interruptRemapping: LinuxInterruptRemapping?
  public var invalidationQueue: LinuxInvalidationQueue?
}

/// `struct ir_table`.
public struct LinuxInterruptRemapping: Hashable, Sendable {
  /// Physical address of the entries; `nil` if unreadable.
  public var table: PhysicalAddress?
  /// Entries; 16 bytes each.
  public var count: Int
  /// Allocated handles, one bit each; `nil` if unreadable.
  public var bitmap: [UInt8]?
  /// `eim_mode`: destinations are 32-bit APIC ids; `nil` where the kernel does not tell.
  public var x2APIC: Bool?
}

/// `struct q_inval`.
public struct LinuxInvalidationQueue: Hashable, Sendable {
  public var base: PhysicalAddress?
  public var count: Int
  /// Bytes.
  public var descriptorSize: Int
  public var freeHead: Int
  public var freeTail: Int
  /// `desc_status`, one per slot: 0 free, 1 in use, 2 done, 3 aborted; `nil` if unreadable.
  public var status: [UInt32]?
  /// `free_cnt`; `nil` if unreadable.
  public var freeCount: Int? = nil

  /// Slots from the oldest not reclaimed to before the next free one that are still in use.
  ///
  /// The unit works in order and answers a wait when everything in front of it is done. So a slot
  /// behind which one is done is not pending, even where the kernel had no time to free it.
  ///
  /// Source: drivers/iommu/intel/dmar.c, qi_submit_sync; VT-d specification, section 6.5.2.8.
  public var pending: [Int] {
    guard let status, count > 0, status.count == count, (0..<count).contains(freeHead),
      (0..<count).contains(freeTail)
    else { return [] }
    var slots: [Int] = []
    var slot = freeTail
    while slot != freeHead {
      switch status[slot] {
      case 1: slots.append(slot)
      case 2: slots.removeAll()
      default: break
      }
      slot = (slot + 1) % count
    }
    return slots
  }
}
