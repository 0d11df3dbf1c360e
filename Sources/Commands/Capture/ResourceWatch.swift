// SPDX-License-Identifier: Apache-2.0

internal import Files
import Glibc
import Synchronization

/// Ends the process when it takes more memory or time than it was allowed: in a crash kernel both
/// belong to whoever saves the dump afterwards.
///
/// Files appear whole or not at all, so that what was finished before stays, and nothing else.
enum ResourceWatch {
  /// What the process may take, and what it says when that is over.
  final class Limits: Sendable {
    fileprivate let memory: Int
    fileprivate let deadline: UInt64
    fileprivate let words: String
    private let isOver = Mutex(false)

    fileprivate init(memory: Int, deadline: UInt64, words: String) {
      self.memory = memory
      self.deadline = deadline
      self.words = words
    }

    /// Ends the watch: what comes later is not measured.
    func end() { isOver.withLock { $0 = true } }

    fileprivate var hasEnded: Bool { isOver.withLock { $0 } }
  }

  /// Microseconds between two looks; memory cannot grow by much in between.
  private static let interval: UInt32 = 5000

  /// Starts watching, until the result is told to end.
  ///
  /// - Parameters:
  ///   - memory: bytes that are no pages of files.
  ///   - words: what to say at the end, in front of the reason.
  static func begin(memory: Int, seconds: Int, words: String) -> Limits {
    let limits = Limits(
      memory: memory, deadline: now() &+ UInt64(max(0, seconds)) &* 1_000_000_000, words: words)
    var thread = pthread_t()
    // The reference that is handed over is taken back by the new thread.
    let reference = unsafe Unmanaged.passRetained(limits).toOpaque()
    let isRunning = unsafe pthread_create(
      &thread, nil,
      { argument in
        guard let argument = unsafe argument else { return nil }
        // What `begin` handed over.
        ResourceWatch.watch(unsafe Unmanaged<Limits>.fromOpaque(argument).takeRetainedValue())
        return nil
      }, reference)
    guard isRunning == 0 else {
      // Nobody took it: it is released here.
      unsafe Unmanaged<Limits>.fromOpaque(reference).release()
      return limits
    }
    pthread_detach(thread)
    return limits
  }

  private static func watch(_ limits: Limits) {
    while !limits.hasEnded {
      if let used = ownMemory(), used > limits.memory {
        end(
          limits.words
            + "it took \(used >> 10) KiB of memory, more than --max-memory allows")
      }
      if now() > limits.deadline {
        end(limits.words + "it took longer than --time-limit allows")
      }
      usleep(interval)
    }
  }

  private static func end(_ message: String) -> Never {
    try? OutputDescriptor.standardError.write(Array("iommuscope: \(message)\n".utf8))
    // No destructors: other threads are still at work.
    _exit(Outcome.failed.rawValue)
  }

  /// Nanoseconds of a clock that only goes forward.
  private static func now() -> UInt64 {
    var time = timespec()
    // `time` is a valid place for the result.
    unsafe _ = clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  /// Bytes of memory that are no pages of files; `nil` where /proc is not mounted.
  ///
  /// Source: proc_pid_statm(5): the second number is what is resident, the third what of that is
  /// shared, that is, belongs to files.
  static func ownMemory() -> Int? {
    guard let bytes = try? WholeFile.read("/proc/self/statm", limit: 4096) else { return nil }
    let numbers = String(decoding: bytes, as: UTF8.self).split(separator: " ").map { Int($0) }
    guard numbers.count > 2, let resident = numbers[1], let shared = numbers[2] else { return nil }
    return max(0, resident - shared) * 4096
  }
}
