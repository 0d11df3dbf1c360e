// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

/// One device: who it is, which address spaces its requests take, and what they can reach.
public struct DeviceView: Hashable, Sendable {
  public var device: DeviceName
  /// PCI vendor and device id; `nil` where the kernel does not know the device.
  public var pciID: String?
  public var driver: String?
  public var group: Int?
  public var unit: String?
  /// Whether the unit translates; `nil` where nothing tells.
  public var translationEnabled: Bool?
  /// The type of the domain that the kernel attached the device to.
  public var domainType: DomainType?
  /// The device's own id first, then those under which its requests may arrive too.
  public var sourceIDs: [SourceID]
  public var spaces: [Space]
  /// One answer to each question, in their order.
  public var reach: [Reach]
  /// What the pages are that it can reach, by how many; empty where they were not looked up.
  public var pages: [PageCount]

  /// One id under which requests arrive.
  public struct SourceID: Hashable, Sendable {
    public var sourceID: PCIFunction
    public var context: Presence
    /// What the context does with requests without PASID; `nil` without one.
    public var translation: Translation?
    public var domainID: UInt32?
    /// PASIDs that are present beside that.
    public var pasids: [UInt32]

    public init(
      sourceID: PCIFunction, context: Presence, translation: Translation? = nil,
      domainID: UInt32? = nil, pasids: [UInt32] = []
    ) {
      self.sourceID = sourceID
      self.context = context
      self.translation = translation
      self.domainID = domainID
      self.pasids = pasids
    }
  }

  public enum Presence: String, Hashable, Sendable, CaseIterable {
    case present
    /// Every request under the id faults.
    case absent
    /// Some context tables could not be read, or no unit is known.
    case notKnown = "not-known"
  }

  /// An address space that some of the ids lead to.
  public struct Space: Hashable, Sendable {
    public var unit: String?
    public var domainID: UInt32?
    public var type: DomainType
    public var stage: Stage?
    public var table: PhysicalAddress?
    public var levels: Int?
    /// Whether every address is let through as it is.
    public var isPassThrough: Bool
    /// Devices whose contexts lead there too.
    public var others: [DeviceName]
    /// Mapped bytes; runs that lead to one page count each.
    public var bytes: UInt64
    /// Pages of 4 KiB that are mapped, each once.
    public var distinctPages: UInt64
    public var windows: [Window]
    /// Whether every table was read; if not, there may be more.
    public var isWhole: Bool

    public init(
      unit: String?, domainID: UInt32?, type: DomainType, stage: Stage? = nil,
      table: PhysicalAddress? = nil, levels: Int? = nil, isPassThrough: Bool = false,
      others: [DeviceName] = [], bytes: UInt64 = 0, distinctPages: UInt64 = 0,
      windows: [Window] = [], isWhole: Bool = true
    ) {
      self.unit = unit
      self.domainID = domainID
      self.type = type
      self.stage = stage
      self.table = table
      self.levels = levels
      self.isPassThrough = isPassThrough
      self.others = others
      self.bytes = bytes
      self.distinctPages = distinctPages
      self.windows = windows
      self.isWhole = isWhole
    }
  }

  /// Runs of mapped addresses with gaps of less than `gap` bytes between them.
  public struct Window: Hashable, Sendable {
    /// What one table of the lowest level spans.
    public static let gap: UInt64 = 1 << 21

    public var start: IOVirtualAddress
    /// Inclusive.
    public var end: IOVirtualAddress
    /// Mapped bytes, without the gaps.
    public var bytes: UInt64
    public var runs: Int
    /// Whether anything in it may be read, and written.
    public var isReadable: Bool
    public var isWritable: Bool

    public init(
      start: IOVirtualAddress, end: IOVirtualAddress, bytes: UInt64, runs: Int, isReadable: Bool,
      isWritable: Bool
    ) {
      self.start = start
      self.end = end
      self.bytes = bytes
      self.runs = runs
      self.isReadable = isReadable
      self.isWritable = isWritable
    }
  }

  /// Whether the device can reach something that it should not.
  public struct Reach: Hashable, Sendable {
    public var what: Subject
    public var answer: Answer
    /// Whether it can also write there; `nil` unless the answer is yes.
    public var isWritable: Bool?
    /// What the answer rests on, a sentence without full stop.
    public var reason: String

    public enum Subject: String, Hashable, Sendable, CaseIterable {
      case kernelText = "kernel-text"
      case kernelData = "kernel-data"
      /// Page tables of processes and of the kernel itself.
      case pageTables = "page-tables"
      /// Tables and queues of the remapping units.
      case remappingTables = "remapping-tables"
      /// Memory that is set aside for the crash kernel.
      case crashKernel = "crash-kernel"
      case freePages = "free-pages"
    }

    public enum Answer: String, Hashable, Sendable, CaseIterable {
      case yes
      case no
      case notKnown = "not-known"
    }

    public init(_ what: Subject, _ answer: Answer, isWritable: Bool? = nil, reason: String) {
      self.what = what
      self.answer = answer
      self.isWritable = isWritable
      self.reason = reason
    }
  }

  /// Pages of one kind among those that the device can reach.
  public struct PageCount: Hashable, Sendable {
    public var kind: PageState.Kind
    public var pages: Int
    /// Those of them that it can write.
    public var writable: Int

    public init(kind: PageState.Kind, pages: Int, writable: Int) {
      self.kind = kind
      self.pages = pages
      self.writable = writable
    }
  }

  public init(
    device: DeviceName, pciID: String? = nil, driver: String? = nil, group: Int? = nil,
    unit: String? = nil, translationEnabled: Bool? = nil, domainType: DomainType? = nil,
    sourceIDs: [SourceID] = [], spaces: [Space] = [], reach: [Reach] = [],
    pages: [PageCount] = []
  ) {
    self.device = device
    self.pciID = pciID
    self.driver = driver
    self.group = group
    self.unit = unit
    self.translationEnabled = translationEnabled
    self.domainType = domainType
    self.sourceIDs = sourceIDs
    self.spaces = spaces
    self.reach = reach
    self.pages = pages
  }
}
