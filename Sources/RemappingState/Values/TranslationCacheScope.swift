// SPDX-License-Identifier: Apache-2.0

public import Memory

/// What firmware says of devices that cache translations (ATS): root ports below which they may (ATSR),
/// and devices of the processor's own that do (SATC).
///
/// Source: VT-d specification, sections 8.5 and 8.8; drivers/iommu/intel/iommu.c, `dmar_ats_supported`.
public struct TranslationCacheScope: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    case atsr
    case satc
  }

  public var kind: Kind
  /// `nil` where neither firmware's structure nor a device tells it.
  public var segment: UInt32?
  /// Of an ATSR: every root port of the segment.
  public var includeAll: Bool
  /// Of an SATC: its devices work only with their caches enabled, which takes scalable mode; `nil` for an
  /// ATSR and where the kernel does not keep it.
  public var required: Bool?
  /// Root ports of an ATSR, devices of an SATC; those that Linux found.
  public var devices: [DeviceName]
  /// The `struct dmar_atsr_unit` or `struct dmar_satc_unit`.
  public var kernelObject: KernelAddress?

  public init(
    kind: Kind, segment: UInt32?, includeAll: Bool = false, required: Bool? = nil,
    devices: [DeviceName] = [], kernelObject: KernelAddress? = nil
  ) {
    self.kind = kind
    self.segment = segment
    self.includeAll = includeAll
    self.required = required
    self.devices = devices
    self.kernelObject = kernelObject
  }
}
