// SPDX-License-Identifier: Apache-2.0

public import Files

/// Why what was named does not lead to a dump.
public struct InputError: Error, Hashable, Sendable {
  /// As it was named.
  public var path: String
  public var cause: Cause

  public enum Cause: Hashable, Sendable {
    case file(FileError)
    /// The packed bytes are damaged before anything came out of them.
    case damaged(Wrapper, String)
    /// The library that unpacks is not on this machine.
    case noLibrary(Wrapper)
    /// More bytes come out than the caller allows.
    case unpacksTooFar(limit: Int)
    /// Wrapped more often than anybody does on purpose.
    case tooManyWrappers
    /// A form of packing that is known by name alone, and the program that unpacks it.
    case otherPacker(String, command: String)
    /// Nothing in the folder or archive is a dump.
    case noDump(Container)
    /// Several dumps are in the folder or archive; their names, with what is known of each.
    case severalDumps(Container, [String])
    /// An archive that ends, or is damaged, before a dump is met.
    case damagedArchive(String)
    /// A member of an archive that has holes, in a form that is not read.
    case sparseMember(String)
    /// A kernel's file with something else, or too little, inside its packing.
    case damagedKernel(String)
    /// No server has the file.
    case notServed(String)
    /// Standard input is a terminal or another device.
    case terminal
    /// Standard input was named twice; it can be read once.
    case standardInputTwice
    /// Several files that are kernels, where one is expected.
    case severalKernels(String, String)
  }

  /// What dumps are looked for in.
  public enum Container: String, Hashable, Sendable {
    case folder
    case archive
  }

  public init(_ path: String, _ cause: Cause) {
    self.path = path
    self.cause = cause
  }

  /// Two kernels where one is expected.
  public static func severalKernels(_ first: String, _ second: String) -> Self {
    Self(second, .severalKernels(first, second))
  }

  init(_ error: FileError) {
    self.init(error.path, .file(error))
  }
}

extension InputError: CustomStringConvertible {
  public var description: String {
    switch cause {
    case .file(let error) where error.cause == .isNotRegular:
      "\(path): expected a dump, found a device"
    case .file(let error) where error.cause == .isEmpty && path == "-":
      "standard input: it ended before its first byte; what was to write the dump failed or found none"
    case .file(let error) where error.cause == .isEmpty:
      "\(path): expected a dump, found an empty file; copy the dump again"
    case .file(let error):
      if case .system(.open, let reason) = error.cause {
        "\(path): cannot open the dump: \(reason)"
      } else {
        "\(error)"
      }
    case .damaged(let wrapper, let problem):
      "\(path): the \(wrapper.rawValue) data are damaged at the start (\(problem)); copy the file "
        + "again"
    case .noLibrary(let wrapper):
      "\(path): packed with \(wrapper.rawValue), whose library is not on this machine; install "
        + "\(wrapper.package), or unpack the file with \(wrapper.command) first"
    case .unpacksTooFar(let limit):
      "\(path): unpacks to more than \(limit) bytes, the limit of --max-unpacked; raise it if the "
        + "file is a dump of that size"
    case .tooManyWrappers:
      "\(path): packed in more than \(InputSource.wrapperLimit) layers; unpack it first"
    case .otherPacker(let name, let command):
      "\(path): packed with \(name), which is not read; unpack the file with \(command) first"
    case .noDump(let container):
      "\(path): no dump in this \(container.rawValue); name the dump itself"
    case .severalDumps(let container, let names):
      "\(path): \(names.count) dumps in this \(container.rawValue), name one of them (all parts of a "
        + "split dump): " + names.joined(separator: ", ")
    case .damagedArchive(let problem):
      "\(path): no dump in this archive as far as it goes; \(problem)"
    case .sparseMember(let name):
      "\(path): \(name) is stored with holes; unpack the archive with tar -xf first"
    case .damagedKernel(let problem): "\(path): \(problem)"
    case .notServed(let reason): "\(path): \(reason)"
    case .terminal:
      "standard input is a terminal or a device; pipe the dump into it, or name a file"
    case .standardInputTwice: "- can be named once: standard input can be read once"
    case .severalKernels(let first, let second):
      "\(first) and \(second) are both kernels; name one vmlinux and one dump"
    }
  }
}
