// SPDX-License-Identifier: Apache-2.0

public import Memory

/// One way into translation as the hardware would see it: a present context entry (legacy mode) or
/// a present PASID entry (scalable mode). Nothing of the kernel's belief.
public struct Context: Hashable, Sendable {
  /// `Unit.name`.
  public var unit: String
  /// The source id, even if Linux knows no such device.
  public var device: PCIFunction
  /// `nil` in legacy mode, and for a scalable context entry without any present PASID entry.
  public var pasid: UInt32?
  public var translation: Translation
  public var domainID: UInt32?
  /// Levels of the table that translates: of the first stage for first-stage and nested.
  public var levels: Int?
  /// Page-aligned; `nil` for none and pass-through. For nested the first-stage table, which is a
  /// guest physical address.
  public var table: PhysicalAddress?
  /// FPD: faults through this entry are not reported.
  public var faultProcessingDisabled: Bool
  /// The entry as read, lowest word first: 2 words legacy, 4 extended, 8 of a PASID entry.
  public var raw: [HexWord]

  /// Physical address of the entry.
  public var entry: PhysicalAddress
  /// Nested translation: the second-stage table and its levels; `nil` otherwise.
  public var secondStage: StageTable?
  /// Whether requests without PASID come through here: all of them in legacy mode, in scalable mode
  /// those of the PASID that the context entry names (RID_PASID).
  public var servesRequestsWithoutPASID: Bool
  /// What hardware refuses every request for that comes here; `nil` if it goes on to the tables.
  public var refusal: Refusal?

  public init(
    unit: String, device: PCIFunction, pasid: UInt32?, translation: Translation,
    domainID: UInt32?, levels: Int?, table: PhysicalAddress?, faultProcessingDisabled: Bool,
    raw: [HexWord], entry: PhysicalAddress, secondStage: StageTable? = nil,
    servesRequestsWithoutPASID: Bool = true, refusal: Refusal? = nil
  ) {
    self.unit = unit
    self.device = device
    self.pasid = pasid
    self.translation = translation
    self.domainID = domainID
    self.levels = levels
    self.table = table
    self.faultProcessingDisabled = faultProcessingDisabled
    self.raw = raw
    self.entry = entry
    self.secondStage = secondStage
    self.servesRequestsWithoutPASID = servesRequestsWithoutPASID
    self.refusal = refusal
  }

  /// An entry on the way that hardware refuses.
  public struct Refusal: Hashable, Sendable {
    /// Which entry, and what is wrong with it: half a sentence.
    public var detail: String
    /// The fault that the unit records, as its number; none if the fault is suppressed.
    public var faultReason: HexWord

    public init(detail: String, faultReason: HexWord) {
      self.detail = detail
      self.faultReason = faultReason
    }
  }
}

/// A translation table and its depth.
public struct StageTable: Hashable, Sendable {
  public var table: PhysicalAddress
  public var levels: Int

  public init(table: PhysicalAddress, levels: Int) {
    self.table = table
    self.levels = levels
  }
}
