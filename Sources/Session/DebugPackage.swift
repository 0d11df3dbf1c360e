// SPDX-License-Identifier: Apache-2.0

/// The distribution's package with the `vmlinux` of a kernel, told by the form of its release.
///
/// Source: the distributions' own guides to kernel crash dumps; packages as they were named in 2026.
enum DebugPackage {
  /// - Parameter release: `uname -r`.
  /// - Returns: `nil` for a release of no form that is known.
  static func name(for release: String) -> String? {
    // Anything else is no release, and not to be repeated as the name of something to install.
    guard release.utf8.count <= 64,
      release.utf8.allSatisfy({
        (0x30...0x39).contains($0) || isLetter($0) || "+-._".utf8.contains($0)
      })
    else { return nil }
    if release.hasSuffix("-amd64") { return "linux-image-\(release)-dbg" }
    if release.hasSuffix(".x86_64") {
      if release.contains("uek.") { return "kernel-uek-debuginfo-\(release)" }
      if [".el", ".fc", ".amzn"].contains(where: release.contains) {
        return "kernel-debuginfo-\(release)"
      }
    }
    let parts = release.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, let flavour = parts.last, !flavour.isEmpty else { return nil }
    // SUSE numbers its builds with points: 5.14.21-150400.24.63-default.
    if ["default", "preempt", "rt", "azure", "64kb"].contains(flavour), parts[1].contains(".") {
      return "kernel-\(flavour)-debuginfo"
    }
    // Ubuntu with the number of an ABI alone: 5.4.0-42-generic.
    if !parts[1].isEmpty, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      return "linux-image-unsigned-\(release)-dbgsym"
    }
    return nil
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (0x61...0x7a).contains(byte | 0x20)
  }
}
