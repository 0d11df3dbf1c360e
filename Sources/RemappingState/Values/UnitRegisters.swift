// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Registers of one unit, read beside the dump: no dump holds them.
public struct UnitRegisters: Hashable, Sendable {
  /// The unit's name, where it is known which one it is.
  public var unit: String?
  public var registerBase: PhysicalAddress?
  /// RTADDR: where the unit found its root table; `nil` where the register was not read.
  public var rootTable: PhysicalAddress?
  /// `nil` also where all requests are blocked (abort-DMA mode).
  public var tableMode: TableMode?
  /// GSTS.
  public var globalStatus: HexWord?
  /// FSTS.
  public var faultStatus: HexWord?
  /// Fault records with their F bit, in the registers' order.
  public var faultRecords: [FaultRecord]
  /// Everything that was read, by offset.
  public var words: [Word]

  /// A register of 64 bits, or two of 32.
  public struct Word: Hashable, Sendable {
    /// Bytes from the register base; a multiple of 8.
    public var offset: HexWord
    public var value: HexWord

    public init(offset: HexWord, value: HexWord) {
      self.offset = offset
      self.value = value
    }
  }

  /// A refused request that nobody had read out of the unit yet.
  public struct FaultRecord: Hashable, Sendable {
    /// The source id, in the unit's segment.
    public var device: PCIFunction
    /// The reason code.
    public var reason: HexWord
    /// The page's address; for interrupt requests the index is in its upper bits.
    public var address: HexWord
    public var isWrite: Bool
    /// `nil` for requests without one.
    public var pasid: UInt32?

    public init(
      device: PCIFunction, reason: HexWord, address: HexWord, isWrite: Bool, pasid: UInt32? = nil
    ) {
      self.device = device
      self.reason = reason
      self.address = address
      self.isWrite = isWrite
      self.pasid = pasid
    }
  }

  public init(
    unit: String? = nil, registerBase: PhysicalAddress? = nil, rootTable: PhysicalAddress? = nil,
    tableMode: TableMode? = nil, globalStatus: HexWord? = nil, faultStatus: HexWord? = nil,
    faultRecords: [FaultRecord] = [], words: [Word] = []
  ) {
    self.unit = unit
    self.registerBase = registerBase
    self.rootTable = rootTable
    self.tableMode = tableMode
    self.globalStatus = globalStatus
    self.faultStatus = faultStatus
    self.faultRecords = faultRecords
    self.words = words
  }
}
