// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
internal import Synchronization
internal import VTd

/// One set of tables, walked on all processors at once.
///
/// Each table of level 2 with all below it is a part; a part that is done puts its runs where they
/// belong in the one list of all, as soon as the parts before it are counted. Nothing of it shows:
/// what parts cannot judge by themselves (a table page that two entries lead to, a budget that ends)
/// is left to the walk from the top, which finds the same.
struct SplitWalk {
  private let walk: PageTableWalk
  private let memory: AddressRanges
  private let work: WorkBudget
  private let share: WalkBudget
  private let runLimit: Int
  private let upper: UpperTables
  private let statistics: WalkStatistics
  private let frames: [UInt64]

  /// Entries of tables of level 2 below which threads would cost more than they save.
  static let entriesWorthThreads = 1 << 10

  /// Walks the upper tables.
  ///
  /// - Parameters:
  ///   - walk: of any stage.
  ///   - memory: of the machine.
  ///   - work: what the walk will have to be paid from.
  /// - Returns: `nil` for tables that are not walked in parts.
  init?(_ walk: PageTableWalk, memory: AddressRanges, work: WorkBudget) {
    guard (3...5).contains(walk.space.root.levels),
      walk.space.stage == .second || walk.space.nesting == nil
    else { return nil }
    self.memory = memory
    self.work = work
    var walk = walk
    share = walk.budget.share(of: work)
    (walk.budget, walk.work) = (share, nil)
    // A table that is met twice is a matter of order.
    walk.budget.revisits = 0
    self.walk = walk
    runLimit = work.left(.runs)
    var upper = UpperTables(memory: memory, runLimit: runLimit)
    (statistics, frames) = walk.run(nil, &upper)
    self.upper = upper
    guard statistics.exhausted.isEmpty, !statistics.isStopped else { return nil }
  }

  /// Walks all parts, and pays for it.
  ///
  /// - Parameters:
  ///   - leastEntries: of tables of level 2 that are worth it.
  ///   - threads: at once.
  /// - Returns: `nil` if it was not done, or the parts do not tell what the whole is; then nothing
  ///   is paid.
  func run(
    leastEntries: Int = entriesWorthThreads, threads: Int = Workers.count
  ) -> (found: Gathered, statistics: WalkStatistics)? {
    let parts = upper.parts
    guard parts.count > 1 else { return nil }
    let entries = entries(of: parts)
    guard entries >= leastEntries else { return nil }
    // Each of those leads to a page, or to a table of them.
    let (pages, overflow) = entries.multipliedReportingOverflow(by: Page.wordCount)
    let most = min(runLimit, overflow ? .max : pages + Page.wordCount * frames.count)
    guard most <= Workers.memory / 2 / MemoryLayout<Run>.stride,
      let reader = walk.memory.concurrentReader(pages: entries + parts.count)
    else { return nil }
    let gathering = Gathering(
      upper.pieces, statistics, frames: frames, tables: share.tables, runs: most)
    var walk = walk
    walk.memory = reader.memory
    let (parted, memory) = (walk, memory)
    // The closure initialises as many as it says: what was put down lies side by side from the first
    // place on, or else nothing is kept.
    let runs = unsafe [Run](unsafeUninitializedCapacity: most) { buffer, count in
      guard let base = buffer.baseAddress else { return }
      let places = unsafe RunPlaces(base: base)
      let done = Workers.map(parts.count, threads: threads) { number -> Bool in
        guard let buffer = gathering.begin() else { return false }
        var collector = MappingCollector(memory: memory, runLimit: most, buffer: buffer)
        let (statistics, frames) = parted.run(parts[number], &collector)
        gathering.finish(
          number, Part(found: collector.found, statistics: statistics, frames: frames), to: places)
        return true
      }
      count = done.allSatisfy { $0 } ? gathering.end(at: places) : 0
    }
    guard var (found, statistics) = gathering.result else { return nil }
    found.runs = runs
    var remaining = share
    remaining.tables -= gathering.tables
    share.settle(remaining, with: work)
    reader.settle()
    statistics.remaining = remaining
    return (found, statistics)
  }

  /// Entries that are not zero, of the tables of all parts.
  private func entries(of parts: [WalkPart]) -> Int {
    var count = 0
    for part in parts {
      guard let page = try? walk.memory.page(part.branch.table.frame) else { continue }
      for index in 0..<Page.wordCount where page[word: index] != 0 { count += 1 }
    }
    return count
  }

  /// What one part came to.
  fileprivate struct Part: Sendable {
    var found: Gathered
    var statistics: WalkStatistics
    var frames: [UInt64]
  }
}

/// Where the runs of all parts come to lie.
@safe
private struct RunPlaces: @unchecked Sendable {
  // The memory belongs to the array that is being made, and all threads that write there have ended
  // when it is. Places are given out under a lock, each once, so no two of them write to the same.
  let base: UnsafeMutablePointer<Run>

  func put(_ run: Run, at place: Int) {
    // The place was given out, below the capacity.
    unsafe (base + place).initialize(to: run)
  }

  func put(_ runs: ArraySlice<Run>, at place: Int) {
    // As many places as there are runs were given out, below the capacity.
    unsafe runs.withUnsafeBufferPointer { runs in
      guard let first = runs.baseAddress else { return }
      unsafe (base + place).initialize(from: first, count: runs.count)
    }
  }
}

/// Puts parts together in their order, whatever the order in which they are done.
private final class Gathering: Sendable {
  private let state: Mutex<State>

  /// Runs of a part that have their places.
  fileprivate struct Placed {
    var place: Int
    /// The last run of the parts before, which the part does not continue.
    var before: Run?
    /// The part's first run, unless it may go on in the next part.
    var first: Run?
    var runs: [Run]

    func put(to places: RunPlaces) {
      var place = place
      for run in [before, first] {
        guard let run else { continue }
        places.put(run, at: place)
        place += 1
      }
      if runs.count > 2 { places.put(runs[1..<runs.count - 1], at: place) }
    }
  }

  fileprivate struct State {
    /// `nil` for a part.
    var pieces: [Gathered?]
    /// The piece of each part.
    var numbers: [Int] = []
    var next = 0
    /// Parts that were done before their turn, by their pieces.
    var waiting: [Int: SplitWalk.Part] = [:]
    var runsWaiting = 0
    var found = Gathered()
    var statistics: WalkStatistics
    var frames: Set<UInt64>
    /// How many table pages may be met, and how many runs kept.
    var tables: Int
    var runs: Int
    /// Places that were given out.
    var placed = 0
    /// The last run so far, which the next part may continue.
    var last: Run?
    var isGivenUp = false
    /// Lists that are empty again.
    var buffers: [[Run]] = []
  }

  init(
    _ pieces: [UpperTables.Piece], _ statistics: WalkStatistics, frames: [UInt64], tables: Int,
    runs: Int
  ) {
    var state = State(
      pieces: pieces.map { if case .found(let found) = $0 { found } else { nil } },
      statistics: statistics, frames: Set(frames), tables: tables, runs: runs)
    state.numbers = state.pieces.indices.filter { state.pieces[$0] == nil }
    self.state = Mutex(state)
  }

  /// An empty list for a part's runs; `nil` if there is no use in walking it.
  func begin() -> [Run]? {
    state.withLock { $0.isGivenUp ? nil : $0.buffers.popLast() ?? [] }
  }

  /// Takes what a part came to, and puts down what has its place now.
  func finish(_ number: Int, _ part: SplitWalk.Part, to places: RunPlaces) {
    var ready = state.withLock { state in
      state.runsWaiting += part.found.runs.count
      state.waiting[state.numbers[number]] = part
      return state.advance()
    }
    while var placed = ready.popLast() {
      placed.put(to: places)
      placed.runs.removeAll(keepingCapacity: true)
      let buffer = placed.runs
      state.withLock { $0.buffers.append(buffer) }
    }
  }

  /// Puts the last run down.
  ///
  /// - Returns: how many there are.
  func end(at places: RunPlaces) -> Int {
    state.withLock { state in
      guard !state.isGivenUp, state.next == state.pieces.count else { return 0 }
      if let last = state.last {
        places.put(last, at: state.placed)
        state.placed += 1
        state.last = nil
      }
      return state.placed
    }
  }

  /// All that was found but the runs; `nil` if the parts do not tell.
  var result: (found: Gathered, statistics: WalkStatistics)? {
    state.withLock { state in
      state.isGivenUp || state.next < state.pieces.count ? nil : (state.found, state.statistics)
    }
  }

  /// Table pages that were met.
  var tables: Int { state.withLock { $0.frames.count } }
}

extension Gathering.State {
  /// Goes on over pieces that are there.
  ///
  /// - Returns: those that have places now.
  fileprivate mutating func advance() -> [Gathering.Placed] {
    var ready: [Gathering.Placed] = []
    while !isGivenUp, next < pieces.count {
      if let piece = pieces[next] {
        pieces[next] = nil
        add(piece, &ready)
      } else if let part = waiting.removeValue(forKey: next) {
        runsWaiting -= part.found.runs.count
        isGivenUp = !part.statistics.exhausted.isEmpty || !add(part.frames)
        statistics.add(part.statistics)
        if !isGivenUp { add(part.found, &ready) }
      } else {
        break
      }
      if !isGivenUp { next += 1 }
    }
    // Each part may have as many as all may have together; one of its runs may go on where the part
    // before it ends.
    if placed + runsWaiting > runs + waiting.count { isGivenUp = true }
    return isGivenUp ? [] : ready
  }

  /// - Returns: whether each of them is met for the first time, and may be.
  private mutating func add(_ new: [UInt64]) -> Bool {
    for frame in new where !frames.insert(frame).inserted { return false }
    return frames.count <= tables
  }

  private mutating func add(_ piece: Gathered, _ ready: inout [Gathering.Placed]) {
    found.addFacts(piece)
    guard let first = piece.runs.first, let final = piece.runs.last else {
      isGivenUp = isGivenUp || piece.runsDropped > 0
      return
    }
    let joined = last?.joined(first)
    let before = joined == nil ? last : nil
    let start = joined ?? first
    let isOne = piece.runs.count == 1
    let count = (before == nil ? 0 : 1) + piece.runs.count - 1
    // One more place is the last run's.
    guard piece.runsDropped == 0, placed + count < runs else {
      isGivenUp = true
      return
    }
    ready.append(
      Gathering.Placed(
        place: placed, before: before, first: isOne ? nil : start, runs: piece.runs))
    placed += count
    last = isOne ? start : final
  }
}

extension WalkStatistics {
  /// Takes what a part of the walk met.
  fileprivate mutating func add(_ part: WalkStatistics) {
    tables += part.tables
    unreadable += part.unreadable
    assumedZero += part.assumedZero
    cycles += part.cycles
    aliases += part.aliases
    reservedBits += part.reservedBits
  }
}
