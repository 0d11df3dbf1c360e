// SPDX-License-Identifier: Apache-2.0

internal import Inputs
public import Memory
public import RemappingState

/// Which dump to read, and what to read it with.
public struct DumpRequest: Sendable {
  /// The dump's file, or all files of a split one, as they were given.
  public var files: [String]
  /// A `vmlinux` with symbols, DWARF or both.
  public var vmlinux: String?
  /// A `System.map`.
  public var symbols: String?
  public var types: TypePreference
  /// Folders in which debug information is looked for before the standard ones.
  public var debugFolders: [String]
  /// Whom to ask for debug information that is not on this machine.
  public var debugServer: (any DebugFileServer)?
  /// Registers of the units, read beside the dump.
  public var registers: [UnitRegisters] = []
  /// The file that they were read from.
  public var registerFile: String?
  /// Bytes that a packed dump may unpack to; `nil` for the usual limit.
  public var unpackLimit: Int?
  /// Whether memory that two groups may write is looked for. Only the rule `domain.shared-page` asks for it,
  /// and in large tables the search takes longer than all other rules together.
  public var findsSharedPages = true
  /// The run that pays for what is read.
  public var work: WorkBudget

  public init(
    files: [String], vmlinux: String? = nil, symbols: String? = nil, types: TypePreference = .auto,
    debugFolders: [String] = [], debugServer: (any DebugFileServer)? = nil, unpackLimit: Int? = nil,
    work: WorkBudget = WorkBudget(WorkLimits())
  ) {
    self.files = files
    self.vmlinux = vmlinux
    self.symbols = symbols
    self.types = types
    self.debugFolders = debugFolders
    self.debugServer = debugServer
    self.unpackLimit = unpackLimit
    self.work = work
  }

  /// The request with the dump of a folder in place of the folder, and a kernel among the files taken
  /// for the vmlinux.
  ///
  /// Nothing is unpacked; a request that is located already stays as it is.
  public func located() throws(SessionError) -> DumpRequest {
    let paths: InputPaths
    do {
      paths = try InputPaths(files)
    } catch {
      throw SessionError(error.path, .input(error))
    }
    guard let kernel = paths.kernel else {
      var request = self
      request.files = paths.dumps
      return request
    }
    if let vmlinux { throw SessionError(kernel, .input(.severalKernels(vmlinux, kernel))) }
    var request = self
    request.files = paths.dumps
    request.vmlinux = kernel
    return request
  }

  /// Every file that the request names.
  public var inputs: [String] {
    files.map(InputPaths.file) + [vmlinux, symbols, registerFile].compactMap(\.self)
  }

  /// The dump's name in messages.
  public var name: String { files.first ?? "" }
}

/// Where struct layouts may come from.
public enum TypePreference: String, CaseIterable, Hashable, Sendable {
  /// DWARF where it is given, otherwise the dump's own BTF.
  case auto
  case dwarf
  case btf
}
