// SPDX-License-Identifier: Apache-2.0

/// What pages are read for: how an extract accounts for what travels in it.
public enum ReadingPurpose: String, CaseIterable, Hashable, Sendable {
  case symbols
  case types
  /// Units, domains, devices, allocators, the memory map.
  case structures
  /// Tables of the remapping units, and the kernel's descriptors of the pages that they map.
  case tables
  case log
  case crashKernel = "crash-kernel"
  /// The trace ring and the invalidation queues.
  case history
  case other

  /// For people: what the pages hold.
  public var meaning: String {
    switch self {
    case .symbols: "symbols: the kernel's table of names"
    case .types: "types: the kernel's BTF"
    case .structures: "kernel structures: units, domains, devices, allocators, command line"
    case .tables: "tables of the remapping units, and descriptors of the pages that they map"
    case .log: "the kernel log, with whatever was printed there"
    case .crashKernel:
      "the crash kernel: reservations, its command line, what it did where it runs already"
    case .history: "the trace ring and the invalidation queues"
    case .other: "anything else"
    }
  }
}
