// SPDX-License-Identifier: Apache-2.0

public import RemappingState

/// What does the work behind the verbs; commands only parse, call and print.
public struct Engines: Sendable {
  public var states: any StateSource
  public var extractor: any DumpExtractor
  public var evidence: any EvidenceSource

  public init(
    states: any StateSource, extractor: any DumpExtractor,
    evidence: any EvidenceSource = Investigator()
  ) {
    self.states = states
    self.extractor = extractor
    self.evidence = evidence
  }

  /// The engines of the real program: the one place where they are plugged in.
  public static let production = Engines(states: StateReader(), extractor: ExtractEngine())
}

/// Turns a dump into its remapping state.
public protocol StateSource: Sendable {
  /// Reads the dump that `request` names; progress and warnings go to `console`.
  ///
  /// An error means that there is no state to speak of. What is missing inside one is told by its
  /// observations.
  func state(of request: DumpRequest, console: Console) throws(CommandFailure) -> RemappingState
}

/// Writes a small dump with only the pages that an analysis needs.
public protocol DumpExtractor: Sendable {
  /// Writes the pages that the report of `request` reads to the new file `path`.
  func extract(
    _ request: DumpRequest, to path: String, console: Console
  ) throws(CommandFailure)
}

/// Which dump to read, and what to read it with.
public struct DumpRequest: Hashable, Sendable {
  /// The dump's file, or all files of a split one, as they were given.
  public var files: [String]
  /// A `vmlinux` with symbols, DWARF or both.
  public var vmlinux: String?
  /// A `System.map`.
  public var symbols: String?
  public var types: TypePreference

  public init(
    files: [String], vmlinux: String? = nil, symbols: String? = nil, types: TypePreference = .auto
  ) {
    self.files = files
    self.vmlinux = vmlinux
    self.symbols = symbols
    self.types = types
  }

  /// Every file that the request names.
  var inputs: [String] { files + [vmlinux, symbols].compactMap(\.self) }
}

/// Where struct layouts may come from.
public enum TypePreference: String, CaseIterable, Hashable, Sendable {
  /// DWARF where it is given, otherwise the dump's own BTF.
  case auto
  case dwarf
  case btf
}
