// SPDX-License-Identifier: Apache-2.0

public import Memory

/// How far a kernel was moved from where it was linked, found in its own image.
public struct ImageOffset: Hashable, Sendable {
  /// Bytes to add to an address of the vmlinux or the System.map.
  public var bytes: UInt64
  /// `uname -r`, as the banner at that place has it; `nil` where the banner's page is absent.
  public var release: String?
  /// Physical address of the kernel's top page table.
  public var pageTable: PhysicalAddress?
}

extension ImageOffset {
  /// Symbols that tell the place, in a table of addresses as they were linked.
  public static let symbols: Set<String> = Set(["linux_banner", "_stext"] + topTables)

  private static let topTables = ["init_top_pgt", "init_level4_pgt", "swapper_pg_dir"]
  /// KASLR moves by multiples of CONFIG_PHYSICAL_ALIGN, which is 2 MiB at least.
  private static let alignment: UInt64 = 1 << 21
  private static let greeting = Array("Linux version ".utf8)

  /// For a dump that says nothing of its kernel: every place to which the kernel can have been moved
  /// is asked whether it is there.
  ///
  /// Two witnesses tell it: the banner's text where `linux_banner` would be, and page tables, where
  /// the top one would be, that map the kernel's text to where it would lie. One of them is enough if
  /// the other is absent from the dump; none may contradict.
  ///
  /// Source: init/version.c, `linux_banner`; arch/x86/boot/compressed/kaslr.c,
  /// `find_random_virt_addr`; arch/x86/kernel/head64.c, `__startup_64`.
  ///
  /// - Parameter linked: addresses as linked, of `symbols` at least.
  /// - Returns: `nil` where no place, or more than one, is right.
  public init?(of linked: SymbolTable, in reader: KernelReader) {
    let linked = SymbolTable(
      linked.addresses.filter { Self.symbols.contains($0.key) }, origin: linked.origin)
    var found: ImageOffset?
    for bytes in stride(from: 0, to: reader.space.imageSize, by: Int(Self.alignment)) {
      guard let place = ImageOffset(moved: bytes, linked, reader) else { continue }
      guard found == nil else { return nil }
      found = place
    }
    guard let found else { return nil }
    self = found
  }

  /// - Returns: `nil` where the kernel was not moved by that many bytes.
  private init?(moved bytes: UInt64, _ linked: SymbolTable, _ reader: KernelReader) {
    let symbols = linked.relocated(by: bytes)
    let banner = Self.banner(symbols, reader)
    let tables = Self.tables(symbols, reader)
    switch (banner, tables) {
    case (.denies, _), (_, .denies), (.absent, .absent): return nil
    case (.says(let release), .says(let top)):
      self.init(bytes: bytes, release: release, pageTable: top)
    case (.says(let release), .absent): self.init(bytes: bytes, release: release)
    case (.absent, .says(let top)): self.init(bytes: bytes, pageTable: top)
    }
  }

  // MARK: Witnesses

  /// What something in the image says of one place.
  private enum Testimony<Fact> {
    /// That the kernel is there.
    case says(Fact)
    /// That it is not.
    case denies
    /// Nothing: the dump lacks it, or the table its symbol.
    case absent
  }

  private static func banner(_ symbols: SymbolTable, _ reader: KernelReader) -> Testimony<String> {
    guard let place = symbols["linux_banner"] else { return .absent }
    guard reader.space.isImage(place) else { return .denies }
    guard let text = try? reader.bytes(at: place, count: greeting.count) else { return .absent }
    guard text == greeting, let rest = place.advanced(by: UInt64(greeting.count)),
      let line = try? reader.string(at: rest),
      let release = line.split(separator: " ", omittingEmptySubsequences: false).first,
      !release.isEmpty
    else { return .denies }
    return .says(String(release))
  }

  private static func tables(
    _ symbols: SymbolTable, _ reader: KernelReader
  ) -> Testimony<PhysicalAddress> {
    guard let text = symbols["_stext"], let top = topTables.lazy.compactMap({ symbols[$0] }).first
    else { return .absent }
    guard reader.space.isImage(text), reader.space.isImage(top),
      let place = reader.space.linear(top), let expected = reader.space.linear(text)
    else { return .denies }
    var isAbsent = false
    for levels in [4, 5] {
      var space = reader.space
      (space.pageTable, space.levels) = (place, levels)
      do throws(KernelError) {
        if try space.translateByTables(text, in: reader.memory) == expected { return .says(place) }
      } catch {
        if case .memory = error.reason { isAbsent = true }
      }
    }
    return isAbsent ? .absent : .denies
  }
}

extension KernelAddressSpace {
  fileprivate func isImage(_ address: KernelAddress) -> Bool {
    address.distance(from: Self.imageBase).map { $0 < imageSize } ?? false
  }
}
