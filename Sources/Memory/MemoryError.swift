// SPDX-License-Identifier: Apache-2.0

/// Why a page of the crashed machine's memory cannot be read.
///
/// The reasons are kept apart because an analyst treats each one differently: a page that the
/// filter removed was there at the crash, a page outside memory never was.
public enum Absence: Hashable, Sendable {
  /// The dump says that the page existed and was left out (makedumpfile's dump level).
  case excluded
  /// An ELF segment has memory but no file bytes here: the page was zero or was left out, and the
  /// file does not tell which.
  case zeroOrExcluded
  /// The dump describes no memory at this address: not RAM, or not dumped at all.
  case notInDump
  /// The file ends before the page; `fileOffset` is where its bytes would start.
  case truncated(fileOffset: UInt64)
  /// The bytes are there but do not decode; `fileOffset` is where they start.
  case corrupt(fileOffset: UInt64, String)
  /// The page needs something that this machine lacks, such as a codec's library.
  case unsupported(String)
  /// The run has decompressed all the pages that it may.
  case budget
  /// The operating system failed to deliver the bytes.
  case system(errno: Int32)
}

extension Absence: CustomStringConvertible {
  public var description: String {
    switch self {
    case .excluded: "excluded by the dump's filter"
    case .zeroOrExcluded: "zero or excluded, the ELF dump does not tell which"
    case .notInDump: "not memory that this dump describes"
    case .truncated(let offset): "cut off, the file ends before offset \(offset.hexadecimal)"
    case .corrupt(let offset, let what): "corrupt at file offset \(offset.hexadecimal): \(what)"
    case .unsupported(let what): what
    case .budget: "not read, the run has decompressed all the pages that it may"
    case .system(let errno): "not readable, system error \(errno)"
    }
  }
}

/// A read of physical memory that could not be done.
public struct MemoryError: Error, Hashable, Sendable, CustomStringConvertible {
  /// First byte that could not be read.
  public var address: PhysicalAddress
  public var absence: Absence

  public init(at address: PhysicalAddress, _ absence: Absence) {
    self.address = address
    self.absence = absence
  }

  public var description: String { "physical page \(address.pageBase) is \(absence)" }
}
