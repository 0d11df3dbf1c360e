// SPDX-License-Identifier: Apache-2.0

public import Evidence
internal import KernelImage
internal import KernelTypes
internal import Memory
internal import VTd

/// Tells what pages were used for, from the kernel's `struct page` array.
///
/// Works without the page's own bytes, so also for pages that a filter removed.
///
/// Source: include/linux/mm_types.h, include/linux/page-flags.h, mm/slab.h.
public final class PageClassifier {
  /// The symbols that page descriptors and the kernel's own pages are found by.
  public static let symbols: Set<String> = ["vmemmap_base", "_stext", "_etext", "_end"]

  private let memory: any PhysicalMemory
  private let image: KernelImage?
  private let ranges: [Range<UInt64>]
  /// The pages of the units' tables and queues.
  let tables: TableInventory
  private let layout: Layout?
  private let problem: String?
  private var names: [UInt64: String?] = [:]

  /// What a kernel's `struct page` looks like.
  private struct Layout {
    var base: KernelAddress
    var size: UInt64
    var slabFlag: UInt64?
    var slabType: UInt32?
    var tableType: TableType
    var reservedFlag: UInt64?
    var head: HeadForm
    /// Structure and member that lead to a slab's cache.
    var slab: (structure: String, member: String)?
    var text: ClosedRange<UInt64>?
    var data: ClosedRange<UInt64>?
  }

  /// How page tables are marked.
  private enum TableType {
    /// The top byte of `page_type`; since Linux v6.12.
    case number(UInt32)
    /// A bit of `page_type` that is clear where the bits of `base` are set; before that.
    case clearBit(UInt32, base: UInt32)
    case none
  }

  /// How a tail page leads to its head.
  private enum HeadForm {
    case pointer(String)
    /// Since Linux 7.1: a mask that rounds the tail's address down, tagged like the pointer.
    case mask(String)
    /// Up to Linux v4.3: a pointer that counts where a flag of the page says that it is a tail.
    case flagged(String, flag: UInt64)
    case none
  }

  public init(_ evidence: DumpEvidence) {
    memory = evidence.memory
    image = evidence.kernel?.image
    ranges = evidence.memory.memoryFrames
    tables = TableInventory(evidence)
    var layout: Layout?
    var problem: String?
    if let image {
      do {
        layout = try Self.layout(image)
      } catch {
        problem = error.description
      }
    } else {
      problem = "the kernel's structures were not read"
    }
    self.layout = layout
    self.problem = problem
  }

  private static func layout(_ image: KernelImage) throws(KernelError) -> Layout {
    let page = try image.requiredStructure("page")
    // Without a variable the base is fixed.
    let fixed: UInt64 =
      image.info.number("pgtable_l5_enabled") == 1
      ? 0xffd4_0000_0000_0000 : 0xffff_ea00_0000_0000
    let base = try image.variable("vmemmap_base", as: UInt64.self) ?? fixed
    var layout = Layout(
      base: KernelAddress(base), size: UInt64(page.byteCount), tableType: .none, head: .none)
    func flag(_ name: String) throws(KernelError) -> UInt64? {
      guard let bit = try image.enumerator(name), (0..<64).contains(bit) else { return nil }
      return 1 << UInt64(bit)
    }
    if let value = image.info.number("PAGE_SLAB_MAPCOUNT_VALUE") {
      layout.slabType = UInt32(truncatingIfNeeded: value)
    } else {
      layout.slabFlag = try flag("PG_slab")
    }
    layout.reservedFlag = try flag("PG_reserved")
    layout.tableType = try tableType(image)
    if try image.has("page", "compound_info") {
      layout.head =
        page.byteCount.nonzeroBitCount == 1 ? .mask("compound_info") : .pointer("compound_info")
    } else if try image.has("page", "compound_head") {
      layout.head = .pointer("compound_head")
    } else if try image.has("page", "first_page"), let tail = try flag("PG_tail") {
      layout.head = .flagged("first_page", flag: tail)
    }
    if try image.has("slab", "slab_cache") {
      layout.slab = ("slab", "slab_cache")
    } else if try image.has("page", "slab_cache") {
      layout.slab = ("page", "slab_cache")
    }
    func range(_ first: String, _ last: String) -> ClosedRange<UInt64>? {
      guard let start = image.symbol(first), let end = image.symbol(last),
        let low = image.reader.space.linear(start), let high = image.reader.space.linear(end),
        low < high
      else { return nil }
      return low.rawValue...(high.rawValue - 1)
    }
    layout.text = range("_stext", "_etext")
    layout.data = range("_etext", "_end")
    return layout
  }

  /// How this kernel marks its page tables.
  ///
  /// Source: include/linux/page-flags.h. The bits are an enumeration in Linux v6.11, where they moved to
  /// the upper half of the word and the base to its top bit; up to v6.10 they were macros.
  private static func tableType(_ image: KernelImage) throws(KernelError) -> TableType {
    if let number = try image.enumerator("PGTY_table") {
      return .number(UInt32(truncatingIfNeeded: number))
    }
    guard try image.has("page", "page_type") else { return .none }
    if let value = try image.enumerator("PG_table") {
      let bit = UInt32(truncatingIfNeeded: value)
      let base = try image.enumerator("PAGE_TYPE_BASE").map { UInt32(truncatingIfNeeded: $0) }
      return .clearBit(bit, base: base ?? (bit >> 16 == 0 ? 0xf000_0000 : 0x8000_0000))
    }
    // The bit moved down when PG_kmemcg, below it, went away with `page.mem_cgroup` (in v5.11).
    return .clearBit(try image.has("page", "memcg_data") ? 0x200 : 0x400, base: 0xf000_0000)
  }

  // MARK: One page

  /// The state of one page, by its frame number.
  public func state(_ frame: UInt64) -> PageState {
    if let table = tables.words(frame) { return PageState(.iommuTable, table) }
    let isMemory = ranges.contains { $0.contains(frame) }
    guard let layout, let image else { return PageState(isMemory ? .unknown : .mmio, problem) }
    do {
      let state = try state(frame, image, layout)
      // Of what the dump does not describe, only reserved memory is sure to be any.
      guard isMemory || state.kind == .reserved else { return PageState(.mmio) }
      // Memory of the image that was freed after boot is what it is now.
      guard state.kind == .reserved else { return state }
      let address = frame << 12
      if let text = layout.text, text.contains(address) { return PageState(.kernelText) }
      if let data = layout.data, data.contains(address) { return PageState(.kernelData) }
      return isMemory ? state : PageState(.reserved, "not memory that the dump describes")
    } catch {
      return isMemory ? PageState(.unknown, error.description) : PageState(.mmio)
    }
  }

  private func state(
    _ frame: UInt64, _ image: KernelImage, _ layout: Layout
  ) throws(KernelError) -> PageState {
    let (offset, overflow) = frame.multipliedReportingOverflow(by: layout.size)
    guard !overflow, let place = layout.base.advanced(by: offset) else {
      return PageState(.unknown, "frame \(frame.hexadecimal) has no page descriptor")
    }
    let page = try image.object("page", at: place)
    let head = try self.head(of: page, image, layout)
    let flags = try head.unsigned("flags")
    let type = UInt32(truncatingIfNeeded: try head.unsigned("_mapcount"))
    if let slabFlag = layout.slabFlag, flags & slabFlag != 0 || layout.slabType == type {
      return PageState(.slab, try cacheName(head, image, layout))
    }
    if let slabType = layout.slabType, slabType == type {
      return PageState(.slab, try cacheName(head, image, layout))
    }
    if let reservedFlag = layout.reservedFlag, try page.unsigned("flags") & reservedFlag != 0 {
      return PageState(.reserved)
    }
    switch layout.tableType {
    case .number(let number) where type >> 24 == number: return PageState(.pageTable)
    // With the base of all types, so that an ordinary map count is none; a page without any type has
    // all bits set.
    case .clearBit(let bit, let base) where type & (base | bit) == base:
      return PageState(.pageTable)
    default: break
    }
    // The count was plain `_count` up to Linux v4.5.
    let count = try head.has("_refcount") ? "_refcount" : "_count"
    if try head.unsigned(count) == 0 { return PageState(.free) }
    if try head.has("pp_magic"), try head.unsigned("pp_magic") & ~3 == 0xdead_0000_0000_0040 {
      return PageState(.pagePool)
    }
    let mapping = try head.unsigned("mapping")
    if mapping & 1 != 0 { return PageState(.anonymous) }
    if mapping != 0, mapping & 2 == 0, mapping >> 63 == 1 {
      return PageState(.pageCache, file(mapping, image))
    }
    return PageState(.kernel)
  }

  private func head(
    of page: KernelObject, _ image: KernelImage, _ layout: Layout
  ) throws(KernelError) -> KernelObject {
    switch layout.head {
    case .pointer(let member):
      let word = try page.unsigned(member)
      return word & 1 == 0 ? page : try image.object("page", at: KernelAddress(word - 1))
    case .mask(let member):
      let word = try page.unsigned(member)
      guard word & 1 != 0 else { return page }
      return try image.object("page", at: KernelAddress(page.address.rawValue & (word & ~1)))
    case .flagged(let member, let tail):
      guard try page.unsigned("flags") & tail != 0 else { return page }
      return try page.target(member, as: "page") ?? page
    case .none: return page
    }
  }

  private func cacheName(
    _ head: KernelObject, _ image: KernelImage, _ layout: Layout
  ) throws(KernelError) -> String? {
    guard let (structure, member) = layout.slab else { return nil }
    let slab = try image.object(structure, at: head.address)
    let cache = try slab.pointer(member)
    if let known = names[cache.rawValue] { return known }
    let name = try? image.object("kmem_cache", at: cache).string("name")
    names[cache.rawValue] = name
    return name
  }

  /// `inode 12 of sda1`; the parts that cannot be read are left out.
  private func file(_ mapping: UInt64, _ image: KernelImage) -> String? {
    guard
      let host = try? image.object("address_space", at: KernelAddress(mapping)).target(
        "host", as: "inode"), let number = try? host.unsigned("i_ino")
    else { return nil }
    let name = (try? host.target("i_sb", as: "super_block")?.string("s_id")) ?? nil
    return "inode \(number)" + (name.map { " of \($0)" } ?? "")
  }
}
