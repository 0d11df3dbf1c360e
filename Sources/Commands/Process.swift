// SPDX-License-Identifier: Apache-2.0

internal import Files
import Glibc
import Report

extension Iommuscope {
  /// Runs the process's own command line.
  ///
  /// - Parameter arguments: without the program's name.
  /// - Returns: the process's exit status.
  public static func runProcess(_ arguments: [String]) -> Int32 {
    // A reader that has gone is seen as an error of `write`, not as a deadly signal.
    signal(SIGPIPE, SIG_IGN)
    // A standard descriptor that came closed must not be given to the next file we open.
    for descriptor: Int32 in 0...2 where fcntl(descriptor, F_GETFD) == -1 {
      _ = unsafe open("/dev/null", O_RDONLY)
    }
    var environment = Environment(
      standardOutput: DescriptorSink(.standardOutput),
      standardError: DescriptorSink(.standardError),
      outputIsTerminal: OutputDescriptor.standardOutput.isTerminal,
      errorIsTerminal: OutputDescriptor.standardError.isTerminal,
      variables: variables(["NO_COLOR", "TERM"]),
      debugServer: DebuginfodClient.begin(urls: variables(["DEBUGINFOD_URLS"])["DEBUGINFOD_URLS"]),
      program: ownProgram,
      confine: { arguments in
        let places = variables(["LD_LIBRARY_PATH", "TMPDIR"])
        return Sandbox.confine(
          arguments, searchPath: places["LD_LIBRARY_PATH"], temporary: places["TMPDIR"])
      })
    environment.progressDelay = 500_000_000
    if environment.outputIsTerminal {
      let variables = variables(["IOMMUSCOPE_PAGER", "PAGER", "TERM"])
      environment.makePager = { Pager(variables) }
    }
    return run(arguments, in: environment).rawValue
  }

  /// This program's file, so that it can be run again; `nil` where /proc is not mounted.
  private static var ownProgram: String? {
    let path = "/proc/self/exe"
    // The path is copied into a terminated string for the call.
    return unsafe access(path, X_OK) == 0 ? path : nil
  }

  private static func variables(_ names: [String]) -> [String: String] {
    var result: [String: String] = [:]
    for name in names {
      // The string stays valid until the environment changes, which nothing here does.
      if let value = unsafe getenv(name) { result[name] = unsafe String(cString: value) }
    }
    return result
  }
}
