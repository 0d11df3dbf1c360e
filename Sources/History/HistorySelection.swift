// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Which of the past somebody asks for.
public struct HistorySelection: Hashable, Sendable {
  /// Only what is about this device.
  public var device: DeviceName?
  /// Only events of the last nanoseconds before the panic, or before the newest event where the
  /// trace clock cannot be compared with the log's.
  public var last: UInt64?

  public init(device: DeviceName? = nil, last: UInt64? = nil) {
    self.device = device
    self.last = last
  }

  /// The events that were asked for, and how many could not be attributed to any device.
  ///
  /// - Parameter events: by time, with their devices.
  public func events(
    of events: [TraceEvent], _ coverage: RingCoverage?
  ) -> (chosen: [TraceEvent], unattributed: Int) {
    var chosen = events
    if let last, let coverage {
      let end = coverage.countsLikeLog ? coverage.panic ?? coverage.last : coverage.last
      if let end {
        let start = end >= last ? end - last : 0
        chosen.removeAll { $0.time < start }
      }
    }
    guard let device else { return (chosen, 0) }
    let unattributed = chosen.count { $0.devices.isEmpty }
    chosen.removeAll { !$0.devices.contains(device) }
    return (chosen, unattributed)
  }

  /// Descriptors about the device, with the waits behind them.
  public func invalidations(_ all: [PastInvalidation]) -> [PastInvalidation] {
    guard let device else { return all }
    var isChosen = false
    return all.filter { descriptor in
      if !descriptor.isWait { isChosen = descriptor.devices.contains(device) }
      return isChosen
    }
  }
}
