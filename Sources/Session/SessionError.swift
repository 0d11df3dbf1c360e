// SPDX-License-Identifier: Apache-2.0

public import DumpFile
public import Files
public import Inputs
public import KernelImage
public import KernelTypes
public import Memory

/// Why there is nothing to say about a dump: it, or the kernel in it, could not be opened.
///
/// What is missing inside a dump that opens is no such error; the state's observations tell it.
public struct SessionError: Error, Hashable, Sendable {
  /// The file that stands in the way, as it was named; of a split dump, the first.
  public var path: String
  public var cause: Cause

  /// The sort of failure, for callers that treat them differently.
  public enum Cause: Hashable, Sendable {
    /// The dump cannot be opened, or an extract of it not be written.
    case dump(DumpError)
    /// What was named does not lead to a dump.
    case input(InputError)
    /// A file beside the dump cannot be read.
    case file(FileError)
    /// VMCOREINFO names pages of another size.
    case pageSize(UInt64)
    /// Neither VMCOREINFO nor the headers tell where the kernel lies in memory.
    case kernelNotLocated
    /// Nothing names the kernel's symbols; what was tried, each with its reason, and lines that tell
    /// where nothing was found.
    case noSymbols(release: String?, tried: [String], searched: [String])
    /// The file that was given as a System.map is none.
    case noSystemMap
    /// Symbols of another kernel: its `_stext` is not where the dump's is.
    case foreignSymbols(found: KernelAddress, expected: KernelAddress, release: String?)
    /// The dump has no VMCOREINFO, and the kernel of these symbols is nowhere in its memory.
    case symbolsNotPlaced
    /// A vmlinux cannot be used; the error names the file.
    case vmlinux(TypeError)
    /// The symbols of a vmlinux cannot be read.
    case vmlinuxSymbols(TypeError)
    /// A vmlinux of another kernel: the build ids differ.
    case foreignVMLinux(found: String, expected: String, release: String?)
    /// Nothing describes the kernel's structures; as `noSymbols`.
    case noTypes(release: String?, tried: [String], searched: [String])
    /// The list of remapping units cannot be read, perhaps for what the file lacks.
    case units(KernelError, missing: [String])
  }

  public init(_ path: String, _ cause: Cause) {
    self.path = path
    self.cause = cause
  }
}

extension SessionError: CustomStringConvertible {
  /// Lines for those who want to know more than the sentence.
  public var details: [String] {
    switch cause {
    case .noSymbols(_, _, let searched), .noTypes(_, _, let searched): searched
    default: []
    }
  }

  public var description: String {
    switch cause {
    case .dump(let error): "\(error)"
    case .input(let error): "\(error)"
    case .file(let error): "\(error)"
    case .pageSize(let size):
      "\(path): VMCOREINFO says PAGESIZE=\(size), expected \(Page.size)"
    case .kernelNotLocated:
      "\(path): nothing tells where the kernel lies in memory: no phys_base in VMCOREINFO or "
        + "header and no segment of the kernel image; dump it again with VMCOREINFO (for QEMU, "
        + "add -device vmcoreinfo)"
    case .noSymbols(let release, let tried, _):
      "\(path): no symbols for kernel \(release ?? "of unknown release"); name its vmlinux with "
        + "--vmlinux"
        + (release.flatMap(DebugPackage.name).map { " (from the package \($0))" } ?? "")
        + " or its System.map with --symbols (\(tried.joined(separator: "; ")))"
    case .noSystemMap:
      "\(path): expected a System.map (lines such as `ffffffff81000000 T _text`), found none"
    case .foreignSymbols(let found, let expected, let release):
      "\(path): not of this kernel: _stext is \(found) there and \(expected) in the dump; name the "
        + "file of \(release ?? "the crashed kernel")"
    case .symbolsNotPlaced:
      "\(path): the dump has no VMCOREINFO to tell where its kernel lies, and neither the banner nor "
        + "the page tables of this kernel are at any place to which it can have been moved; it is "
        + "another kernel's file, or the dump lacks these pages (root tables can still be looked for: "
        + "leave the file out)"
    case .vmlinux(let error): "\(error)"
    case .vmlinuxSymbols(let error): "\(path): \(error)"
    case .foreignVMLinux(let found, let expected, let release):
      "\(path): not the vmlinux of this dump: its build id is \(found), the crashed kernel's is "
        + "\(expected); name the vmlinux of \(release ?? "that kernel")"
    case .noTypes(let release, let tried, _):
      "\(path): no type information for kernel \(release ?? "of unknown release"), which symbols "
        + "alone do not have; name its vmlinux with --vmlinux"
        + (release.flatMap(DebugPackage.name).map { ", from the package \($0)" } ?? "")
        + " (\(tried.joined(separator: "; ")))"
    case .units(let error, let missing):
      "\(path): the list of remapping units cannot be read: \(error)"
        + missing.map { "; \($0)" }.joined()
    }
  }
}
