// SPDX-License-Identifier: Apache-2.0

/// Names that distributions give to dumps.
///
/// Debian and Ubuntu: `/var/crash/STAMP/dump.STAMP` and `dump-incomplete`, packed at will; RHEL, SUSE
/// and Oracle: `/var/crash/HOST-STAMP/vmcore`, `vmcore-incomplete`, `vmcore.flat`, beside
/// `vmcore-dmesg.txt`.
///
/// Source: kdump-tools, `kdump-config`; kexec-tools of RHEL, `kdump-lib-initramfs.sh`; kdump of SUSE.
enum DumpNames {
  /// Whether a file of this name is likely to be a dump; its first bytes decide.
  static func isDump(_ path: String) -> Bool {
    let name = base(path)
    if name.contains("dmesg") || [".txt", ".log", ".json"].contains(where: name.hasSuffix) {
      return false
    }
    if name.hasPrefix("vmcore") { return true }
    if name.hasPrefix("dump") {
      guard let next = name.dropFirst(4).first else { return true }
      return ".-_".contains(next)
    }
    return [".vmcore", ".kdump", ".dump", ".lime"].contains(where: name.hasSuffix)
  }

  /// Whether the name says that saving the dump did not finish.
  static func isIncomplete(_ path: String) -> Bool { base(path).contains("incomplete") }

  /// The last part of a path in lower case, without what a wrapper adds.
  private static func base(_ path: String) -> String {
    var name = (path.split(separator: "/").last.map(String.init) ?? path).lowercased()
    while let suffix = Wrapper.allCases.map(\.suffix).first(where: name.hasSuffix) {
      name.removeLast(suffix.count)
    }
    return name
  }
}
