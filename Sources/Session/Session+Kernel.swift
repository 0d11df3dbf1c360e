// SPDX-License-Identifier: Apache-2.0

internal import DumpFile
public import Evidence
internal import Files
internal import KernelImage
internal import KernelTypes
internal import LinuxIOMMU
internal import Memory

extension Session {
  /// Finds the kernel that crashed (where it lies, its symbols and its types) and reads what it
  /// believed of its remapping units.
  ///
  /// Symbols: the dump's own kallsyms, where VMCOREINFO or a look through the kernel's image finds it, an extract's note, the System.map, the vmlinux; the first of
  /// these that is there. Types: DWARF of the vmlinux that was given, the dump's own BTF, the BTF or
  /// DWARF of a vmlinux found in the standard places.
  ///
  /// - Parameter names: every symbol that will be looked for in the image; the others are left out.
  public func kernel(asking names: Set<String>) throws(SessionError) -> KernelEvidence {
    var log: KernelImage?
    return try kernel(asking: names, log: &log)
  }

  /// The same.
  ///
  /// - Parameter log: becomes what the kernel's log can be read with, as far as the search came.
  func kernel(
    asking names: Set<String>, log: inout KernelImage?
  ) throws(SessionError) -> KernelEvidence {
    let image = try image(asking: names, log: &log)
    log = image
    begin(.log)
    image.readLog()
    begin(.structures)
    progress.progress("reading the kernel's structures")
    do {
      return KernelEvidence(
        image, try LinuxIOMMU(reading: image, hostAddressWidth: dump.extract?.hostAddressWidth))
    } catch {
      throw SessionError(request.name, .units(error, missing: dump.obstacles))
    }
  }

  private func image(
    asking names: Set<String>, log: inout KernelImage?
  ) throws(SessionError) -> KernelImage {
    var info = VMCoreInfo(vmcoreinfo)
    if let pageSize = info.pageSize, pageSize != UInt64(Page.size) {
      throw SessionError(request.name, .pageSize(pageSize))
    }
    guard
      let space = KernelAddressSpace(
        info: info, physicalBase: dump.physicalBase,
        segments: dump.virtualSegments.map {
          (virtual: $0.virtual, physical: $0.physical, byteCount: $0.byteCount)
        })
    else { throw SessionError(request.name, .kernelNotLocated) }
    let reader = KernelReader(memory, space)
    var search = VMLinuxSearch(request, info: info, reader: reader, progress: progress)
    begin(.symbols)
    // VMCOREINFO has the symbols of the log, too.
    log = KernelImage(
      noting: info, reader: reader, symbols: SymbolTable([:], origin: .kallsyms), work: work)
    let symbols = try symbols(names, info: &info, reader: reader, &search)
    if symbols.origin == .kallsyms { search.symbols = symbols }
    var remark: String?
    do {
      try reader.adoptDirectMap(from: symbols)
    } catch {
      remark = "the direct map's base could not be read, the usual one is assumed: \(error)"
    }
    info = reader.checked(info, symbols)
    log = KernelImage(noting: info, reader: reader, symbols: symbols, work: work)
    begin(.types)
    let types = try types(info: info, symbols: symbols, reader: reader, &search)
    if let remark { progress.warning(remark) }
    return KernelImage(info: info, reader: reader, symbols: symbols, types: types, work: work)
  }

  /// The text of the kernel's note about itself; empty if there is none.
  private var vmcoreinfo: [UInt8] {
    if let bytes = dump.vmcoreinfo { return bytes }
    // A hypervisor's dump has no note, but the kernel keeps its own copy at the start of a page.
    return VMCoreInfoSearch.find(
      in: memory, lookingThrough: dump.memory, frames: dump.storedFrames, paidBy: work) ?? []
  }

  // MARK: Symbols

  private func symbols(
    _ names: Set<String>, info: inout VMCoreInfo, reader: KernelReader,
    _ search: inout VMLinuxSearch
  ) throws(SessionError) -> SymbolTable {
    let names = info.isMute ? names.union(ImageOffset.symbols) : names
    var tried: [String] = []
    do throws(KernelError) {
      return try reader.kallsyms(info: info, wanted: names, unrecorded: dump.memory)
    } catch {
      tried.append("the dump's own table: \(error)")
    }
    if let symbols = dump.extract?.symbols, !symbols.isEmpty {
      return SymbolTable(symbols, origin: .extract)
    }
    let table: SymbolTable?
    if let path = request.symbols {
      do {
        table = SystemMap.symbols(in: try WholeFile.read(path), wanted: names)
      } catch {
        throw SessionError(path, .file(error))
      }
      if table == nil { throw SessionError(path, .noSystemMap) }
    } else if let vmlinux = try search.vmlinux() {
      do {
        let found = SymbolTable(
          try vmlinux.addresses(of: names).mapValues { $0.map { KernelAddress($0) } },
          origin: .vmlinux)
        // A kernel out of a bootable image has no table but the one that it uses itself.
        table =
          found.addresses.isEmpty ? vmlinux.kallsyms(info: info, wanted: names) ?? found : found
        if table?.addresses.isEmpty == true {
          tried.append("\(vmlinux.path): no table of symbols is found in it")
        }
      } catch {
        throw SessionError(vmlinux.path, .vmlinuxSymbols(error))
      }
    } else {
      table = nil
      tried += search.reasons
    }
    guard let table, !table.addresses.isEmpty else {
      throw SessionError(
        request.name, .noSymbols(release: info.release, tried: tried, searched: search.searched))
    }
    guard !info.isMute else { return try placed(table, &info, reader, search.path) }
    let moved = table.relocated(by: info.kernelOffset ?? 0)
    if let expected = info.symbol("_stext"), let found = moved["_stext"], found != expected {
      throw SessionError(
        request.symbols ?? search.path ?? "",
        .foreignSymbols(found: found, expected: expected, release: info.release))
    }
    return moved
  }

  /// Symbols for a dump that does not say where its kernel was moved to: its image says it.
  private func placed(
    _ table: SymbolTable, _ info: inout VMCoreInfo, _ reader: KernelReader, _ vmlinux: String?
  ) throws(SessionError) -> SymbolTable {
    guard let offset = ImageOffset(of: table, in: reader) else {
      throw SessionError(request.symbols ?? vmlinux ?? request.name, .symbolsNotPlaced)
    }
    let moved = table.relocated(by: offset.bytes)
    info = info.completed(by: offset, moved)
    if reader.space.pageTable == nil { reader.space.pageTable = offset.pageTable }
    progress.detail(
      "the dump has no VMCOREINFO; the kernel's own image tells that it was moved by "
        + offset.bytes.hexadecimal)
    return moved
  }

  // MARK: Types

  private func types(
    info: VMCoreInfo, symbols: SymbolTable, reader: KernelReader, _ search: inout VMLinuxSearch
  ) throws(SessionError) -> any TypeSource {
    var tried: [String] = []
    // DWARF is preferred where somebody gave it.
    if request.types == .dwarf || request.types == .auto && request.vmlinux != nil {
      if let vmlinux = try search.vmlinux(), vmlinux.hasDWARF {
        return try search.dwarf(of: vmlinux)
      }
      tried.append("DWARF: no vmlinux with debugging information was given or found")
    }
    if request.types != .dwarf {
      do throws(KernelError) {
        if let bytes = try reader.btf(symbols) {
          do {
            return try BTFTypes(bytes)
          } catch {
            tried.append("BTF in the dump: \(error)")
          }
        } else {
          tried.append("BTF in the dump: this kernel has none, or its symbols are unknown")
        }
      } catch {
        tried.append("BTF in the dump: \(error)")
      }
      if let vmlinux = try search.vmlinux() {
        do {
          if let bytes = try vmlinux.btf() { return try BTFTypes(bytes) }
        } catch {
          tried.append("BTF of \(vmlinux.path): \(error)")
        }
        if request.types == .auto, vmlinux.hasDWARF { return try search.dwarf(of: vmlinux) }
      }
    }
    throw SessionError(
      request.name,
      .noTypes(
        release: info.release, tried: tried + search.reasons, searched: search.searched))
  }
}
