// SPDX-License-Identifier: Apache-2.0

public import Memory
public import VTd

/// One I/O virtual address of one device, followed level by level.
public struct AddressTranslation: Hashable, Sendable {
  /// `nil` if no unit is known for the device.
  public var unit: String?
  public var device: PCIFunction
  /// As asked; `nil` for a request without PASID.
  public var pasid: UInt32?
  public var iova: IOVirtualAddress
  /// From the root entry to the leaf, as far as the way leads.
  public var entries: [DecodedEntry]
  public var outcome: Outcome
  /// Where the way ended, half a sentence.
  public var detail: String
  /// Host-physical address of the byte; `nil` unless the request gets there.
  public var physical: PhysicalAddress?
  /// Bytes of the page, the smaller one of both stages; `nil` unless mapped.
  public var pageSize: UInt64?
  /// `r`, `w` or `rw`; `nil` unless the request gets to `physical`.
  public var access: String?
  public var domainID: UInt16?
  /// What the unit reports for a read and for a write; `nil` where the request goes through or the
  /// answer is unknown.
  public var faultOnRead: ReportedFault?
  public var faultOnWrite: ReportedFault?
  /// Whether FPD keeps the unit from reporting faults of this way.
  public var faultsSuppressed: Bool

  public enum Outcome: String, Hashable, Sendable, CaseIterable {
    case mapped
    case passThrough = "pass-through"
    /// Translation is off: the address is physical.
    case untranslated
    /// The interrupt address range: a write is an interrupt, nothing is translated.
    case interrupt
    /// The address has more bits than the unit or the tables translate.
    case beyondWidth = "beyond-width"
    /// The page tables refuse the request.
    case notMapped = "not-mapped"
    /// The way ends above the page tables: nothing is there for the device, or hardware refuses it.
    case noContext = "no-context"
    /// A page that is missing in the dump hides the answer.
    case unreadable
    /// No unit is known for the device.
    case unknown

    /// Whether a request gets to memory.
    public var reachesMemory: Bool {
      self == .mapped || self == .passThrough || self == .untranslated
    }

    /// Whether hardware refuses the request.
    public var isRefused: Bool {
      self == .notMapped || self == .noContext || self == .beyondWidth
    }
  }
}

/// A fault reason as documents name it.
public struct ReportedFault: Hashable, Sendable {
  /// `0x5`.
  public var code: HexWord
  /// The specification's name of the condition, `LGN.2`; `nil` for unknown codes.
  public var condition: String?
  public var meaning: String

  public init(_ reason: FaultReason) {
    code = HexWord(UInt64(reason.rawValue))
    condition = reason.condition?.name
    meaning = reason.meaning
  }

  public var reason: FaultReason { FaultReason(UInt8(truncatingIfNeeded: code.rawValue)) }

  public var description: String {
    "\(code.rawValue.hexadecimal)" + (condition.map { " (\($0))" } ?? "") + ": " + meaning
  }
}

extension AddressTranslation.Outcome {
  init(_ ending: RequestTrace.Ending) {
    self =
      switch ending {
      case .interrupt: .interrupt
      case .untranslated: .untranslated
      case .passThrough: .passThrough
      case .unknownRoot: .unknown
      case .context(.unreadable): .unreadable
      case .context: .noContext
      case .translation(let ending):
        switch ending {
        case .mapped: .mapped
        case .unreadable, .cycle: .unreadable
        case .beyondUnit, .beyondWidth, .notCanonical: .beyondWidth
        case .notPresent, .noAccess, .reserved, .supervisorPage, .interruptTarget,
          .unsupportedLevels:
          .notMapped
        }
      }
  }
}
