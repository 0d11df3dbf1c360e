// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
public import Session

/// What every verb that reads a dump is told about it.
struct InputOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The crashed kernel's vmlinux, with symbols, DWARF or both.", valueName: "file"),
    completion: .file())
  var vmlinux: String?

  @Option(
    help: ArgumentHelp("The crashed kernel's System.map.", valueName: "file"),
    completion: .file())
  var symbols: String?

  @Option(
    help: ArgumentHelp(
      "Where struct layouts come from; auto prefers DWARF, then the dump's own BTF.",
      valueName: "source"))
  var types: TypePreference = .auto

  @Option(
    help: ArgumentHelp(
      "Look here first for the kernel's debug information, laid out as /usr/lib/debug is; may be repeated.",
      valueName: "folder"),
    completion: .directory)
  var debugDirectory: [String] = []

  @OptionGroup var unpacking: UnpackingOptions

  @OptionGroup var bounds: BoundOptions

  /// The request for what was named, with folders and kernels told apart.
  ///
  /// - Parameters:
  ///   - environment: has the servers that may be asked for debug information; none in a crash
  ///     kernel, which has better things to do.
  ///   - findsSharedPages: whether the rule that asks for them is asked.
  func request(
    _ files: [String], in environment: Environment? = nil, findsSharedPages: Bool = true
  ) throws(SessionError) -> DumpRequest {
    var request = DumpRequest(
      files: files, vmlinux: vmlinux, symbols: symbols, types: types,
      debugFolders: debugDirectory, debugServer: environment?.debugServer,
      unpackLimit: unpacking.maxUnpacked.bytes, work: bounds.work)
    request.findsSharedPages = findsSharedPages
    return try request.located()
  }
}

/// How far packed dumps are unpacked.
struct UnpackingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Unpack a packed dump, or standard input, to this size at most: 512M, 64G, 2T.",
      valueName: "size"))
  var maxUnpacked = ByteCount(bytes: 1 << 36)
}

/// A number of bytes as people write it.
struct ByteCount: ExpressibleByArgument, Hashable, Sendable, CustomStringConvertible {
  var bytes: Int

  /// The largest first, each with the binary logarithm of its bytes.
  private static let units: [(letter: String, shift: Int)] = [
    ("T", 40), ("G", 30), ("M", 20), ("K", 10),
  ]

  init(bytes: Int) { self.bytes = bytes }

  init?(argument: String) {
    let letter = argument.suffix(1).uppercased()
    let shift = Self.units.first { $0.letter == letter }?.shift
    guard let number = Int(shift == nil ? argument : String(argument.dropLast())), number > 0
    else { return nil }
    let (value, overflow) = number.multipliedReportingOverflow(by: 1 << (shift ?? 0))
    guard !overflow else { return nil }
    bytes = value
  }

  var description: String {
    guard let unit = Self.units.first(where: { bytes % (1 << $0.shift) == 0 })
    else { return "\(bytes)" }
    return "\(bytes >> unit.shift)\(unit.letter)"
  }

  var defaultValueDescription: String { description }
}

extension TypePreference: ExpressibleByArgument {}
