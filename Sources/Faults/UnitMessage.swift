// SPDX-License-Identifier: Apache-2.0

public import Memory

/// What a message of the log tells about a remapping unit beside a refused request.
public enum UnitMessage: Hashable, Sendable {
  /// The fault status register, as the fault interrupt found it.
  case status(UInt32)
  /// The invalidation queue stopped. `detail` is the number behind `Reason` or `SID`.
  case invalidationError(InvalidationError, detail: UInt64?)
  /// A descriptor of the invalidation queue, two words, printed with such an error.
  case descriptor(DescriptorPlace, [UInt64])
  /// The driver cleared such an error.
  case cleared(InvalidationError)
  /// The driver refused a page request; two words where the message has them.
  case pageRequest(PageRequestProblem, words: [UInt64])
  /// A mapping met an entry that was set: the page number of the I/O virtual address, the entry that
  /// stood there and the one that was to be written.
  case alreadySet(page: UInt64, old: UInt64, new: UInt64)
  /// The driver complains of firmware's tables. Both ends inclusive; `nil` if none is named.
  case firmware(FirmwareComplaint, base: UInt64?, end: UInt64?)
  /// A device is bound to a region that firmware keeps for itself, and a domain was refused for it.
  case regionBinds(PCIFunction?)
  /// How the kernel came to terms with a unit that was on when it started.
  case takeover(Takeover)
  /// Something of the driver failed; the device that it was about, where the message names one.
  case failure(DriverFailure, PCIFunction?)
  /// A command to the unit was not answered in time; the kernel panics then.
  case malfunction
  /// The tables of a request that faulted, as CONFIG_DMAR_DEBUG prints them.
  case tables(TableLine)
  /// A CPU hung in `qi_submit_sync`, waiting for the invalidation queue.
  case lockup
  /// A fault or message of another remapping unit's driver.
  case foreign(ForeignSource)

  /// Whether only the text tells two such messages apart.
  var isToldByText: Bool {
    switch self {
    case .failure, .foreign, .firmware(.other, _, _), .regionBinds: true
    default: false
    }
  }

  public enum InvalidationError: String, Hashable, Sendable {
    /// IQE: a descriptor was not understood, or could not be fetched.
    case queue = "invalidation-queue-error"
    /// ICE: a completion that nobody waited for.
    case completion = "invalidation-completion-error"
    /// ITE: a device did not complete the invalidation of its TLB.
    case timeOut = "invalidation-time-out"
  }

  public enum DescriptorPlace: String, Hashable, Sendable {
    /// At the queue's head: the next one that the unit fetches.
    case head
    /// In front of the head.
    case prior
    case tail
    /// Named by the message alone.
    case named
  }

  public enum PageRequestProblem: String, Hashable, Sendable {
    case withoutPASID = "without-pasid"
    case unknownPASID = "unknown-pasid"
    case privileged
    case execute
    case notCanonical = "not-canonical"
    case invalid
    /// Requests were lost because the queue was full.
    case overflow
    case overflowCleared = "overflow-cleared"
  }

  public enum FirmwareComplaint: String, Hashable, Sendable {
    /// The memory map does not reserve the region.
    case regionNotReserved = "rmrr-not-reserved"
    case badRegion = "bad-rmrr"
    /// The unit's registers read as all ones.
    case allOnes = "unit-reads-all-ones"
    case other = "firmware"
  }

  /// What a kernel says of a unit that translated, or remapped interrupts, when it started.
  public enum Takeover: String, Hashable, Sendable {
    /// It sets out to copy the tables.
    case copying
    case copied
    case copyFailed
    /// It is no crash kernel, and switches translation off.
    case notCrashKernel
    case interruptsCopied
    case interruptsCopyFailed
    case interruptsNotCrashKernel
  }

  /// Whose message it is, if not that of Linux's Intel driver.
  public enum ForeignSource: String, Hashable, Sendable {
    case xen
    case amd
    case smmu
  }

  /// A line of the tables of one request.
  public enum TableLine: Hashable, Sendable {
    case start(iova: UInt64)
    case root(low: UInt64, high: UInt64?)
    case context(low: UInt64, high: UInt64)
    case pasidDirectory(UInt64)
    case pasidTable(index: UInt64, UInt64)
    case paging(level: UInt64, UInt64)
    /// The dump ends: something is not present.
    case missing
  }
}

/// One message that was found in a text, with where it stands.
struct FoundMessage: Hashable {
  enum Content: Hashable {
    case fault(FaultLine)
    /// The reason of a fault whose line had none.
    case reason(ReasonLine)
    case unit(UnitMessage, unit: String?)
    /// Faults that the kernel says it did not print.
    case suppressed(Int)
    /// A CPU that hangs; what it hangs in is told later.
    case hang
    /// A stack that leads through `qi_submit_sync`.
    case waiting
  }

  var content: Content
  /// First and last line.
  var lines: ClosedRange<Int>
  /// Where it stands in the text, to its end.
  var range: Range<Int>
}
