// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

/// What must be said of a machine: facts of its plan, put together by nobody who reads tables.
public struct MachineTruth: Sendable {
  public struct ContextRow: Hashable, Sendable {
    public var unit: String
    public var device: PCIFunction
    public var pasid: UInt32?
    public var translation: Translation
    public var domainID: UInt32
    public var levels: Int?
    public var table: PhysicalAddress?

    public init(
      unit: String, device: PCIFunction, pasid: UInt32?, translation: Translation,
      domainID: UInt32, levels: Int?, table: PhysicalAddress?
    ) {
      self.unit = unit
      self.device = device
      self.pasid = pasid
      self.translation = translation
      self.domainID = domainID
      self.levels = levels
      self.table = table
    }
  }

  public struct DomainRow: Hashable, Sendable {
    public var unit: String
    public var domainID: UInt32
    public var table: PhysicalAddress?
    public var kernelObject: KernelAddress
    public var kind: MachinePlan.Kind
    /// `nil` for pass-through.
    public var runs: [RunRow]?
    public var leaves: Int
  }

  public struct RunRow: Hashable, Sendable {
    public var iova: UInt64
    public var bytes: UInt64
    public var physical: UInt64
    public var access: UInt64

    public init(iova: UInt64, bytes: UInt64, physical: UInt64, access: UInt64) {
      self.iova = iova
      self.bytes = bytes
      self.physical = physical
      self.access = access
    }
  }

  /// Words of context entries by unit and source id, 2 or 4 each.
  public var words: [String: [PCIFunction: [UInt64]]] = [:]
  public var roots: [String: PhysicalAddress] = [:]
  public var contexts: [ContextRow] = []
  public var domains: [DomainRow] = []

  /// Runs of sorted pages: contiguous on both sides, with the same rights.
  public static func runs(_ mappings: [MachinePlan.Mapping]) -> [RunRow] {
    var rows: [RunRow] = []
    for mapping in mappings.sorted(by: { $0.iova < $1.iova }) where mapping.bytes > 0 {
      if let last = rows.last, last.iova + last.bytes == mapping.iova,
        last.physical + last.bytes == mapping.physical, last.access == mapping.rights
      {
        rows[rows.count - 1].bytes += mapping.bytes
      } else {
        rows.append(
          RunRow(
            iova: mapping.iova, bytes: mapping.bytes, physical: mapping.physical,
            access: mapping.rights))
      }
    }
    return rows
  }

  /// Where an address leads and with which rights; `nil` where nothing is mapped.
  public static func target(
    of iova: UInt64, in mappings: [MachinePlan.Mapping]
  ) -> (physical: UInt64, rights: UInt64)? {
    mappings.first { iova >= $0.iova && iova - $0.iova < $0.bytes }.map {
      ($0.physical + (iova - $0.iova), $0.rights)
    }
  }
}
