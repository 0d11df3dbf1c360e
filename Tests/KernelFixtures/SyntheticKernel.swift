// SPDX-License-Identifier: Apache-2.0

public import KernelImage
public import KernelTypes
public import Memory
public import MemoryFixtures

/// A kernel that consists of what a test puts into it.
///
/// Objects live in the direct map, one after another; symbols are whatever addresses the test names.
public final class SyntheticKernel {
  public let memory: SyntheticMemory
  public let types: FixtureTypes
  public var space: KernelAddressSpace
  public var symbols: [String: [KernelAddress]] = [:]
  /// Lines of VMCOREINFO.
  public var notes: [String] = []
  /// CPUs that per-CPU objects get a copy for.
  public let cpuCount: Int

  private var nextFree = PhysicalAddress(0x10_0000)
  private var nextPerCPU: UInt64 = 0x1_0000
  private let perCPUAreas: PhysicalAddress
  /// Whether variables are named by their place in the kernel's image, as a dump's own symbol table
  /// names them, or by their place in the direct map.
  public let symbolsLieInImage: Bool
  private static let perCPUAreaSize: UInt64 = 0x10_0000

  /// - Parameter cpuCount: up to 64; 0 leaves out everything that belongs to per-CPU data.
  /// - Parameter perCPUAreas: where the CPUs' areas begin, 1 MiB for each.
  public init(
    cpuCount: Int = 2, perCPUAreas: PhysicalAddress = PhysicalAddress(0x4000_0000),
    symbolsLieInImage: Bool = false,
    altering alter: ((_ structure: String, _ declaration: String) -> String)? = nil
  ) {
    self.perCPUAreas = perCPUAreas
    self.symbolsLieInImage = symbolsLieInImage
    memory = SyntheticMemory()
    types = FixtureTypes()
    types.alter = alter
    space = KernelAddressSpace(
      physBase: 0x8_0000, directMapBase: KernelAddress(0xffff_8880_0000_0000))
    self.cpuCount = cpuCount
    defineBasics()
    if cpuCount > 0 { makeCPUs() }
  }

  /// The kernel as the readers see it.
  ///
  /// - Parameter memory: other contents, such as a damaged copy.
  public func image(memory: (any PhysicalMemory)? = nil) -> KernelImage {
    KernelImage(
      info: VMCoreInfo(Array(notes.joined(separator: "\n").utf8)),
      reader: KernelReader(memory ?? self.memory, space),
      symbols: SymbolTable(symbols, origin: .kallsyms), types: types)
  }

  private func defineBasics() {
    types.define("list_head", "list_head *next", "list_head *prev")
    types.define("rb_node", "ulong __rb_parent_color", "rb_node *rb_right", "rb_node *rb_left")
    types.define("rb_root", "rb_node *rb_node")
    types.define("xarray", "u32 xa_lock", "u32 xa_flags", "void *xa_head")
    types.define(
      "xa_node", "u8 shift", "u8 offset", "u8 count", "u8 nr_values", "xa_node *parent",
      "xarray *array", "list_head private_list", "void *slots[64]", "ulong tags[3]")
    types.define("ida", "xarray xa")
    types.define("atomic64_t", "s64 counter")
    types.define("cpumask", "ulong bits[2]")
  }

  // MARK: Memory

  /// Room for `count` bytes of zeros in the direct map.
  public func allocate(_ count: Int, alignment: UInt64 = 64) -> KernelAddress {
    let start = (nextFree.rawValue + alignment - 1) & ~(alignment - 1)
    nextFree = PhysicalAddress(start + UInt64(max(count, 1)))
    memory.write([UInt8](repeating: 0, count: max(count, 1)), at: PhysicalAddress(start))
    return virtual(PhysicalAddress(start))
  }

  /// A page of zeros of its own.
  public func allocatePage() -> KernelAddress { allocate(Page.size, alignment: 4096) }

  /// The address of a physical page in the direct map.
  public func virtual(_ physical: PhysicalAddress) -> KernelAddress {
    KernelAddress(space.directMapBase.rawValue + physical.rawValue)
  }

  /// The same byte as `address`, seen through the kernel image's range.
  public func inImage(_ address: KernelAddress) -> KernelAddress {
    KernelAddress(
      KernelAddressSpace.imageBase.rawValue
        + UInt64(Int64(physical(address).rawValue) - space.physBase))
  }

  public func physical(_ address: KernelAddress) -> PhysicalAddress {
    guard let physical = space.linear(address) else {
      preconditionFailure("\(address) is not in the direct map")
    }
    return physical
  }

  public func write(_ bytes: [UInt8], at address: KernelAddress) {
    memory.write(bytes, at: physical(address))
  }

  public func write<T: FixedWidthInteger>(_ value: T, at address: KernelAddress) {
    write(
      (0..<T.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> T($0 * 8)) }, at: address)
  }

  public func word(at address: KernelAddress) -> UInt64 {
    memory.read(at: physical(address), count: 8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  public func setAbsence(_ absence: Absence?, at address: KernelAddress) {
    memory.setAbsence(absence, at: physical(address))
  }

  /// Text with its zero byte.
  public func string(_ text: String) -> KernelAddress {
    let address = allocate(text.utf8.count + 1, alignment: 8)
    write(Array(text.utf8), at: address)
    return address
  }

  /// A bitmap with the given bits set.
  public func bitmap(_ bits: [Int], count: Int) -> KernelAddress {
    var bytes = [UInt8](repeating: 0, count: (count + 7) / 8)
    for bit in bits { bytes[bit / 8] |= 1 << UInt8(bit % 8) }
    let address = allocate(bytes.count)
    write(bytes, at: address)
    return address
  }

  // MARK: Objects

  /// A new object of zeros, with some members set.
  public func make(_ name: String, _ values: [String: UInt64] = [:]) -> FixtureObject {
    let object = object(name, at: allocate(layout(name).byteCount))
    object.set(values)
    return object
  }

  /// The structure that lies at an address.
  public func object(_ name: String, at address: KernelAddress) -> FixtureObject {
    FixtureObject(kernel: self, layout: layout(name), address: address)
  }

  private func layout(_ name: String) -> StructLayout {
    guard let layout = try? types.structure(named: name) else {
      preconditionFailure("no struct \(name)")
    }
    return layout
  }

  // MARK: Symbols

  /// The address that something with a name goes by.
  public func named(_ address: KernelAddress) -> KernelAddress {
    guard symbolsLieInImage, address.rawValue >> 63 != 0,
      address.rawValue < KernelAddressSpace.imageBase.rawValue
    else { return address }
    return inImage(address)
  }

  public func symbol(_ name: String, _ address: KernelAddress) {
    let address = named(address)
    symbols[name, default: []].append(address)
  }

  /// An integer variable of that name.
  @discardableResult
  public func variable<T: FixedWidthInteger>(_ name: String, _ value: T) -> KernelAddress {
    let address = allocate(T.bitWidth / 8)
    write(value, at: address)
    symbol(name, address)
    return address
  }

  /// An empty list whose head has that name.
  @discardableResult
  public func listHead(_ name: String) -> KernelAddress {
    let address = named(allocate(16))
    link([], at: address)
    symbol(name, address)
    return address
  }

  // MARK: Per-CPU data

  private func makeCPUs() {
    let mask = make("cpumask")
    for cpu in 0..<cpuCount {
      mask.setElement("bits", cpu / 64, mask.element("bits", cpu / 64) | 1 << UInt64(cpu % 64))
    }
    symbol("__cpu_possible_mask", mask.address)
    let offsets = allocate(cpuCount * 8)
    for cpu in 0..<cpuCount {
      write(
        virtual(perCPUArea(cpu)).rawValue, at: KernelAddress(offsets.rawValue + UInt64(cpu) * 8))
    }
    symbol("__per_cpu_offset", offsets)
  }

  /// One past the last byte that was handed out.
  public var end: PhysicalAddress { nextFree }

  private func perCPUArea(_ cpu: Int) -> PhysicalAddress {
    PhysicalAddress(perCPUAreas.rawValue + UInt64(cpu) * Self.perCPUAreaSize)
  }

  /// A per-CPU object: the pointer as the kernel stores it, and every CPU's copy.
  public func makePerCPU(_ name: String) -> (pointer: KernelAddress, copies: [FixtureObject]) {
    let size = layout(name).byteCount
    return makePerCPU(name, byteCount: size)
  }

  /// Likewise, with more bytes than the structure has, for what follows a flexible array.
  public func makePerCPU(
    _ name: String, byteCount: Int
  ) -> (pointer: KernelAddress, copies: [FixtureObject]) {
    let pointer = nextPerCPU
    nextPerCPU += (UInt64(byteCount) + 63) & ~63
    precondition(nextPerCPU < Self.perCPUAreaSize, "per-CPU area is full")
    let copies = (0..<cpuCount).map { cpu in
      let place = PhysicalAddress(perCPUArea(cpu).rawValue + pointer)
      memory.write([UInt8](repeating: 0, count: byteCount), at: place)
      return object(name, at: virtual(place))
    }
    return (KernelAddress(pointer), copies)
  }
}

/// A structure in a synthetic kernel, with members read and written by name or path.
public struct FixtureObject {
  public let kernel: SyntheticKernel
  public let layout: StructLayout
  public let address: KernelAddress

  /// Size of the structure in bytes.
  public var byteCount: Int { layout.byteCount }

  public func has(_ path: String) -> Bool {
    kernel.types.member(path, of: layout.name) != nil
  }

  private func member(_ path: String) -> Member {
    guard let member = kernel.types.member(path, of: layout.name) else {
      preconditionFailure("struct \(layout.name) has no member \(path)")
    }
    return member
  }

  public func address(of path: String) -> KernelAddress {
    KernelAddress(address.rawValue + UInt64(member(path).offset))
  }

  public func object(_ path: String) -> FixtureObject {
    guard case .structure(let name?, _) = member(path).shape else {
      preconditionFailure("struct \(layout.name) member \(path) is no structure")
    }
    return kernel.object(name, at: address(of: path))
  }

  public subscript(_ path: String) -> UInt64 {
    get {
      let member = member(path)
      let word = kernel.word(at: address(of: path))
      let bits = member.bits ?? 0..<(member.shape.byteCount ?? 8) * 8
      return word >> UInt64(bits.lowerBound) & mask(bits.count)
    }
    nonmutating set {
      let member = member(path)
      let place = address(of: path)
      let size = member.shape.byteCount ?? 8
      let bits = member.bits ?? 0..<size * 8
      let old = kernel.word(at: place)
      let field = mask(bits.count) << UInt64(bits.lowerBound)
      let word = old & ~field | newValue << UInt64(bits.lowerBound) & field
      let bytes = (bits.upperBound + 7) / 8
      kernel.write((0..<bytes).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }, at: place)
    }
  }

  private func mask(_ width: Int) -> UInt64 { width >= 64 ? .max : (1 << UInt64(width)) - 1 }

  /// Sets members that must exist.
  public func set(_ values: [String: UInt64]) {
    for (path, value) in values { self[path] = value }
  }

  /// Sets those members that this kernel has.
  public func offer(_ values: [String: UInt64]) {
    for (path, value) in values where has(path) { self[path] = value }
  }

  /// Copies text into a `char` array.
  public func setText(_ path: String, _ text: String) {
    kernel.write(Array(text.utf8) + [0], at: address(of: path))
  }

  private func place(_ path: String, _ index: Int) -> (KernelAddress, Int) {
    guard case .array(let element, _) = member(path).shape, let size = element.byteCount else {
      preconditionFailure("struct \(layout.name) member \(path) is no array")
    }
    return (KernelAddress(address(of: path).rawValue + UInt64(index * size)), size)
  }

  public func element(_ path: String, _ index: Int) -> UInt64 {
    let (place, size) = place(path, index)
    return kernel.word(at: place) & mask(size * 8)
  }

  public func setElement(_ path: String, _ index: Int, _ value: UInt64) {
    let (place, size) = place(path, index)
    kernel.write((0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }, at: place)
  }
}
