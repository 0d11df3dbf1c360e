// SPDX-License-Identifier: Apache-2.0

internal import Files
import Glibc
import Report

/// The user's pager, behind a result that is longer than the screen.
///
/// A shell is started at once, because a confined process cannot start one, and waits for a word: with
/// it, it runs the pager; without one, when the descriptor is closed, it ends and nothing was shown.
final class Pager: PagerOutput {
  /// The pager that `PAGER` names is run as man(1) and git run it: its words are the shell's.
  ///
  /// The shell outlives an interrupt, which pagers know how to take. Where the pager is not there (127),
  /// nothing of the result was read yet.
  private static let script = """
    IFS= read -r go <&3 || exit 0
    exec 3<&-
    trap : INT
    export LESS="${LESS-FRX}" LV="${LV--c}"
    eval "$1"
    [ $? -ne 127 ] || exec cat
    """
  /// Where no variable names one.
  private static let standard =
    "if command -v less >/dev/null; then less; elif command -v more >/dev/null; then more; else cat; fi"

  private let sink: PagedSink
  private let pipe: Ends

  /// What is left on this side, descriptors.
  private final class Ends {
    /// Gives the word.
    var go: Int32 = -1
    /// Takes the result.
    var data: Int32 = -1
    /// Ends when all of the pager has ended.
    var end: Int32 = -1
    var isRunning = false

    func closeAll() {
      for descriptor in [go, data, end] where descriptor >= 0 { close(descriptor) }
      (go, data, end) = (-1, -1, -1)
    }
  }

  /// - Parameter variables: those of the environment that say which pager, if any.
  /// - Returns: `nil` where none is wanted or none can be started.
  init?(_ variables: [String: String]) {
    guard let command = Self.command(variables), let pipe = Self.start(command) else { return nil }
    self.pipe = pipe
    sink = PagedSink(Self.screen, over: DescriptorSink(.standardOutput)) {
      // The pager takes the interrupts from here on; this process only has text left to give.
      signal(SIGINT, SIG_IGN)
      pipe.isRunning = true
      let descriptor = OutputDescriptor(pipe.go, name: "pager")
      try? descriptor.write(Array("go\n".utf8))
      close(pipe.go)
      pipe.go = -1
      return DescriptorSink(OutputDescriptor(pipe.data, name: "pager"))
    }
  }

  /// The shell's words for the pager; `nil` where none is wanted.
  static func command(_ variables: [String: String]) -> String? {
    guard variables["TERM"] != "dumb" else { return nil }
    guard let command = variables["IOMMUSCOPE_PAGER"] ?? variables["PAGER"] else { return standard }
    return command.isEmpty || command == "cat" ? nil : command
  }

  func write(_ bytes: [UInt8]) throws(OutputError) { try sink.write(bytes) }

  func finish() {
    sink.finish()
    guard pipe.isRunning else { return pipe.closeAll() }
    close(pipe.data)
    pipe.data = -1
    var byte: UInt8 = 0
    // One byte fits into the variable; nobody writes one.
    while unsafe read(pipe.end, &byte, 1) < 0, errno == EINTR {}
    pipe.closeAll()
  }

  /// Rows and columns of the terminal, of a small one where it does not tell.
  private static var screen: PagedSink.Screen {
    var size = winsize()
    // The call fills the record that it is given.
    let result = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size)
    guard result == 0, size.ws_row > 0, size.ws_col > 0 else {
      return PagedSink.Screen(rows: 24, columns: 80)
    }
    return PagedSink.Screen(rows: Int(size.ws_row), columns: Int(size.ws_col))
  }

  /// Starts the shell that waits.
  private static func start(_ command: String) -> Ends? {
    var pipes: [[Int32]] = []
    func closePipes() { for end in pipes.joined() { close(end) } }
    for _ in 0..<3 {
      var ends: [Int32] = [0, 0]
      // Two descriptors fit into the array.
      guard unsafe Glibc.pipe(&ends) == 0 else {
        closePipes()
        return nil
      }
      // Above those that the shell is given, and none of this process's ends goes to it.
      let moved = ends.map { fcntl($0, F_DUPFD_CLOEXEC, 10) }
      for end in ends { close(end) }
      pipes.append(moved.filter { $0 >= 0 })
      guard !moved.contains(where: { $0 < 0 }) else {
        closePipes()
        return nil
      }
    }
    // Both objects are filled by the next calls and used by the calls behind them alone.
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, pipes[0][0], STDIN_FILENO)
    unsafe posix_spawn_file_actions_adddup2(&actions, pipes[1][0], 3)
    unsafe posix_spawn_file_actions_adddup2(&actions, pipes[2][1], 4)
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    // This process passes SIGPIPE by; a pager may count on it.
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGPIPE)
    unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
    // Copies of the texts, which live until they are freed behind the call.
    let texts: [String] = ["sh", "-c", script, "sh", command]
    var words: [UnsafeMutablePointer<CChar>?] = unsafe texts.map { unsafe strdup($0) }
    unsafe words.append(nil)
    defer {
      for index in unsafe words.indices { unsafe free(words[index]) }
    }
    var process: pid_t = 0
    // The list ends with a null; the process's own variables are passed on.
    let status = unsafe posix_spawn(&process, "/bin/sh", &actions, &attributes, words, environ)
    guard status == 0 else {
      closePipes()
      return nil
    }
    let ends = Ends()
    (ends.data, ends.go, ends.end) = (pipes[0][1], pipes[1][1], pipes[2][0])
    for end in [pipes[0][0], pipes[1][0], pipes[2][1]] { close(end) }
    return ends
  }
}
