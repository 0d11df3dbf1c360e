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
  /// IRTA: where the unit found its interrupt-remapping table, and its entries.
  public var interruptTable: PhysicalAddress?
  public var interruptEntries: Int?
  /// IQA, IQH and IQT: the invalidation queue as the unit sees it.
  public var queue: Queue?
  /// IQERCD: why the queue stopped; `nil` where the register was not read.
  public var queueError: HexWord?
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

  /// An invalidation queue.
  public struct Queue: Hashable, Sendable {
    public var base: PhysicalAddress
    /// Slots of the ring.
    public var entries: Int
    /// Bytes of a descriptor, 16 or 32.
    public var descriptorSize: Int
    /// The slot that the unit fetches next, and the one that software fills next.
    public var head: Int
    public var tail: Int

    public init(base: PhysicalAddress, entries: Int, descriptorSize: Int, head: Int, tail: Int) {
      self.base = base
      self.entries = entries
      self.descriptorSize = descriptorSize
      self.head = head
      self.tail = tail
    }

    /// Descriptors that the unit has not fetched.
    public var pending: Int { head <= tail ? tail - head : entries - head + tail }
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

  /// Whether the unit answered: none has all bits set, and what does not answer reads so.
  public var isAnswered: Bool { words.contains { $0.value.rawValue != .max } }

  /// CAP and ECAP; `nil` where they were not read.
  public var capability: HexWord? { word(0x08) }
  public var extendedCapability: HexWord? { word(0x10) }

  private func word(_ offset: UInt64) -> HexWord? {
    words.first { $0.offset.rawValue == offset }?.value
  }

  /// The root table that the unit was reading; `nil` where it did not translate, or blocked everything.
  public var givenRoot: RootTable? {
    guard isAnswered, let rootTable, rootTable.rawValue != 0, let tableMode,
      status(bit: 31) ?? true
    else { return nil }
    return RootTable(address: rootTable, mode: tableMode, origin: .given, registers: self)
  }

  /// A bit of GSTS; `nil` where it was not read.
  public func status(bit: Int) -> Bool? { globalStatus.map { $0.rawValue >> UInt64(bit) & 1 != 0 } }

  public init(
    unit: String? = nil, registerBase: PhysicalAddress? = nil, rootTable: PhysicalAddress? = nil,
    tableMode: TableMode? = nil, globalStatus: HexWord? = nil, faultStatus: HexWord? = nil,
    interruptTable: PhysicalAddress? = nil, interruptEntries: Int? = nil, queue: Queue? = nil,
    queueError: HexWord? = nil, faultRecords: [FaultRecord] = [], words: [Word] = []
  ) {
    self.unit = unit
    self.registerBase = registerBase
    self.rootTable = rootTable
    self.tableMode = tableMode
    self.globalStatus = globalStatus
    self.faultStatus = faultStatus
    self.interruptTable = interruptTable
    self.interruptEntries = interruptEntries
    self.queue = queue
    self.queueError = queueError
    self.faultRecords = faultRecords
    self.words = words
  }
}
