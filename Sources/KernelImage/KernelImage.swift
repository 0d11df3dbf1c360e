// SPDX-License-Identifier: Apache-2.0

public import KernelTypes
public import Memory

/// The crashed kernel: its symbols, its types and its memory, read by name.
public final class KernelImage {
  public let info: VMCoreInfo
  public let reader: KernelReader
  public let symbols: SymbolTable
  public let types: any TypeSource
  /// The run that pays for what is read.
  public let work: WorkBudget
  private var layouts: [String: StructLayout?] = [:]
  private var members: [MemberKey: Member?] = [:]
  /// Read when it is first asked for.
  private(set) lazy var log = KernelLog(reading: self)

  public init(
    info: VMCoreInfo, reader: KernelReader, symbols: SymbolTable, types: any TypeSource,
    work: WorkBudget = WorkBudget()
  ) {
    self.info = info
    self.reader = reader
    self.symbols = symbols
    self.types = types
    self.work = work
  }

  /// Takes `count` objects from what the run may read.
  public func spend(_ count: Int = 1, at address: KernelAddress? = nil) throws(KernelError) {
    guard work.spend(.objects, count) else {
      work.cut(.objects, "the reading of the kernel's structures")
      throw KernelError(at: address, .budget)
    }
  }

  // MARK: Symbols

  /// The symbols that `KernelImage` looks for.
  public static let symbols: Set<String> = [
    "_stext", "page_offset_base", "vmalloc_base", "__per_cpu_offset", "__cpu_possible_mask",
    "cpu_possible_bits", "cpu_possible_mask", "prb", "log_buf", "log_buf_len", "log_first_idx",
    "log_next_idx", "init_top_pgt", "init_level4_pgt", "init_uts_ns",
    "__start_notes", "__stop_notes",
    "__start_BTF", "__stop_BTF", "_text", "_etext", "_end", "crashk_res", "crashk_low_res",
    "iomem_resource", "cma_areas", "cma_area_count", "vmemmap_base", "mem_section", "max_pfn",
    "saved_command_line", "vmcoreinfo_note",
  ]

  /// The address of a symbol that the kernel may not have.
  public func symbol(_ name: String) -> KernelAddress? {
    symbols[name] ?? info.symbol(name)
  }

  /// What the kernel was started with; `nil` where its copy cannot be read.
  public var commandLine: String? { savedCommandLine?.text }

  /// The same, with its place.
  ///
  /// Source: init/main.c, `setup_command_line`: `saved_command_line` points to the text.
  var savedCommandLine: (address: KernelAddress, text: String)? {
    // COMMAND_LINE_SIZE of x86 is 2048; boot configuration may lengthen the line.
    guard let place = symbol("saved_command_line"),
      let line: UInt64 = try? reader.littleEndian(at: place),
      let text = try? reader.string(at: KernelAddress(line), limit: 1 << 14)
    else { return nil }
    return (KernelAddress(line), text)
  }

  /// The address of a symbol that the caller cannot do without.
  public func requiredSymbol(_ name: String) throws(KernelError) -> KernelAddress {
    guard let address = symbol(name) else { throw KernelError(.noSymbol(name)) }
    return address
  }

  /// The value of an integer variable, or `nil` if the kernel has none of that name.
  public func variable<T>(_ name: String, as type: T.Type = T.self) throws(KernelError) -> T?
  where T: FixedWidthInteger & BitwiseCopyable {
    guard let address = symbol(name) else { return nil }
    return try reader.littleEndian(at: address)
  }

  // MARK: Types

  /// The layout of a structure, or `nil` if this kernel has none of that name.
  public func structure(_ name: String) throws(KernelError) -> StructLayout? {
    if let known = layouts[name] { return known }
    do {
      let layout = try types.structure(named: name)
      layouts[name] = .some(layout)
      return layout
    } catch {
      throw KernelError(.types(error))
    }
  }

  public func requiredStructure(_ name: String) throws(KernelError) -> StructLayout {
    guard let layout = try structure(name) else { throw KernelError(.noStructure(name)) }
    return layout
  }

  /// The value of an enumerator, or `nil` if this kernel has none of that name.
  public func enumerator(_ name: String) throws(KernelError) -> Int64? {
    do {
      return try types.enumerator(named: name)
    } catch {
      throw KernelError(.types(error))
    }
  }

  /// Whether a structure exists and has a member of that name or path.
  public func has(_ structure: String, _ path: String) throws(KernelError) -> Bool {
    guard let layout = try self.structure(structure) else { return false }
    return try member(path, of: layout) != nil
  }

  /// The place of a member, given by its name or by a path through embedded structures such as
  /// `sspt.vtdss_pt.common`; `nil` if there is none.
  public func member(_ path: String, of layout: StructLayout) throws(KernelError) -> Member? {
    if let direct = layout.members[path] { return direct }
    guard path.contains(".") else { return nil }
    let key = MemberKey(structure: layout.name, byteCount: layout.byteCount, path: path)
    if let known = members[key] { return known }
    let found = try resolve(path, in: layout)
    members[key] = .some(found)
    return found
  }

  private func resolve(_ path: String, in layout: StructLayout) throws(KernelError) -> Member? {
    // The longest known prefix wins: members of unnamed structures are listed as "outer.inner".
    var split = path.endIndex
    while let dot = path[..<split].lastIndex(of: ".") {
      if let outer = layout.members[String(path[..<dot])] {
        guard case .structure(let name?, _) = outer.shape,
          let inner = try structure(name),
          let rest = try member(String(path[path.index(after: dot)...]), of: inner)
        else { return nil }
        let (offset, overflow) = outer.offset.addingReportingOverflow(rest.offset)
        return overflow ? nil : Member(offset: offset, shape: rest.shape, bits: rest.bits)
      }
      split = dot
    }
    return nil
  }

  private struct MemberKey: Hashable {
    var structure: String
    var byteCount: Int
    var path: String
  }

  // MARK: Objects

  /// The structure `name` at an address.
  public func object(_ name: String, at address: KernelAddress) throws(KernelError) -> KernelObject
  {
    guard address.rawValue != 0 else { throw KernelError(.nullPointer) }
    return KernelObject(self, try requiredStructure(name), at: address)
  }

  /// The structure `name` whose member `path` lies at `address` (the kernel's `container_of`).
  public func container(
    _ name: String, of path: String, at address: KernelAddress
  ) throws(KernelError) -> KernelObject {
    let layout = try requiredStructure(name)
    guard let member = try member(path, of: layout) else {
      throw KernelError(.noMember(structure: name, member: path))
    }
    guard let offset = UInt64(exactly: member.offset), offset <= address.rawValue else {
      throw KernelError(at: address, .malformed("struct \(name) over the end of memory"))
    }
    return KernelObject(self, layout, at: KernelAddress(address.rawValue - offset))
  }
}
