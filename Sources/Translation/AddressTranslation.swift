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
  /// Host-physical address of the byte; `nil` unless mapped or passed through.
  public var physical: PhysicalAddress?
  /// Bytes of the page, the smaller one of both stages; `nil` unless mapped.
  public var pageSize: UInt64?
  /// `r`, `w` or `rw`; `nil` unless mapped or passed through.
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
    /// A request of this kind is refused.
    case notMapped = "not-mapped"
    /// A page that is missing in the dump hides the answer.
    case unknown
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

  public var description: String {
    "\(code.rawValue.hexadecimal)" + (condition.map { " (\($0))" } ?? "") + ": " + meaning
  }
}
