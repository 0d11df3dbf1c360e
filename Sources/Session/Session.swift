// SPDX-License-Identifier: Apache-2.0

public import Carving
public import DumpFile
public import Evidence
internal import Files
internal import Inputs
internal import KernelImage
internal import LinuxIOMMU
public import Memory
internal import RemappingState

/// An open dump: what every verb starts from.
///
/// One line leads from files to answers, and each verb goes as far as it needs:
///
/// 1. `init` opens the files; `memory` can be read, roots can be carved.
/// 2. `kernel(asking:)` finds the kernel in them (VMCOREINFO, symbols, types) and reads its structures.
/// 3. `evidence(from:)` reads the hardware's tables and assembles the state.
///
/// `evidence(below:asking:)` is the whole line, with root tables that were given, or that are found
/// by their shape, in place of a kernel that cannot be read.
public struct Session {
  public let request: DumpRequest
  public let dump: DumpFile
  /// The dump's memory; a recording decorator where the pages that are read matter.
  public let memory: any PhysicalMemory
  let progress: any SessionProgress
  private let recorder: RecordingMemory?

  /// Opens the dump's files.
  ///
  /// - Parameters:
  ///   - recording: makes the memory remember which pages were asked for, for `writeExtract`.
  ///   - progress: is told what is going on for as long as the session is used.
  public init(
    _ request: DumpRequest, recording: Bool = false, progress: any SessionProgress
  ) throws(SessionError) {
    progress.progress("opening \(request.name)")
    let request = try request.located()
    self.request = request
    self.progress = progress
    dump = try Self.dump(of: request, progress)
    recorder = recording ? RecordingMemory(dump.memory) : nil
    memory = recorder ?? dump.memory
    dump.charge(request.work)
    request.work.grant(pages: storedPages)
  }

  /// Opens the request's files, unpacked where they are packed.
  private static func dump(
    of request: DumpRequest, _ progress: any SessionProgress
  ) throws(SessionError) -> DumpFile {
    let policy = InputSource.Policy(
      limit: request.unpackLimit ?? InputSource.standardLimit, progress: progress.progress,
      detail: progress.detail, warning: progress.warning)
    var files: [(mapping: FileMapping, address: PhysicalAddress?)] = []
    var obstacles: [String] = []
    for path in request.files {
      do throws(InputError) {
        let source = try InputSource(path, policy)
        obstacles += source.obstacles
        if let obstacle = InputPaths.obstacle(of: path) { obstacles.append(obstacle) }
        files.append((try source.mapping(), source.address.map { PhysicalAddress($0) }))
      } catch {
        throw SessionError(path, .input(error))
      }
    }
    do {
      var dump = try DumpFile.open(files)
      dump.obstacles = obstacles + dump.obstacles
      return dump
    } catch {
      throw SessionError(request.name, .dump(error))
    }
  }

  /// What the whole run may do, of which everything that is read takes its part.
  public var work: WorkBudget { request.work }

  /// Pages that the files store, as far as they count for what the run may do.
  ///
  /// Holes of a sparse file are no pages that it stores, and bytes that several segments claim count
  /// once.
  private var storedPages: Int {
    var pages: UInt64 = 0
    for range in dump.storedFrames {
      pages += UInt64(range.count)
      if pages >= UInt64(WorkLimits.widestDump) { break }
    }
    return Int(clamping: dump.isPacked ? pages : min(pages, dump.allocatedBytes >> 12 + 1))
  }

  /// The root tables among the pages that the files hold, found by their shape; before them those that
  /// the request's registers point to, whatever they look like.
  ///
  /// - Parameter threshold: the lowest score, 0 to 100, that counts.
  public func carvedRoots(threshold: Int = 50) -> [CarvedRoot] {
    var carver = RootCarver(memory: memory, work: work)
    carver.threshold = threshold
    progress.progress("looking for root tables")
    let registered = carver.roots(registered: request.registers.compactMap(\.givenRoot))
    let known = Set(registered.map(\.address))
    return registered
      + carver.roots(in: dump.storedFrames) { pages in
        progress.progress("looking for root tables: \(pages >> 8) MiB")
      }.filter { !known.contains($0.address) }
  }

  /// What pages are read for from now on, for the manifest of an extract.
  public func begin(_ purpose: ReadingPurpose) { recorder?.begin(purpose) }

  /// Writes a new dump with the pages that were asked for since a recording session was opened.
  ///
  /// - Parameters:
  ///   - kernel: whose symbols go into the new dump's note.
  ///   - path: of the new file.
  ///   - compressed: packed as gzip(1) would.
  ///   - redaction: what is left out.
  /// - Returns: what travels in it, what was left out, and its size in bytes.
  @discardableResult
  public func writeExtract(
    of kernel: KernelEvidence, to path: String, compressed: Bool = false,
    without redaction: Redaction? = nil
  ) throws(SessionError) -> (
    manifest: ExtractManifest, redacted: [(kind: Redaction.Kind, bytes: Int)], size: UInt64
  ) {
    progress.progress("writing \(path)")
    do {
      let writer = ExtractWriter(
        dump, frames: (recorder?.record ?? []).lazy.map(\.frame),
        symbols: kernel.image.symbols.addresses,
        facts: redaction == nil
          ? [:] : ExtractNote.facts(hostAddressWidth: kernel.structures.hostAddressWidth),
        purposes: recorder?.firstPurposes ?? [:], redaction: redaction)
      let size = try writer.write(to: path, compressed: compressed)
      return (writer.manifest, writer.redacted, size)
    } catch {
      throw SessionError(path, .dump(error))
    }
  }
}
