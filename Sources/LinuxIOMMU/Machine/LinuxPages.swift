// SPDX-License-Identifier: Apache-2.0

public import KernelImage
internal import KernelTypes
internal import Memory

/// What the page allocator holds for free, told from `struct page`.
///
/// The first page of a free block says so, together with the block's order. Pages in the per-CPU
/// lists say nothing: they have no reference and no type and are linked into a list, where the later
/// pages of a block that is in use have no neighbours that know them.
///
/// Source: include/linux/page-flags.h, `PageBuddy`; mm/page_alloc.c, `set_buddy_order` and
/// `free_unref_page_commit`. The value that marks a free block is in VMCOREINFO, because kernels
/// differ.
public final class LinuxPages {
  private let image: KernelImage
  private let memoryMap: UInt64
  private let size: UInt64
  private let type: UInt64
  private let order: UInt64
  private let references: UInt64
  private let list: UInt64?
  private let flags: UInt64?
  /// Where a later page of a block names its first one.
  private let head: UInt64?
  private let slabFlag: UInt64?
  private let slabType: UInt32?
  private let buddy: UInt32
  /// Blocks have 2^order pages; the largest order of any x86_64 kernel.
  private static let maximumOrder: UInt64 = 10

  /// - Returns: `nil` where the kernel's types or its note do not tell how free pages look.
  public init?(_ image: KernelImage) {
    guard let layout = try? image.structure("page"),
      let type = try? image.member("page_type", of: layout)
        ?? image.member("_mapcount", of: layout),
      let order = try? image.member("private", of: layout),
      let references = try? image.member("_refcount", of: layout)
        ?? image.member("_count", of: layout),
      let value = image.info.number("PAGE_BUDDY_MAPCOUNT_VALUE"), layout.byteCount >= 32
    else { return nil }
    self.image = image
    // VMEMMAP_START of kernels without its randomisation.
    memoryMap =
      ((try? image.variable("vmemmap_base", as: UInt64.self)) ?? nil) ?? 0xffff_ea00_0000_0000
    size = UInt64(layout.byteCount)
    self.type = UInt64(clamping: type.offset)
    self.order = UInt64(clamping: order.offset)
    self.references = UInt64(clamping: references.offset)
    list = ["pcp_list", "buddy_list", "lru"].lazy.compactMap {
      (try? image.member($0, of: layout)) ?? nil
    }.first.map { UInt64(clamping: $0.offset) }
    buddy = UInt32(truncatingIfNeeded: value)
    func offset(_ member: String) -> UInt64? {
      ((try? image.member(member, of: layout)) ?? nil).map { UInt64(clamping: $0.offset) }
    }
    flags = offset("flags")
    head = offset("compound_head")
    slabType = image.info.number("PAGE_SLAB_MAPCOUNT_VALUE").map { UInt32(truncatingIfNeeded: $0) }
    // The note tells the same as the types, which may take a search of all of them.
    let slab =
      slabType != nil
      ? nil : image.info.number("PG_slab") ?? (try? image.enumerator("PG_slab")) ?? nil
    slabFlag = slab.flatMap { (0..<64).contains($0) ? 1 << UInt64($0) : nil }
  }

  /// Whether several buffers may lie in the page: more than one reference is held to its block, or
  /// it belongs to a slab; `nil` where its `struct page` is not in the dump or does not tell.
  ///
  /// Source: mm/page_frag_cache.c (each fragment holds a reference to the first page of the block),
  /// mm/slub.c.
  public func isDivided(_ frame: UInt64) -> Bool? {
    guard frame < 1 << 40, let head else { return nil }
    var first = memoryMap &+ frame &* size
    guard let link: UInt64 = word(at: first &+ head) else { return nil }
    if link & 1 != 0 { first = link & ~1 }
    guard let count: UInt32 = word(at: first &+ references) else { return nil }
    if count > 1, count <= UInt32(Int32.max) { return true }
    if let slabType {
      guard let word: UInt32 = word(at: first &+ type) else { return nil }
      return word == slabType
    }
    guard let flags, let slabFlag, let word: UInt64 = word(at: first &+ flags) else { return nil }
    return word & slabFlag != 0
  }

  /// Whether the page lies in a free block or in a per-CPU list of free pages; `nil` where its `struct page` is not in the dump.
  public func isFree(_ frame: UInt64) -> Bool? {
    guard frame < 1 << 40, let count: UInt32 = word(of: frame, at: references) else { return nil }
    guard count == 0 else { return false }
    for order in 0...Self.maximumOrder {
      let head = frame & ~((1 << order) - 1)
      if order > 0, head == frame & ~((1 << (order - 1)) - 1), head != frame { continue }
      guard let type: UInt32 = word(of: head, at: type), type == buddy,
        let block: UInt64 = word(of: head, at: self.order), block <= Self.maximumOrder
      else { continue }
      if frame - head < 1 << block { return true }
    }
    return isListed(frame)
  }

  /// Whether a page without reference has no type and both neighbours in a list know it.
  private func isListed(_ frame: UInt64) -> Bool {
    guard let list, let type: UInt32 = word(of: frame, at: type), type == .max,
      let next: UInt64 = word(of: frame, at: list),
      let previous: UInt64 = word(of: frame, at: list + 8), next & 7 == 0, previous & 7 == 0
    else { return false }
    let own = memoryMap &+ frame &* size &+ list
    guard next != own else { return false }
    let back: UInt64? = try? image.reader.littleEndian(at: KernelAddress(next &+ 8))
    let forth: UInt64? = try? image.reader.littleEndian(at: KernelAddress(previous))
    return back == own && forth == own
  }

  private func word<T: FixedWidthInteger & BitwiseCopyable>(
    of frame: UInt64, at offset: UInt64
  ) -> T? {
    // Frames are below 2^40 and structures below 2^16 bytes, so nothing here overflows.
    word(at: memoryMap &+ frame &* size &+ offset)
  }

  private func word<T: FixedWidthInteger & BitwiseCopyable>(at address: UInt64) -> T? {
    try? image.reader.littleEndian(at: KernelAddress(address))
  }
}
