// SPDX-License-Identifier: Apache-2.0

internal import DumpFile
internal import Inheritance
internal import Investigation
internal import KernelImage
internal import KernelTypes
internal import LinuxIOMMU
internal import Memory

/// A dump with the kernel that crashed in it: what every verb starts from.
struct Session {
  /// The dump's file as it was given; of a split one, the first.
  let name: String
  let dump: DumpFile
  /// The dump's memory; a recording decorator where the pages that are read matter.
  let memory: any PhysicalMemory
  let image: KernelImage
  /// Things worth saying that are no obstacle.
  private(set) var remarks: [String] = []

  /// Opens the dump and finds the kernel's symbols and types.
  ///
  /// Symbols: the dump's own kallsyms, an extract's note, the System.map, the vmlinux; the first of
  /// these that is there. Types: DWARF of the vmlinux that was given, the dump's own BTF, the BTF or
  /// DWARF of a vmlinux found in the standard places.
  ///
  /// - Parameter recording: makes the memory remember which pages were asked for.
  init(_ request: DumpRequest, recording: Bool = false) throws(CommandFailure) {
    name = request.name
    do {
      dump = try DumpFile.open(request.files)
    } catch {
      throw CommandFailure("\(error)")
    }
    memory = recording ? RecordingMemory(dump.memory) : dump.memory
    let info = VMCoreInfo(try Self.vmcoreinfo(of: dump, memory))
    if let pageSize = info.pageSize, pageSize != UInt64(Page.size) {
      throw CommandFailure(
        "\(request.name): VMCOREINFO says PAGESIZE=\(pageSize), expected \(Page.size)")
    }
    guard
      let space = KernelAddressSpace(
        info: info, physicalBase: dump.physicalBase,
        segments: dump.virtualSegments.map {
          (virtual: $0.virtual, physical: $0.physical, byteCount: $0.byteCount)
        })
    else {
      throw CommandFailure(
        "\(request.name): nothing tells where the kernel lies in memory: no phys_base in "
          + "VMCOREINFO or header and no segment of the kernel image; dump it again with "
          + "VMCOREINFO (for QEMU, add -device vmcoreinfo)")
    }
    let reader = KernelReader(memory, space)
    var search = VMLinuxSearch(request, info: info)
    let symbols = try Self.symbols(request, dump: dump, info: info, reader: reader, &search)
    do {
      try reader.adoptDirectMap(from: symbols)
    } catch {
      remarks.append("the direct map's base could not be read, the usual one is assumed: \(error)")
    }
    let types = try Self.types(request, symbols: symbols, reader: reader, &search)
    image = KernelImage(info: info, reader: reader, symbols: symbols, types: types)
  }

  // MARK: VMCOREINFO

  private static func vmcoreinfo(
    of dump: DumpFile, _ memory: any PhysicalMemory
  ) throws(CommandFailure) -> [UInt8] {
    if let bytes = dump.vmcoreinfo { return bytes }
    // A hypervisor's dump has no note, but the kernel keeps its own copy at the start of a page.
    if dump.format == .elf || dump.format == .flattenedELF,
      let bytes = VMCoreInfoSearch.find(in: memory, frames: dump.storedFrames)
    {
      return bytes
    }
    return []
  }

  // MARK: Symbols

  /// Every symbol that a reader of this program looks for.
  static let wantedSymbols: Set<String> = LinuxIOMMU.symbols.union(KernelImage.symbols)
    .union(MachineFacts.symbols)
    .union(InvestigationSymbols.all)

  private static func symbols(
    _ request: DumpRequest, dump: DumpFile, info: VMCoreInfo, reader: KernelReader,
    _ search: inout VMLinuxSearch
  ) throws(CommandFailure) -> SymbolTable {
    var reasons: [String] = []
    do throws(KernelError) {
      return try reader.kallsyms(info: info, wanted: wantedSymbols)
    } catch {
      reasons.append("the dump's own table: \(error)")
    }
    if let symbols = dump.extract?.symbols, !symbols.isEmpty {
      return SymbolTable(symbols, origin: .extract)
    }
    let table: SymbolTable?
    if let path = request.symbols {
      table = SystemMap.symbols(in: try CommandFiles.bytes(path), wanted: wantedSymbols)
      if table == nil {
        throw CommandFailure(
          "\(path): expected a System.map (lines such as `ffffffff81000000 T _text`), found none")
      }
    } else if let vmlinux = try search.vmlinux() {
      do {
        table = SymbolTable(
          try vmlinux.addresses(of: wantedSymbols).mapValues { $0.map { KernelAddress($0) } },
          origin: .vmlinux)
      } catch {
        throw CommandFailure("\(vmlinux.path): \(error)")
      }
    } else {
      table = nil
      reasons += search.reasons
    }
    guard let table, !table.addresses.isEmpty else {
      throw CommandFailure(
        """
        \(request.name): no symbols for kernel \(info.release ?? "of unknown release"); name its \
        vmlinux with --vmlinux or its System.map with --symbols (\(reasons.joined(separator: "; ")))
        """)
    }
    let moved = table.relocated(by: info.kernelOffset ?? 0)
    if let expected = info.symbol("_stext"), let found = moved["_stext"], found != expected {
      throw CommandFailure(
        """
        \(request.symbols ?? search.path ?? ""): not of this kernel: _stext is \(found) there and \
        \(expected) in the dump; name the file of \(info.release ?? "the crashed kernel")
        """)
    }
    return moved
  }

  // MARK: Types

  private static func types(
    _ request: DumpRequest, symbols: SymbolTable, reader: KernelReader,
    _ search: inout VMLinuxSearch
  ) throws(CommandFailure) -> any TypeSource {
    var reasons: [String] = []
    // DWARF is preferred where somebody gave it.
    if request.types == .dwarf || request.types == .auto && request.vmlinux != nil {
      if let vmlinux = try search.vmlinux(), vmlinux.hasDWARF {
        return try search.dwarf(of: vmlinux)
      }
      reasons.append("DWARF: no vmlinux with debugging information was given or found")
    }
    if request.types != .dwarf {
      do throws(KernelError) {
        if let bytes = try reader.btf(symbols) {
          do {
            return try BTFTypes(bytes)
          } catch {
            reasons.append("BTF in the dump: \(error)")
          }
        } else {
          reasons.append("BTF in the dump: this kernel has none, or its symbols are unknown")
        }
      } catch {
        reasons.append("BTF in the dump: \(error)")
      }
      if let vmlinux = try search.vmlinux() {
        do {
          if let bytes = try vmlinux.btf() { return try BTFTypes(bytes) }
        } catch {
          reasons.append("BTF of \(vmlinux.path): \(error)")
        }
        if request.types == .auto, vmlinux.hasDWARF { return try search.dwarf(of: vmlinux) }
      }
    }
    reasons += search.reasons
    throw CommandFailure(
      "\(request.name): no type information; name the kernel's vmlinux with --vmlinux "
        + "(\(reasons.joined(separator: "; ")))")
  }
}

extension DumpRequest {
  /// The dump's name in messages.
  var name: String { files.first ?? "" }
}
