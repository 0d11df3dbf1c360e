// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import Synchronization

/// Work on all processors.
///
/// What is given to workers must come out the same in any order: whoever splits work puts its parts
/// together in an order of his own.
public enum Workers {
  /// Processors that are there; 1 where that is not known.
  public static let count = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
  /// Bytes of memory that the machine has; 0 where that is not known.
  public static let memory = max(0, sysconf(Int32(_SC_PHYS_PAGES)))
    .multipliedReportingOverflow(by: max(0, sysconf(Int32(_SC_PAGESIZE)))).partialValue

  /// Calls `body` with each number below `count`, on several threads, and returns what it returns, in
  /// order.
  ///
  /// - Parameter threads: how many at once, the caller's among them; fewer where the system gives
  ///   none.
  public static func map<Result: Sendable>(
    _ count: Int, threads: Int = Workers.count, _ body: @escaping @Sendable (Int) -> Result
  ) -> [Result] {
    let results = Results<Result>(max(0, count))
    let job = Job(max(0, count)) { results.set($0, body($0)) }
    var started: [pthread_t] = []
    for _ in 1..<max(1, min(threads, count)) {
      if let thread = job.start() { started.append(thread) }
    }
    job.run()
    for thread in started {
      pthread_join(thread, nil)
    }
    return results.all
  }

  /// Numbers below which a second thread would cost more than it saves.
  private static let numbersWorthThreads = 1 << 16

  /// Ranges that make up all numbers below `count`, ascending, for as many processors as there are; one
  /// range where there are few numbers.
  ///
  /// How the numbers are cut depends on the machine, so what parts come to is to be put together in a way
  /// that does not.
  public static func ranges(of count: Int) -> [Range<Int>] {
    guard Workers.count > 1, count >= numbersWorthThreads else { return [0..<max(0, count)] }
    // Several for each thread, because threads do not go on equally fast.
    let parts = 4 * Workers.count
    return (0..<parts).map {
      count / parts * $0..<($0 == parts - 1 ? count : count / parts * ($0 + 1))
    }
  }

  /// Calls `body` with each of the `ranges(of: count)`, and returns what it returns, in order.
  public static func mapRanges<Result: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (Range<Int>) -> Result
  ) -> [Result] {
    let ranges = ranges(of: count)
    return map(ranges.count) { body(ranges[$0]) }
  }
}

/// What bodies returned so far.
private final class Results<Value: Sendable>: Sendable {
  private let values: Mutex<[Value?]>

  init(_ count: Int) { values = Mutex(Array(repeating: nil, count: count)) }

  func set(_ index: Int, _ value: Value) { values.withLock { $0[index] = value } }

  var all: [Value] { values.withLock { $0.compactMap(\.self) } }
}

/// Numbers that are still to be worked on.
private final class Job: Sendable {
  private let next = Atomic<Int>(0)
  private let count: Int
  private let body: @Sendable (Int) -> Void

  init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    self.count = count
    self.body = body
  }

  /// Takes numbers until none is left.
  func run() {
    while true {
      let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard number < count else { return }
      body(number)
    }
  }

  /// A thread that takes numbers too; `nil` where the system gives none.
  func start() -> pthread_t? {
    var thread = pthread_t()
    // The thread takes over the reference, which keeps the job alive until it ends.
    let reference = unsafe Unmanaged.passRetained(self)
    // The function takes what is passed with it for what it is: the one reference.
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        if let argument = unsafe argument {
          // The one reference that was passed to the thread.
          unsafe Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().run()
        }
        return nil
      }, unsafe reference.toOpaque())
    guard status == 0 else {
      // No thread has taken it over.
      unsafe reference.release()
      return nil
    }
    return thread
  }
}
