// SPDX-License-Identifier: Apache-2.0

public import Memory
internal import RemappingState

/// A memory request of a PCI function, as it comes to a unit untranslated.
public struct MemoryRequest: Hashable, Sendable {
  public var bus: UInt8
  /// Device in bits 7:3, function in bits 2:0.
  public var devfn: UInt8
  /// 20 bits; `nil` for a request without PASID.
  public var pasid: UInt32?
  public var address: IOVirtualAddress

  public init(bus: UInt8, devfn: UInt8, pasid: UInt32?, address: IOVirtualAddress) {
    self.bus = bus
    self.devfn = devfn
    self.pasid = pasid
    self.address = address
  }
}

/// One remapping unit as requests meet it: the only place that decides what becomes of them.
///
/// The order is the hardware's. A request without PASID into the interrupt address range is never
/// remapped, even with translation off. With translation off every other address is physical.
/// Otherwise the entries decide, then MGAW and the width of the tables, then the page tables, then
/// where they lead.
///
/// Source: VT-d specification, sections 3.4, 3.15, 11.4.2 (MGAW) and 11.4.4 (TE).
public struct RequestResolver: Sendable {
  /// `nil` if the root table is not known.
  public var tables: TranslationTables?
  /// Whether the unit's translation is on (TE).
  public var isTranslating: Bool
  /// `nil` if it is not known what the unit can do; then only bits that no unit allows count as
  /// reserved, and no width but that of the tables bounds an address.
  public var unit: UnitCapabilities?

  public init(tables: TranslationTables?, isTranslating: Bool, unit: UnitCapabilities?) {
    self.tables = tables
    self.isTranslating = isTranslating
    self.unit = unit
  }

  /// What becomes of one request.
  public func resolve(_ request: MemoryRequest) -> RequestTrace {
    let address = request.address.rawValue
    if request.pasid == nil, InterruptWindow.contains(address) {
      return RequestTrace(ending: .interrupt)
    }
    guard isTranslating else {
      return RequestTrace(ending: .untranslated(PhysicalAddress(address)))
    }
    guard let tables else { return RequestTrace(ending: .unknownRoot) }
    let context = tables.lookUp(bus: request.bus, devfn: request.devfn, pasid: request.pasid)
    var trace = RequestTrace(
      ending: .context(context.ending), context: context, isScalable: tables.mode == .scalable)
    guard let path = context.path, path.refusal == nil else { return trace }
    if path.kind == .passThrough {
      trace.ending = passThrough(address, hasPASID: request.pasid != nil)
      return trace
    }
    guard let space = path.addressSpace else {
      trace.ending = .context(.refused(ContextRefusal(.pasidEntry, .noTranslation)))
      return trace
    }
    let translation = PageTableWalk(memory: tables.memory, space: space, unit: unit)
      .translate(request.address)
    trace.space = space
    trace.translation = translation
    trace.ending = .translation(translation.ending)
    return trace
  }

  /// Pass-through: MGAW bounds the address, and with a PASID the interrupt address range is closed.
  private func passThrough(_ address: UInt64, hasPASID: Bool) -> RequestTrace.Ending {
    if hasPASID, InterruptWindow.contains(address) {
      return .translation(.interruptTarget(PhysicalAddress(address)))
    }
    let width = unit?.capability.maximumGuestAddressWidth ?? 64
    return width < 64 && address >> UInt64(width) != 0
      ? .translation(.beyondUnit(width)) : .passThrough(PhysicalAddress(address))
  }
}

/// The way of one request and its end.
public struct RequestTrace: Hashable, Sendable {
  public var ending: Ending
  /// `nil` if the request never came to the tables.
  public var context: ContextTrace?
  /// `nil` if the way ended above the page tables, or needs none.
  public var translation: TranslationTrace?
  public var space: AddressSpace?
  public var isScalable: Bool

  public enum Ending: Hashable, Sendable {
    /// Without PASID, into the interrupt address range: a write is an interrupt, and no translation
    /// takes place. Reads are answered, or refused, by the platform.
    case interrupt
    /// Translation is off: the address is physical.
    case untranslated(PhysicalAddress)
    /// The entry lets the address through as it is.
    case passThrough(PhysicalAddress)
    /// Above the page tables.
    case context(ContextEnding)
    /// At the page tables, or at the unit's width.
    case translation(TranslationEnding)
    /// Nobody knows where the unit's tables are.
    case unknownRoot
  }

  public init(
    ending: Ending, context: ContextTrace? = nil, translation: TranslationTrace? = nil,
    space: AddressSpace? = nil, isScalable: Bool = false
  ) {
    self.ending = ending
    self.context = context
    self.translation = translation
    self.space = space
    self.isScalable = isScalable
  }

  /// The fault that the unit records; `nil` if the request goes through, if it is none of DMA
  /// remapping, or if the dump does not tell.
  public func faultReason(isWrite: Bool) -> FaultReason? {
    switch ending {
    case .interrupt, .untranslated, .passThrough, .unknownRoot: nil
    case .context(let ending): ending.faultReason(isScalable: isScalable)
    case .translation(let ending):
      translation?.faultReason(isWrite: isWrite, isScalable: isScalable)
        ?? ending.faultReason(isWrite: isWrite, isScalable: isScalable)
    }
  }
}

extension RequestTrace.Ending: CustomStringConvertible {
  /// Half a sentence, lower case, no full stop.
  public var description: String {
    switch self {
    case .interrupt:
      "the address is in the interrupt range 0xfee00000 to 0xfeefffff: a write is an interrupt "
        + "request and is never translated, a read is none of DMA remapping"
    case .untranslated: "translation is off in the unit: the address is physical"
    case .passThrough: "pass-through: the address is physical"
    case .context(let ending): ending.description
    case .translation(let ending): ending.description
    case .unknownRoot: "no root table of the unit is known"
    }
  }
}
