// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What one run may still do, shared by everything that it does: all units, address spaces, policies
/// and verbs.
///
/// A stranger's dump decides how much work it is. Few bytes can stand for any amount of it (tables
/// that share tables, lists that lead into each other, one stored page under a million numbers), so
/// time, memory and output are bounded for the run as a whole and not for each step. The bounds
/// follow from the pages that the dump stores, see `WorkLimits`; whoever has to stop says where, as a
/// `Cut`.
///
/// Hot loops count once for many steps: a walk takes its share before it starts and gives back what
/// is left.
public final class WorkBudget: Sendable {
  private let state: Mutex<State>

  private struct State {
    var limits: WorkLimits
    /// How much of each part the run has had.
    var amounts: [WorkPart: Int] = [:]
    /// How much of it is left.
    var left: [WorkPart: Int] = [:]
    var dumpPages = 0
    var cuts: [Cut] = []

    mutating func add(_ part: WorkPart, _ count: Int) {
      func sum(_ old: Int?) -> Int {
        let (sum, overflow) = (old ?? 0).addingReportingOverflow(max(0, count))
        return overflow ? .max : sum
      }
      amounts[part] = sum(amounts[part])
      left[part] = sum(left[part])
    }
  }

  /// Cuts that are listed; after so many nobody learns more from another.
  public static let cutLimit = 256

  /// - Parameter limits: those that are given hold for the whole run; the others grow with each
  ///   `grant`.
  public init(_ limits: WorkLimits) {
    var state = State(limits: limits)
    for part in WorkPart.allCases { state.add(part, limits.asked(part) ?? 0) }
    self.state = Mutex(state)
  }

  /// What the widest dump grants: for what is read without one.
  public convenience init() {
    self.init(WorkLimits())
    grant(pages: WorkLimits.widestDump)
  }

  /// Adds what a dump grants.
  ///
  /// - Parameter pages: that it stores.
  public func grant(pages: Int) {
    let pages = min(max(0, pages), WorkLimits.widestDump)
    state.withLock { state in
      state.dumpPages = min(state.dumpPages + pages, WorkLimits.widestDump)
      for part in WorkPart.allCases where state.limits.asked(part) == nil {
        state.add(part, WorkLimits.usual(part, pages: pages))
      }
    }
  }

  /// Pages that the dumps of this run store, as far as they count.
  public var dumpPages: Int { state.withLock { $0.dumpPages } }

  // MARK: Spending

  /// How much is left.
  public func left(_ part: WorkPart) -> Int { state.withLock { $0.left[part] ?? 0 } }

  /// How much of a part the whole run has.
  public func limit(_ part: WorkPart) -> Int { state.withLock { $0.amounts[part] ?? 0 } }

  /// Takes `count` of a part.
  ///
  /// - Returns: whether there was as much; if not, nothing of it is left.
  @discardableResult
  public func spend(_ part: WorkPart, _ count: Int = 1) -> Bool {
    let count = max(0, count)
    return state.withLock { state in
      let left = state.left[part] ?? 0
      state.left[part] = max(0, left - count)
      return count <= left
    }
  }

  /// Gives back what was taken for something that is no longer kept.
  public func release(_ part: WorkPart, _ count: Int) {
    state.withLock { state in
      let (sum, overflow) = (state.left[part] ?? 0).addingReportingOverflow(max(0, count))
      state.left[part] = min(overflow ? .max : sum, state.amounts[part] ?? 0)
    }
  }

  // MARK: Cuts

  /// Says that work ended because a part is spent; the same place is listed once.
  ///
  /// - Parameter detail: what was being done, a noun with its place.
  public func cut(
    _ what: WorkPart, _ detail: String, unit: String? = nil, device: DeviceName? = nil
  ) {
    state.withLock { state in
      let cut = Cut(
        what: what, unit: unit, device: device, limit: state.amounts[what] ?? 0, detail: detail)
      guard state.cuts.count < Self.cutLimit, !state.cuts.contains(cut) else { return }
      state.cuts.append(cut)
    }
  }

  /// Where work ended early, in the order in which it happened.
  public var cuts: [Cut] { state.withLock { $0.cuts } }
}
