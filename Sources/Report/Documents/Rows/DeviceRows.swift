// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

extension Device: DocumentRow {
  static var rowName: String { "device" }
  static var rowMeaning: String { "A device as the kernel believed it." }
  static var blank: Device? { Device(device: .other("")) }

  static func describe<Fields: FieldVisitor>(_ fields: inout Fields) where Fields.Row == Device {
    fields.field("device", \.device, "Its name.")
    fields.field("unit", \.unit, "Name of its unit.")
    fields.field(
      "domainID", \.domainID,
      "Of requests without PASID; null where the kernel attached none.")
    fields.field("aliases", \.aliases, "Other source ids that the device's requests may carry.")
    fields.field("reservedRegions", \.reservedRegions, "Fixed regions of the device, by base.")
    fields.field("group", \.group, "Number of its IOMMU group.")
    fields.field("driver", \.driver, "Name of the bound driver.")
    fields.field(
      "kernelObject", \.kernelObject,
      "Address of its struct device_domain_info, or of the group's domain where it has none.")
    fields.field("domain", \.domain, "Address of the kernel's domain of requests without PASID.")
    fields.field("defaultDomainType", \.defaultDomainType, "Type of the group's default domain.")
    fields.field("pciID", \.pciID, "PCI vendor and device id.", .kind(.pciID))
  }
}

extension DeviceRegion: DocumentRow {
  static var rowName: String { "deviceRegion" }
  static var rowMeaning: String { "A reserved region as one device sees it." }
  static var blank: DeviceRegion? {
    DeviceRegion(
      kind: .other, base: IOVirtualAddress(0), end: IOVirtualAddress(0), mapped: nil)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == DeviceRegion {
    fields.field("kind", \.kind, "Why the region is reserved.")
    fields.field("base", \.base, "First byte.")
    fields.field("end", \.end, "Last byte, inclusive.")
    fields.field(
      "mapped", \.mapped,
      "How this device's tables map the region; null for MSI and where it cannot be told.")
  }
}

extension ReservedRegion: DocumentRow {
  static var rowName: String { "reservedRegion" }
  static var rowMeaning: String {
    "A fixed range that firmware or the kernel takes out of normal use."
  }
  static var blank: ReservedRegion? {
    ReservedRegion(
      kind: .other, segment: nil, base: IOVirtualAddress(0), end: IOVirtualAddress(0),
      devices: [], mapped: nil)
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == ReservedRegion {
    fields.field("kind", \.kind, "Why the region is reserved.")
    fields.field("segment", \.segment, "PCI segment; null where no live device tells it.")
    fields.field("base", \.base, "First byte.")
    fields.field("end", \.end, "Last byte, inclusive.")
    fields.field("devices", \.devices, "Devices that the region is for.")
    fields.field("mapped", \.mapped, "The worst over the devices; null for MSI.")
  }
}

extension ReservedRegion.Kind: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .rmrr: "firmware asks for it (RMRR)."
    case .isa: "the first 16 MiB, for ISA bridges."
    case .msi: "the interrupt window."
    case .other: "another reason."
    }
  }
}

extension ReservedRegion.Coverage: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .identity: "every byte to the same physical address, read and write."
    case .partial: "some bytes so, the rest not at all."
    case .other: "at least one byte to another address or with less than read and write."
    case .absent: "no byte."
    }
  }
}

extension TranslationCacheScope: DocumentRow {
  static var rowName: String { "translationCache" }
  static var rowMeaning: String { "What firmware says of devices that cache translations." }
  static var blank: TranslationCacheScope? { TranslationCacheScope(kind: .atsr, segment: nil) }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == TranslationCacheScope {
    fields.field("kind", \.kind, "Which of firmware's structures it is.")
    fields.field("segment", \.segment, "PCI segment; null where nothing tells it.")
    fields.field(
      "includeAll", \.includeAll, "Whether it stands for every root port of the segment.")
    fields.field(
      "required", \.required,
      "Whether its devices work only with their caches enabled; null for an ATSR, or if not known.")
    fields.field("devices", \.devices, "Root ports, or devices.")
    fields.field("kernelObject", \.kernelObject, "Address of the kernel's structure.")
  }
}

extension TranslationCacheScope.Kind: DocumentChoice {
  var meaning: StaticString {
    switch self {
    case .atsr: "root ports below which devices may."
    case .satc: "devices integrated into the processor that do."
    }
  }
}
