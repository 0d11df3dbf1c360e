// SPDX-License-Identifier: Apache-2.0

internal import Files

extension VMLinux {
  /// What a search found, and why other files that were there are not it.
  public struct Search {
    public var found: VMLinux?
    public var rejected: [TypeError]
  }

  /// Looks for a kernel's file in the places where distributions put it.
  ///
  /// The first file with debug information wins, then the first with BTF, then the first at all. A
  /// file whose build identifier is not the wanted one is never taken.
  ///
  /// - Parameters:
  ///   - release: as `uname -r` gives it; from a dump, so it is not trusted to be a file name.
  ///   - buildID: hexadecimal in either case; `nil` takes a file by its release alone.
  ///   - root: the directory that stands for `/`.
  /// - Returns: the file, if any, and the reason for each that was there and is not it.
  public static func find(
    release: String?, buildID: String?, root: String = "/"
  ) -> Search {
    var search = Search(found: nil, rejected: [])
    for path in candidates(release: release, buildID: buildID) {
      let path = root.hasSuffix("/") ? root + path : root + "/" + path
      guard InputFile.exists(path) else { continue }
      do throws(TypeError) {
        let file = try open(path)
        if let buildID, file.buildID != buildID.lowercased() {
          throw TypeError(
            "\(path) has build id \(file.buildID ?? "none"), expected \(buildID.lowercased())")
        }
        if file.worth > search.found?.worth ?? 0 { search.found = file }
        if file.hasDWARF { break }
      } catch {
        search.rejected.append(error)
      }
    }
    return search
  }

  private var worth: Int { hasDWARF ? 3 : hasBTF ? 2 : 1 }

  /// Paths below the root, best first.
  static func candidates(release: String?, buildID: String?) -> [String] {
    var paths: [String] = []
    if let id = buildID?.lowercased(), id.utf8.count > 4, id.allSatisfy(\.isHexDigit) {
      paths.append("usr/lib/debug/.build-id/\(id.prefix(2))/\(id.dropFirst(2)).debug")
    }
    if let release, !release.isEmpty, release != ".", release != "..",
      !release.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "/") })
    {
      paths += [
        "usr/lib/debug/boot/vmlinux-\(release)",
        "usr/lib/debug/lib/modules/\(release)/vmlinux",
        "usr/lib/debug/lib/modules/\(release)/vmlinux.debug",
        "usr/lib/debug/usr/lib/modules/\(release)/vmlinux",
        "usr/lib/debug/usr/lib/modules/\(release)/vmlinux.debug",
        "boot/vmlinux-\(release)",
        "lib/modules/\(release)/build/vmlinux",
        "lib/modules/\(release)/vmlinux",
        "usr/lib/modules/\(release)/build/vmlinux",
        "usr/lib/modules/\(release)/vmlinux",
      ]
    }
    return paths
  }
}
