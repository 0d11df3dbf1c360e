// SPDX-License-Identifier: Apache-2.0

import Files
import Foundation
import KernelImage
import KernelTypes
import Memory
import MemoryFixtures
import Synchronization
import Testing

@testable import Session

/// Where a kernel's file is looked for, and which one is taken.
struct VMLinuxSearchTests {
  /// ELF files with DWARF, of different builds.
  private static func fixture(_ name: String) throws -> [UInt8] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    return Array(
      try Data(
        contentsOf: folder.appendingPathComponent("../KernelTypesTests/Fixtures/\(name).elf")))
  }

  private struct Listener: SessionProgress {
    func progress(_ message: String) {}
    func warning(_ message: String) {}
    func detail(_ message: String) {}
  }

  /// Gives out one file, and remembers what was asked for.
  private final class Server: DebugFileServer {
    private let file: [UInt8]?
    let asked = Mutex<[String]>([])

    init(_ file: [UInt8]?) { self.file = file }

    func file(
      buildID: String, progress: (_ done: Int, _ whole: Int?) -> Void
    ) throws(DebugFileFailure) -> InputFile {
      asked.withLock { $0.append(buildID) }
      progress(1 << 20, nil)
      guard let file, let answer = try? InputFile(memory: file, for: "the cache") else {
        throw DebugFileFailure("no server has it")
      }
      return answer
    }
  }

  private func search(
    _ root: TestFolder, _ note: String, dump: String = "-", vmlinux: String? = nil,
    folders: [String] = [], server: (any DebugFileServer)? = nil, types: TypePreference = .auto
  ) -> VMLinuxSearch {
    let memory = SyntheticMemory([:])
    let space = KernelAddressSpace(
      physBase: 0, directMapBase: KernelAddress(0xffff_8880_0000_0000))
    return VMLinuxSearch(
      DumpRequest(
        files: [dump], vmlinux: vmlinux, types: types, debugFolders: folders, debugServer: server),
      info: VMCoreInfo(Array(note.utf8)), reader: KernelReader(memory, space),
      progress: Listener(), root: root.path + "/")
  }

  private func buildID(_ bytes: [UInt8]) throws -> String {
    try #require(try VMLinux.open(InputFile(memory: bytes, for: "fixture")).buildID)
  }

  // MARK: Places

  @Test func `distributions' places are known, with the packed forms`() {
    let places = DebugFilePlaces.all(
      release: "6.1.0", buildID: "abcdef01", folders: ["/given"], beside: "/var/crash/1")
    let paths = places.flatMap(\.paths)
    for path in [
      "/given/.build-id/ab/cdef01.debug", "/given/lib/modules/6.1.0/vmlinux", "/given/vmlinux",
      "/given/vmlinux-6.1.0.xz", "/var/crash/1/vmlinux-6.1.0", "/var/crash/1/vmlinux",
      "/var/crash/1/vmlinuz-6.1.0", "/usr/lib/debug/.build-id/ab/cdef01.debug",
      "/usr/lib/debug/boot/vmlinux-6.1.0", "/usr/lib/debug/boot/vmlinux-6.1.0.debug",
      "/usr/lib/debug/lib/modules/6.1.0/vmlinux", "/usr/lib/debug/lib/modules/6.1.0/vmlinux.zst",
      "/usr/lib/debug/usr/lib/modules/6.1.0/vmlinux.debug", "/boot/vmlinux-6.1.0",
      "/boot/vmlinux-6.1.0.gz", "/boot/vmlinuz-6.1.0", "/lib/modules/6.1.0/build/vmlinux",
      "/usr/lib/modules/6.1.0/vmlinuz",
    ] {
      #expect(paths.contains(path), "\(path)")
    }
    #expect(paths.first == "/given/.build-id/ab/cdef01.debug")
    // Images come last, and are packed in themselves.
    #expect(!paths.contains("/boot/vmlinuz-6.1.0.gz"))
  }

  @Test(arguments: ["", ".", "..", "../../etc/passwd", "a/b", "a\0b"])
  func `releases that are no names of files are not looked for`(_ release: String) {
    #expect(
      DebugFilePlaces.all(release: release, buildID: nil, folders: [], beside: nil).isEmpty)
  }

  @Test(arguments: ["", "ab", "../../x", "xyz123", "٠١٢٣٤٥٦"])
  func `build ids that are not hexadecimal are not looked for`(_ id: String) {
    #expect(DebugFilePlaces.all(release: nil, buildID: id, folders: [], beside: nil).isEmpty)
  }

  // MARK: Which one

  @Test func `only the right build is taken, and the others are named`() throws {
    let root = try TestFolder()
    let (wrong, right) = (try Self.fixture("gcc-dwarf4"), try Self.fixture("gcc-dwarf5"))
    let other = try root.write(wrong, to: "usr/lib/debug/boot/vmlinux-6.1.0")
    let junk = try root.write(Array("text".utf8), to: "usr/lib/debug/boot/vmlinux-6.1.0.debug")
    let path = try root.write(right, to: "lib/modules/6.1.0/vmlinux")
    let id = try buildID(right)
    var search = search(root, "OSRELEASE=6.1.0\nBUILD-ID=\(id.uppercased())\n")
    #expect(try search.vmlinux()?.path == path)
    #expect(
      search.rejected == [
        "\(other): its build id is \(try buildID(wrong)), the dump's is \(id)",
        "\(junk) is not an ELF file",
      ])
    #expect(
      search.absent.first == root["usr/lib/debug/.build-id/\(id.prefix(2))/"]
        + "\(id.dropFirst(2)).debug")
    #expect(search.reasons.isEmpty)
  }

  @Test func `without a build id the release is enough, and no name at all is not`() throws {
    let root = try TestFolder()
    let bytes = try Self.fixture("gcc-dwarf5")
    let named = try root.write(bytes, to: "boot/vmlinux-6.1.0")
    let dump = try root.write([0], to: "crash/vmcore")
    let beside = try root.write(bytes, to: "crash/vmlinux")
    var search = search(root, "OSRELEASE=6.1.0\n", dump: dump)
    #expect(try search.vmlinux()?.path == named)
    #expect(
      search.rejected == [
        "\(beside): neither its name nor a build id tells whether it is of the dump's kernel"
      ])
    var other = self.search(root, "OSRELEASE=6.2.0\n")
    #expect(try other.vmlinux() == nil)
    #expect(other.reasons.first?.hasPrefix("vmlinux: none of this kernel in ") == true)
    #expect(other.searched.count == other.absent.count + 1)
  }

  @Test func `a file beside the dump, and a folder that was named, go before the system's`() throws
  {
    let root = try TestFolder()
    let bytes = try Self.fixture("gcc-dwarf5")
    let note = "OSRELEASE=6.1.0\nBUILD-ID=\(try buildID(bytes))\n"
    try root.write(bytes, to: "boot/vmlinux-6.1.0")
    let dump = try root.write([0], to: "crash/vmcore")
    let beside = try root.write(bytes, to: "crash/vmlinux")
    var first = search(root, note, dump: dump)
    #expect(try first.vmlinux()?.path == beside)
    let given = try root.write(bytes, to: "symbols/lib/modules/6.1.0/vmlinux")
    var second = search(root, note, dump: dump, folders: [root["symbols"]])
    #expect(try second.vmlinux()?.path == given)
  }

  @Test func `servers are asked last, by build id, and checked like everybody`() throws {
    let root = try TestFolder()
    let (wrong, right) = (try Self.fixture("gcc-dwarf4"), try Self.fixture("gcc-dwarf5"))
    let note = "OSRELEASE=6.1.0\nBUILD-ID=\(try buildID(right))\n"
    let honest = Server(right)
    var found = search(root, note, server: honest)
    #expect(try found.vmlinux()?.path == "the cache")
    #expect(honest.asked.withLock { $0 } == [try buildID(right)])

    var foreign = search(root, note, server: Server(wrong))
    #expect(try foreign.vmlinux() == nil)
    #expect(foreign.rejected.last?.contains("the dump's is \(try buildID(right))") == true)
    var none = search(root, note, server: Server(nil))
    #expect(try none.vmlinux() == nil)
    #expect(none.rejected == ["debuginfod: no server has it"])
    var unnamed = search(root, "OSRELEASE=6.1.0\n", server: honest)
    #expect(try unnamed.vmlinux() == nil)

    // What is here is not asked for.
    try root.write(right, to: "boot/vmlinux-6.1.0")
    let idle = Server(right)
    var local = search(root, note, server: idle)
    _ = try local.vmlinux()
    #expect(idle.asked.withLock { $0 }.isEmpty)
  }

  @Test func `what was named is taken or refused, and nothing else is looked for`() throws {
    let root = try TestFolder()
    let (wrong, right) = (try Self.fixture("gcc-dwarf4"), try Self.fixture("gcc-dwarf5"))
    try root.write(right, to: "boot/vmlinux-6.1.0")
    let path = try root.write(wrong, to: "mine")
    var search = search(
      root, "OSRELEASE=6.1.0\nBUILD-ID=\(try buildID(right))\n", vmlinux: path)
    let error = #expect(throws: SessionError.self) { try search.vmlinux() }
    #expect(
      error?.cause
        == .foreignVMLinux(
          found: try buildID(wrong), expected: try buildID(right), release: "6.1.0"))
  }
}
