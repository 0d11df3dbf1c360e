// SPDX-License-Identifier: Apache-2.0

internal import Files
internal import Glibc

/// Runs child processes, some at a time, and collects what each prints on standard output.
///
/// A child is a process of its own so that nothing that a hostile dump does to it (a trap, a hang,
/// all memory) reaches the others.
struct ProcessPool {
  /// The program that is run.
  var program: String
  /// Children at a time, at least 1.
  var jobs: Int
  /// Seconds that a child may take.
  var timeout: Int
  /// More output than this ends a child.
  var outputLimit = 1 << 24

  /// How a child ended.
  enum Ending: Hashable {
    case exited(Int32)
    case signaled(Int32)
    case timedOut
    case notStarted(SystemError)
    case tooMuchOutput
  }

  private struct Child {
    var index: Int
    var process: pid_t
    var pipe: Int32
    var output: [UInt8] = []
    /// On the monotonic clock, in milliseconds.
    var deadline: Int
    var ending: Ending?
  }

  /// Runs a child for each list of arguments, the program's name not among them.
  ///
  /// - Parameter done: is given the list's index, how the child ended and what it printed, in the
  ///   order in which children end; what it throws ends every child.
  func run(
    _ commands: [[String]], done: (_ index: Int, _ ending: Ending, _ output: [UInt8]) throws -> Void
  ) throws {
    var next = 0
    var children: [Child] = []
    defer {
      for child in children {
        kill(child.process, SIGKILL)
        close(child.pipe)
        _ = Self.wait(child.process)
      }
    }
    while next < commands.count || !children.isEmpty {
      starting: while next < commands.count, children.count < max(1, jobs) {
        switch start(commands[next]) {
        case .child(let process, let pipe):
          children.append(
            Child(
              index: next, process: process, pipe: pipe, deadline: Self.now + timeout * 1000))
        case .failed(let error):
          // Out of processes or descriptors: children that run will give some back.
          if !children.isEmpty { break starting }
          try done(next, .notStarted(error), [])
        }
        next += 1
      }
      if children.isEmpty { continue }
      waitForOutput(&children)
      for place in children.indices.reversed() {
        guard let ending = children[place].ending else { continue }
        let child = children.remove(at: place)
        close(child.pipe)
        let status = Self.wait(child.process)
        switch ending {
        case .exited: try done(child.index, status, child.output)
        default: try done(child.index, ending, [])
        }
      }
    }
  }

  /// Takes what children have printed, until one prints, ends or takes too long.
  private func waitForOutput(_ children: inout [Child]) {
    let earliest = children.map(\.deadline).min() ?? Self.now
    var polls = children.map { pollfd(fd: $0.pipe, events: Int16(POLLIN), revents: 0) }
    let time = Int32(clamping: max(0, earliest - Self.now))
    // The array is as long as is said.
    let count = unsafe poll(&polls, nfds_t(polls.count), time)
    for place in children.indices {
      if count > 0, polls[place].revents != 0 {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        // The buffer is the array's own, with its own count.
        let size = unsafe chunk.withUnsafeMutableBytes {
          unsafe Glibc.read(children[place].pipe, $0.baseAddress, $0.count)
        }
        if size > 0 {
          children[place].output += chunk[..<size]
          if children[place].output.count > outputLimit {
            kill(children[place].process, SIGKILL)
            children[place].ending = .tooMuchOutput
          }
        } else if size == 0 || errno != EINTR {
          children[place].ending = .exited(0)
        }
      }
      if children[place].ending == nil, children[place].deadline <= Self.now {
        kill(children[place].process, SIGKILL)
        children[place].ending = .timedOut
      }
    }
  }

  private enum Start {
    case child(pid_t, pipe: Int32)
    case failed(SystemError)
  }

  private func start(_ arguments: [String]) -> Start {
    var ends: [Int32] = [0, 0]
    // Two descriptors fit into the array.
    guard unsafe pipe(&ends) == 0 else { return .failed(SystemError(errno)) }
    // No child but the one that is started here may hold an end.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    // The object is filled by the next call and used by the calls behind it alone.
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    unsafe posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    // Copies of the texts, which live until they are freed behind the call.
    var words: [UnsafeMutablePointer<CChar>?] = unsafe ([program] + arguments).map {
      unsafe strdup($0)
    }
    unsafe words.append(nil)
    defer {
      for index in unsafe words.indices { unsafe free(words[index]) }
    }
    var process: pid_t = 0
    // The list ends with a null; the process's own variables are passed on.
    let status = unsafe posix_spawn(&process, program, &actions, nil, words, environ)
    close(ends[1])
    guard status == 0 else {
      close(ends[0])
      return .failed(SystemError(status))
    }
    return .child(process, pipe: ends[0])
  }

  private static func wait(_ process: pid_t) -> Ending {
    var status: Int32 = 0
    while unsafe waitpid(process, &status, 0) < 0 {
      guard errno == EINTR else { return .exited(-1) }
    }
    let signal = status & 0x7f
    return signal == 0 ? .exited(status >> 8 & 0xff) : .signaled(signal)
  }

  /// Milliseconds of the monotonic clock.
  private static var now: Int {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
  }

  /// Processors that this process may use, at least 1.
  static var processors: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }
}
