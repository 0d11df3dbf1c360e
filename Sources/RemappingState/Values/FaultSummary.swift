// SPDX-License-Identifier: Apache-2.0

public import Memory

/// What the kernel log tells of trouble with the remapping units, counted and not explained.
public struct FaultSummary: Hashable, Sendable {
  /// Requests that units refused, by device.
  public var devices: [DeviceFaults]
  /// What units and their driver reported beside that, by kind.
  public var messages: [UnitTrouble]
  /// Messages about faults that the kernel left out because there were too many, as it says itself.
  public var suppressed: Int
  /// Why the log, or a part of it, could not be read.
  public var problem: String?

  /// The requests of one source id that were refused.
  public struct DeviceFaults: Hashable, Sendable {
    /// As the log names it; up to Linux 6.19 without its segment, which is taken for 0.
    public var device: PCIFunction
    public var reads: Int
    public var writes: Int
    public var interrupts: Int

    public var count: Int {
      [reads, writes, interrupts].reduce(0) { sum, part in
        let (next, overflow) = sum.addingReportingOverflow(part)
        return overflow ? .max : next
      }
    }

    public init(device: PCIFunction, reads: Int = 0, writes: Int = 0, interrupts: Int = 0) {
      self.device = device
      self.reads = reads
      self.writes = writes
      self.interrupts = interrupts
    }
  }

  /// Messages of one kind.
  public struct UnitTrouble: Hashable, Sendable {
    public var kind: Kind
    public var count: Int

    public enum Kind: String, Hashable, Sendable, CaseIterable {
      /// IQE: a descriptor of the invalidation queue was not understood, or could not be fetched.
      case queueError = "invalidation-queue-error"
      /// ICE: a completion that nobody waited for.
      case completionError = "invalidation-completion-error"
      /// ITE: a device did not complete the invalidation of its TLB.
      case timeOut = "invalidation-time-out"
      /// A command to a unit was not answered in time.
      case malfunction
      /// A CPU hung waiting for an invalidation queue.
      case lockup
      /// A unit's registers read as all ones.
      case unreachable
      /// A mapping met an entry that was set.
      case alreadySet = "already-set"
      /// The driver refused a page request, or lost some.
      case pageRequest = "page-request"
      /// Something of the driver failed.
      case failure
      /// The driver complains of firmware's tables.
      case firmware

      /// Error where a unit stopped or was not reached, warning where the driver complains.
      public var severity: Finding.Severity {
        switch self {
        case .queueError, .completionError, .timeOut, .malfunction, .lockup, .unreachable,
          .alreadySet:
          .error
        case .pageRequest, .failure, .firmware: .warning
        }
      }
    }

    public init(kind: Kind, count: Int) {
      self.kind = kind
      self.count = count
    }
  }

  /// How grave what this log has more of than an earlier one is; refused requests are errors.
  public func worsened(since older: FaultSummary) -> Set<Finding.Severity> {
    var found: Set<Finding.Severity> = []
    let requests = Dictionary(
      older.devices.map { ($0.device, $0.count) }, uniquingKeysWith: { max($0, $1) })
    if devices.contains(where: { $0.count > requests[$0.device] ?? 0 })
      || suppressed > older.suppressed
    {
      found.insert(.error)
    }
    let troubles = Dictionary(
      older.messages.map { ($0.kind, $0.count) }, uniquingKeysWith: { max($0, $1) })
    for row in messages where row.count > troubles[row.kind] ?? 0 {
      found.insert(row.kind.severity)
    }
    return found
  }

  /// Requests that were refused.
  public var count: Int {
    devices.reduce(0) { sum, device in
      let (next, overflow) = sum.addingReportingOverflow(device.count)
      return overflow ? .max : next
    }
  }

  public init(
    devices: [DeviceFaults] = [], messages: [UnitTrouble] = [], suppressed: Int = 0,
    problem: String? = nil
  ) {
    self.devices = devices
    self.messages = messages
    self.suppressed = suppressed
    self.problem = problem
  }
}
