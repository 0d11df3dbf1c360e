// SPDX-License-Identifier: Apache-2.0

import Glibc
import Report
import Synchronization

/// Standard error, with one line on it that replaces itself until something else is printed.
///
/// The line appears only when the run has taken a while. What takes long says so once and then works, so
/// that a thread of its own waits for that moment.
///
/// Unchecked, because the sink is not `Sendable`: it is used with `state` locked, and by nothing else.
final class ProgressLine: @unchecked Sendable {
  private struct State {
    /// What is being done now; `nil` between two pieces of work.
    var message: String?
    /// Characters of the line that stands on the terminal now.
    var width = 0
    var isWaiting = false
  }

  private let sink: any ByteSink
  /// On the monotonic clock, in nanoseconds.
  private let start: UInt64
  private let state = Mutex(State())

  /// - Parameter delay: nanoseconds before anything is shown.
  init(on sink: any ByteSink, after delay: UInt64) {
    self.sink = sink
    start = Self.now() &+ delay
  }

  /// Shows what is being done, now or when it is time for it.
  func show(_ message: String) {
    let mustWait = state.withLock { state in
      state.message = message
      guard Self.now() < start else {
        draw(&state)
        return false
      }
      defer { state.isWaiting = true }
      return !state.isWaiting
    }
    if mustWait { wait() }
  }

  /// Whether nothing stands on the terminal.
  var isHidden: Bool { state.withLock { $0.width == 0 } }

  /// Removes the line.
  func clear() {
    state.withLock { state in erase(&state) }
  }

  /// Prints a line that stays.
  func write(_ text: String) {
    state.withLock { state in
      erase(&state)
      print(Escaping.terminal(text) + "\n")
    }
  }

  // MARK: With the state locked

  private func draw(_ state: inout State) {
    guard let message = state.message else { return }
    let text = String(Escaping.terminal(message).prefix(78))
    print("\r" + text + String(repeating: " ", count: max(0, state.width - text.utf8.count)))
    state.width = text.utf8.count
  }

  private func erase(_ state: inout State) {
    state.message = nil
    guard state.width > 0 else { return }
    print("\r" + String(repeating: " ", count: state.width) + "\r")
    state.width = 0
  }

  private func print(_ text: String) {
    // There is nobody left to tell that standard error does not work.
    try? sink.write(Array(text.utf8))
  }

  // MARK: The moment

  private func wait() {
    var thread = pthread_t()
    // The reference that is handed over is taken back by the new thread.
    let reference = unsafe Unmanaged.passRetained(self).toOpaque()
    let error = unsafe pthread_create(
      &thread, nil,
      { argument in
        guard let argument = unsafe argument else { return nil }
        // What `wait` handed over.
        let line = unsafe Unmanaged<ProgressLine>.fromOpaque(argument).takeRetainedValue()
        line.drawWhenItIsTime()
        return nil
      }, reference)
    guard error == 0 else {
      // Nobody took it: it is released here, and the line appears with the next message.
      unsafe Unmanaged<ProgressLine>.fromOpaque(reference).release()
      return
    }
    pthread_detach(thread)
  }

  private func drawWhenItIsTime() {
    while true {
      let now = Self.now()
      guard now < start else { break }
      usleep(UInt32(clamping: (start - now) / 1000 + 1))
    }
    state.withLock { state in draw(&state) }
  }

  private static func now() -> UInt64 {
    var time = timespec()
    // `time` is a valid place for the result.
    unsafe _ = clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}
