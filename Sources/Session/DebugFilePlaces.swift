// SPDX-License-Identifier: Apache-2.0

/// Where a kernel's file with debug information may be, best first.
///
/// Source: drgn's search path, which is elfutils' with the kernel's own places; below `usr/lib/debug`,
/// SUSE's packages repeat `usr`, Debian's do not; `vmlinux-RELEASE.gz` is SUSE's, too.
struct DebugFilePlaces {
  /// A place, and what may stand there.
  struct Place: Hashable {
    /// The whole path.
    var path: String
    /// A bootable image, which has types in BTF and symbols at most.
    var isImage = false
    /// Whether the name says which kernel it is of.
    var isNamed: Bool

    /// Paths of the file itself and of packed ones.
    var paths: [String] {
      isImage ? [path] : [path] + DebugFilePlaces.packings.map { path + $0 }
    }
  }

  /// Endings of packed files.
  static let packings = [".xz", ".zst", ".gz"]

  /// - Parameters:
  ///   - release: as `uname -r` gives it; from a dump, so it is not trusted to be a file name.
  ///   - buildID: lower-case hexadecimal; from a dump, too.
  ///   - folders: where somebody said to look, before everything else.
  ///   - dumpFolder: the folder of the dump; `nil` where it comes through a pipe.
  ///   - root: the folder that stands for `/`, with a slash at its end.
  static func all(
    release: String?, buildID: String?, folders: [String], beside dumpFolder: String?,
    root: String = "/"
  ) -> [Place] {
    let id = buildID.flatMap(path(of:))
    let release = release.flatMap(fileName)
    let given = folders.flatMap { folder in
      below(folder, id, release)
        + [Place(path: folder + "/vmlinux", isNamed: false)]
        + [Place(path: folder + "/vmlinux.debug", isNamed: false)]
    }
    return given + (dumpFolder.map { beside($0, release) } ?? [])
      + below(root + "usr/lib/debug", id, release) + (release.map { system(root, $0) } ?? [])
  }

  /// What a folder such as `/usr/lib/debug` holds.
  private static func below(_ folder: String, _ id: String?, _ release: String?) -> [Place] {
    var paths = id.map { [".build-id/\($0).debug"] } ?? []
    if let release {
      for name in [
        "boot/vmlinux-\(release)", "lib/modules/\(release)/vmlinux",
        "usr/lib/modules/\(release)/vmlinux", "vmlinux-\(release)",
      ] {
        paths += [name, name + ".debug"]
      }
    }
    return paths.map { Place(path: folder + "/" + $0, isNamed: true) }
  }

  private static func beside(_ folder: String, _ release: String?) -> [Place] {
    let named = release.map { ["vmlinux-\($0)", "vmlinux-\($0).debug"] } ?? []
    let images = release.map { ["vmlinuz-\($0)"] } ?? []
    return named.map { Place(path: folder + "/" + $0, isNamed: true) }
      + ["vmlinux", "vmlinux.debug"].map { Place(path: folder + "/" + $0, isNamed: false) }
      + images.map { Place(path: folder + "/" + $0, isImage: true, isNamed: true) }
      + [Place(path: folder + "/vmlinuz", isImage: true, isNamed: false)]
  }

  private static func system(_ root: String, _ release: String) -> [Place] {
    let files = [
      "boot/vmlinux-\(release)", "lib/modules/\(release)/build/vmlinux",
      "lib/modules/\(release)/vmlinux", "usr/lib/modules/\(release)/build/vmlinux",
      "usr/lib/modules/\(release)/vmlinux",
    ]
    let images = [
      "boot/vmlinuz-\(release)", "lib/modules/\(release)/vmlinuz",
      "usr/lib/modules/\(release)/vmlinuz",
    ]
    return files.map { Place(path: root + $0, isNamed: true) }
      + images.map { Place(path: root + $0, isImage: true, isNamed: true) }
  }

  /// `ab/cdef…`; `nil` for what is no build id.
  private static func path(of id: String) -> String? {
    guard id.utf8.count > 4, id.utf8.count <= 128, id.allSatisfy(\.isHexDigit),
      id.utf8.allSatisfy({ $0 < 0x80 })
    else { return nil }
    return "\(id.prefix(2))/\(id.dropFirst(2))"
  }

  /// The release where it can be part of a file's name.
  private static func fileName(_ release: String) -> String? {
    guard !release.isEmpty, release != ".", release != "..", release.utf8.count <= 128,
      !release.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "/") })
    else { return nil }
    return release
  }
}
