// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A table of the hardware, or an entry of one, on the way from the root table to an address space.
public enum TableStructure: String, Hashable, Sendable, CaseIterable {
  case rootTable = "root table"
  case rootEntry = "root entry"
  case contextTable = "context table"
  case contextEntry = "context entry"
  case pasidDirectory = "PASID directory"
  case pasidDirectoryEntry = "PASID directory entry"
  case pasidTable = "PASID table"
  case pasidEntry = "PASID entry"
}

/// What a page serves a unit as.
public enum TablePage: Hashable, Sendable {
  /// A root, context or PASID table, or a directory.
  case table(TableStructure, unit: String)
  case interruptRemapping(unit: String)
  case invalidationQueue(unit: String)
  /// A page table; level 1 maps 4 KiB pages.
  case pageTable(level: Int, of: TableOwner)
}

/// A domain as far as its tables are concerned.
public struct TableOwner: Hashable, Sendable {
  public var unit: String?
  public var domainID: UInt32?
  /// Rows of a state with one kernel object are one domain.
  public var kernelObject: KernelAddress?

  public init(unit: String?, domainID: UInt32?, kernelObject: KernelAddress?) {
    self.unit = unit
    self.domainID = domainID
    self.kernelObject = kernelObject
  }
}

extension TableOwner: CustomStringConvertible {
  /// `dmar0 domain-id 5 0xffff888100000000`, with the parts that are known.
  public var description: String {
    [unit, domainID.map { "domain-id \($0)" }, kernelObject.map { "\($0)" }]
      .compactMap(\.self).joined(separator: " ")
  }
}

extension TablePage: CustomStringConvertible {
  public var description: String {
    switch self {
    case .table(let structure, let unit): "\(structure.rawValue) of \(unit)"
    case .interruptRemapping(let unit): "interrupt-remapping table of \(unit)"
    case .invalidationQueue(let unit): "invalidation queue of \(unit)"
    case .pageTable(let level, let owner): "page table of level \(level) of \(owner)"
    }
  }
}
