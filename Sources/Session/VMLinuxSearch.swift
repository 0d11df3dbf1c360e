// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import KernelTypes
internal import LinuxIOMMU

/// Finds the vmlinux of a dump's kernel once, when it is first needed.
struct VMLinuxSearch {
  private let given: String?
  private let info: VMCoreInfo
  private var answer: VMLinux?
  private var isDone = false
  /// Why there is none.
  private(set) var reasons: [String] = []

  init(_ request: DumpRequest, info: VMCoreInfo) {
    given = request.vmlinux
    self.info = info
  }

  /// The path of the file that was found.
  var path: String? { answer?.path }

  /// The vmlinux that was given, or one in the standard places whose build id is the dump's.
  ///
  /// - Throws: where the given one cannot be read or is another kernel's; both build ids are told.
  mutating func vmlinux() throws(SessionError) -> VMLinux? {
    if isDone { return answer }
    isDone = true
    if let given {
      let file: VMLinux
      do {
        file = try VMLinux.open(given)
      } catch {
        throw SessionError(given, .vmlinux(error))
      }
      if let expected = info.buildID, let found = file.buildID, found != expected {
        throw SessionError(
          given, .foreignVMLinux(found: found, expected: expected, release: info.release))
      }
      answer = file
      return file
    }
    let search = VMLinux.find(release: info.release, buildID: info.buildID)
    answer = search.found
    if answer == nil {
      reasons.append("vmlinux: none in the standard places")
      reasons += search.rejected.map(\.description)
    }
    return answer
  }

  func dwarf(of file: VMLinux) throws(SessionError) -> any TypeSource {
    do {
      return try DWARFTypes(vmlinux: file, sources: LinuxIOMMU.sources)
    } catch {
      throw SessionError(file.path, .vmlinux(error))
    }
  }
}
