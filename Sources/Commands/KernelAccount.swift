// SPDX-License-Identifier: Apache-2.0

internal import DumpFile
internal import Evidence
internal import Faults
internal import KernelImage
internal import Memory
internal import RemappingState

/// What the kernel itself tells of its remapping units: its command line, and its log read once.
enum KernelAccount {
  /// Adds the account to a state.
  ///
  /// Nothing is added where no log is known, and so it stays unknown.
  ///
  /// - Returns: what the log tells of the units; `nil` where no log is known.
  @discardableResult
  static func add(to state: inout RemappingState, from log: KernelImage?) -> FaultLog? {
    guard let image = log else { return nil }
    let (messages, problem) = image.readableMessages()
    let faults = FaultLog(messages, problem: problem)
    state.faults = FaultSummary(faults)
    state.startUp = StartUp(
      commandLine: commandLine(image, messages), log: startUp(messages))
    return faults
  }

  /// The kernel's own copy, or what the log says of it.
  static func commandLine(_ image: KernelImage, _ messages: [LogMessage]) -> [String]? {
    if let text = image.commandLine { return Redaction.kept(text).map { StartUp.words(of: $0) } }
    let head = "Kernel command line: "
    return messages.first { $0.text.hasPrefix(head) }.map {
      StartUp.words(of: String($0.text.dropFirst(head.count)))
    }
  }

  private static func startUp(_ messages: [LogMessage]) -> [String] {
    var lines: [String] = []
    for message in messages where StartUp.tells(message.text) && !lines.contains(message.text) {
      lines.append(message.text)
      // The lines of a start are few; more of them are a hostile log.
      if lines.count == 64 { break }
    }
    return lines
  }
}

extension DumpEvidence {
  /// What the kernel's log tells of its units.
  ///
  /// - Throws: where there is no log, or nothing of it can be read: that is not a log without a message.
  func faultLog() throws(CommandFailure) -> FaultLog {
    try log.map { FaultLog(reading: $0) }.readable()
  }
}

extension FaultLog? {
  /// The log, if there is one and anything of it could be read.
  func readable() throws(CommandFailure) -> FaultLog {
    guard let self else {
      throw CommandFailure("the kernel's log cannot be read: no kernel is found in the dump")
    }
    if let problem = self.problem, self.messages == 0 {
      throw CommandFailure("the kernel's log cannot be read: \(problem)")
    }
    return self
  }
}

extension FaultSummary {
  /// Counts what a log tells.
  init(_ log: FaultLog) {
    var rows: [PCIFunction: Int] = [:]
    var devices: [DeviceFaults] = []
    var counts: [UnitTrouble.Kind: Int] = [:]
    var kinds: [UnitTrouble.Kind] = []
    func add(_ kind: UnitTrouble.Kind, _ count: Int) {
      if counts[kind] == nil { kinds.append(kind) }
      let (sum, overflow) = counts[kind, default: 0].addingReportingOverflow(count)
      counts[kind] = overflow ? .max : sum
    }
    for record in log.records {
      // No device sent what was read from a unit that does not answer.
      guard !record.fault.isAllOnes else {
        add(.unreachable, record.count)
        continue
      }
      let place = rows[record.fault.device] ?? devices.count
      if place == devices.count {
        rows[record.fault.device] = place
        devices.append(DeviceFaults(device: record.fault.device))
      }
      switch record.fault.kind {
      case .read: devices[place].reads += record.count
      case .write: devices[place].writes += record.count
      case .interrupt: devices[place].interrupts += record.count
      }
    }
    for record in log.units {
      if let kind = UnitTrouble.Kind(record.message) { add(kind, record.count) }
    }
    self.init(
      devices: devices, messages: kinds.map { UnitTrouble(kind: $0, count: counts[$0] ?? 0) },
      suppressed: log.suppressed, problem: log.problem)
  }
}

extension FaultSummary.UnitTrouble.Kind {
  /// The kind that a message counts as; `nil` for messages that only come along with others, or that
  /// are about another driver's units.
  fileprivate init?(_ message: UnitMessage) {
    switch message {
    // A register that is not there reads as all ones, and so do its fields.
    case .status(.max), .invalidationError(_, detail: 0xffff),
      .invalidationError(.queue, detail: 0xf):
      self = .unreachable
    case .invalidationError(let error, _), .cleared(let error):
      self =
        switch error {
        case .queue: .queueError
        case .completion: .completionError
        case .timeOut: .timeOut
        }
    case .pageRequest(.overflowCleared, _): return nil
    case .pageRequest: self = .pageRequest
    case .alreadySet: self = .alreadySet
    case .firmware(.allOnes, _, _): self = .unreachable
    case .firmware, .regionBinds: self = .firmware
    case .failure, .takeover(.copyFailed), .takeover(.interruptsCopyFailed): self = .failure
    case .malfunction: self = .malfunction
    case .lockup: self = .lockup
    case .status, .descriptor, .tables, .takeover, .foreign: return nil
    }
  }
}
