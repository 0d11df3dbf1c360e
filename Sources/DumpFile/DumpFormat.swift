// SPDX-License-Identifier: Apache-2.0

/// How a dump is stored.
public enum DumpFormat: String, Hashable, Sendable, CaseIterable {
  /// An ELF core: `/proc/vmcore`, `makedumpfile -E`, QEMU's `dump-guest-memory`, an extract.
  case elf
  /// The kdump-compressed format of makedumpfile and QEMU, also under its older name diskdump.
  case kdump
  /// An ELF core inside makedumpfile's stream format (`-F`).
  case flattenedELF = "flattened-elf"
  /// A kdump-compressed dump inside the stream format.
  case flattenedKdump = "flattened-kdump"
  /// One or more parts of a kdump-compressed dump written with `--split`.
  case splitKdump = "split-kdump"
  /// Ranges of memory with a header each, as LiME and AVML write them.
  case lime
  /// Plain memory, whose place was given with the file.
  case raw
  /// A VMware machine's state with its memory.
  case vmware
  /// A guest's memory as `xl dump-core` writes it.
  case xen
}
