// SPDX-License-Identifier: Apache-2.0

internal import Files
internal import Inputs
internal import KernelImage
internal import KernelTypes
internal import LinuxIOMMU
internal import Memory

/// Finds the vmlinux of a dump's kernel once, when it is first needed.
///
/// A file that was named is taken, or refused. Otherwise it is looked for in folders that were named,
/// beside the dump, where distributions put it, and on servers if there are any; what is of another
/// build is passed over, and every place is remembered with what was there.
struct VMLinuxSearch {
  private let request: DumpRequest
  private let info: VMCoreInfo
  private let reader: KernelReader
  private let progress: any SessionProgress
  private let root: String
  /// The dump's own symbols, once they are known.
  var symbols: SymbolTable?
  private var answer: VMLinux?
  private var isDone = false

  /// Files that were there and are not it, each with the reason.
  private(set) var rejected: [String] = []
  /// Where nothing was.
  private(set) var absent: [String] = []

  /// - Parameter root: the folder that stands for `/`, with a slash at its end.
  init(
    _ request: DumpRequest, info: VMCoreInfo, reader: KernelReader,
    progress: any SessionProgress, root: String = "/"
  ) {
    self.request = request
    self.info = info
    self.reader = reader
    self.progress = progress
    self.root = root
  }

  /// The path of the file that was found.
  var path: String? { answer?.path }

  /// Why there is none, in clauses.
  var reasons: [String] {
    guard isDone, answer == nil, request.vmlinux == nil else { return [] }
    return [
      "vmlinux: none of this kernel in \(absent.count + rejected.count) places (--verbose lists them)"
    ] + rejected
  }

  /// Every place in which nothing was, in lines.
  var searched: [String] {
    guard isDone, request.vmlinux == nil, !absent.isEmpty else { return [] }
    return ["no vmlinux, plain or packed, at"] + absent.map { "  " + $0 }
  }

  /// The vmlinux that was given, or one that is found and whose build id is the dump's.
  ///
  /// - Throws: where the given one cannot be read or is another kernel's; both build ids are told.
  mutating func vmlinux() throws(SessionError) -> VMLinux? {
    if isDone { return answer }
    isDone = true
    answer = try request.vmlinux.map { path throws(SessionError) in try given(path) } ?? find()
    if let answer { progress.detail("vmlinux: \(answer.path)") }
    return answer
  }

  func dwarf(of file: VMLinux) throws(SessionError) -> any TypeSource {
    do {
      return try DWARFTypes(vmlinux: file, sources: LinuxIOMMU.sources)
    } catch {
      throw SessionError(file.path, .vmlinux(error))
    }
  }

  private var policy: InputSource.Policy {
    InputSource.Policy(
      limit: request.unpackLimit ?? InputSource.standardLimit, progress: progress.progress,
      detail: progress.detail, warning: progress.warning)
  }

  private func given(_ path: String) throws(SessionError) -> VMLinux {
    let file: VMLinux
    do {
      file = try VMLinux.open(try KernelFile.open(path, policy))
    } catch let error as TypeError {
      throw SessionError(path, .vmlinux(error))
    } catch let error as InputError {
      throw SessionError(path, .input(error))
    } catch {
      throw SessionError(path, .vmlinux(TypeError("\(error)")))
    }
    if case .other(let found?, let expected?) = build(of: file) {
      throw SessionError(
        path, .foreignVMLinux(found: found, expected: expected, release: info.release))
    }
    return file
  }

  // MARK: Places

  private mutating func find() -> VMLinux? {
    progress.progress("looking for the kernel's debug information")
    var best: VMLinux?
    let policy = policy
    let places = DebugFilePlaces.all(
      release: info.release, buildID: buildID, folders: request.debugFolders,
      beside: dumpFolder, root: root)
    for place in places {
      // An image costs its unpacking, and has no more than BTF.
      if place.isImage, best?.worth ?? 0 >= VMLinux.worthOfBTF { continue }
      let present = place.paths.filter { FileKind.of($0) != nil }
      if present.isEmpty { absent.append(place.path) }
      for path in present {
        let found = attempt(path, isNamed: place.isNamed) { () throws(InputError) in
          try KernelFile.open(path, policy)
        }
        if let found, found.worth > best?.worth ?? 0 { best = found }
      }
      if best?.hasDWARF == true { return best }
    }
    for line in searched { progress.detail(line) }
    let isEnough = request.types != .dwarf && best?.worth ?? 0 >= VMLinux.worthOfBTF
    return isEnough ? best : download() ?? best
  }

  /// The folder of the dump that was named; `nil` for a pipe.
  private var dumpFolder: String? {
    guard let file = request.files.first.map(InputPaths.file), FileKind.of(file) == .regular else {
      return nil
    }
    guard let slash = file.lastIndex(of: "/") else { return "." }
    return String(file[..<slash])
  }

  /// The file at a path, if it is this kernel's.
  private mutating func attempt(
    _ path: String, isNamed: Bool, _ open: () throws(InputError) -> InputFile
  ) -> VMLinux? {
    do {
      let file = try VMLinux.open(try open())
      switch build(of: file) {
      case .same: return file
      case .unknown where isNamed: return file
      case .unknown:
        throw TypeError(
          "\(path): neither its name nor a build id tells whether it is of the dump's kernel")
      case .other(let found, let expected):
        throw TypeError(
          "\(path): its build id is \(found ?? "missing"), "
            + (expected.map { "the dump's is \($0)" } ?? "which the dump's kernel has not"))
      }
    } catch {
      let reason = Self.reason(error)
      rejected.append(reason.hasPrefix(path) ? reason : "\(path): \(reason)")
      progress.detail("passed over: \(rejected.last ?? path)")
      return nil
    }
  }

  private static func reason(_ error: any Error) -> String {
    if let error = error as? InputError, case .file(let cause) = error.cause { return "\(cause)" }
    return "\(error)"
  }

  private mutating func download() -> VMLinux? {
    guard let server = request.debugServer else { return nil }
    guard let id = buildID else {
      rejected.append("debuginfod: the dump does not tell its kernel's build id")
      return nil
    }
    progress.progress("asking debuginfod servers for build id \(id)")
    let name = "debuginfod"
    let (policy, progress) = (policy, progress)
    return attempt(name, isNamed: true) { () throws(InputError) in
      let file: InputFile
      do throws(DebugFileFailure) {
        file = try server.file(buildID: id) { done, whole in
          let size = whole.map { " of \($0 >> 20)" } ?? ""
          progress.progress("downloading debug information: \(done >> 20)\(size) MiB")
        }
      } catch {
        throw InputError(name, .notServed(error.description))
      }
      return try KernelFile.open(file, policy)
    }
  }

  // MARK: Which build

  private enum Build {
    case same
    case unknown
    case other(found: String?, expected: String?)
  }

  /// The build id that VMCOREINFO tells, since Linux 5.9, or the kernel's notes where its own symbols
  /// name their place.
  private var buildID: String? {
    if let id = info.buildID { return id.lowercased() }
    guard let start = symbols?["__start_notes"], let stop = symbols?["__stop_notes"] else {
      return nil
    }
    return notes(start.rawValue, stop.rawValue).flatMap { VMLinux.buildID(in: $0) }
  }

  /// The bytes of the kernel's notes; `nil` where they cannot be read.
  private func notes(_ start: UInt64, _ stop: UInt64) -> [UInt8]? {
    guard stop > start, stop - start < 1 << 16 else { return nil }
    return try? reader.bytes(at: KernelAddress(start), count: Int(stop - start))
  }

  /// Whether a file is of the kernel that crashed.
  ///
  /// Where VMCOREINFO has no build id, the kernel's own notes are read where the file says that they
  /// are loaded.
  private func build(of file: VMLinux) -> Build {
    if let buildID {
      return file.buildID == buildID ? .same : .other(found: file.buildID, expected: buildID)
    }
    guard let own = file.buildID,
      let symbols = try? file.addresses(
        of: ImageOffset.symbols.union(["__start_notes", "__stop_notes"])),
      let start = symbols["__start_notes"]?.first, let stop = symbols["__stop_notes"]?.first,
      let offset = offset(of: symbols), let notes = notes(start &+ offset, stop &+ offset)
    else { return .unknown }
    let found = VMLinux.buildID(in: notes)
    return found == own ? .same : .other(found: own, expected: found)
  }

  /// How far the dump's kernel was moved, if it is the one of these symbols.
  private func offset(of linked: [String: [UInt64]]) -> UInt64? {
    guard info.isMute else { return info.kernelOffset ?? 0 }
    let table = SymbolTable(
      linked.mapValues { $0.map { KernelAddress($0) } }, origin: .vmlinux)
    return ImageOffset(of: table, in: reader)?.bytes
  }
}

extension VMLinux {
  fileprivate static let worthOfBTF = 2
  /// How much it tells: layouts with names of everything, layouts, or symbols at most.
  fileprivate var worth: Int { hasDWARF ? 3 : hasBTF ? Self.worthOfBTF : 1 }
}
