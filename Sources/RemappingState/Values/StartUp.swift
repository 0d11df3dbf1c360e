// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// What the kernel was told about remapping when it booted, and what it said of how that went.
public struct StartUp: Hashable, Sendable {
  /// The words of the kernel's command line that are about remapping, in order; `nil` where the line
  /// could not be read.
  public var commandLine: [String]?
  /// The log's lines that tell how the units came up, each once; a log that went on for long has
  /// none any more.
  public var log: [String]

  public init(commandLine: [String]? = nil, log: [String] = []) {
    self.commandLine = commandLine
    self.log = log
  }
}

extension StartUp {
  /// Whether the command line asks for DMA remapping; `nil` where it says nothing of it or was not read.
  /// Of `intel_iommu=` the last word counts; `iommu=off` overrules it.
  ///
  /// Source: drivers/iommu/intel/iommu.c, `intel_iommu_setup` and `intel_iommu_init`;
  /// arch/x86/kernel/pci-dma.c, `iommu_setup`.
  public var asksForTranslation: Bool? {
    var asked: Bool?
    for word in commandLine ?? [] {
      guard let equals = word.firstIndex(of: "=") else { continue }
      let values = word[word.index(after: equals)...].split(separator: ",")
      switch word[..<equals] {
      case "iommu" where values.contains("off"): return false
      case "intel_iommu":
        for value in values where value == "on" || value == "off" { asked = value == "on" }
      default: break
      }
    }
    return asked
  }

  /// The words of a command line that change what the remapping driver, interrupt remapping or VFIO
  /// do, in order.
  ///
  /// Source: Documentation/admin-guide/kernel-parameters.txt; `intel_iommu_setup`, `iommu_setup`,
  /// `setup_irqremap`.
  public static func words(of line: String) -> [String] {
    line.split { $0 == " " || $0 == "\t" || $0 == "\n" }.filter { word in
      exact.contains { word == $0 } || beginnings.contains { word.hasPrefix($0) }
    }.map(String.init)
  }

  private static let exact = ["nointremap", "nox2apic", "reset_devices"]
  private static let beginnings = [
    "intel_iommu=", "iommu=", "iommu.", "intremap=", "swiotlb=", "vfio_iommu_type1.", "vfio-pci.",
    "vfio_pci.", "iommufd.", "pci=noats", "x2apic_phys", "tboot", "intel_iommu.", "amd_iommu=",
  ]

  /// Whether a message of the log tells how the units came up.
  ///
  /// Source: drivers/iommu/intel/iommu.c, irq_remapping.c and dmar.c; drivers/iommu/iommu.c,
  /// `iommu_subsys_init`.
  public static func tells(_ message: String) -> Bool {
    heads.contains { message.hasPrefix($0) } && sayings.contains { message.hasBytes(of: $0) }
  }

  private static let heads = [
    "DMAR: ", "DMAR-IR: ", "iommu: ", "x2apic: ", "Intel-IOMMU", "PCI-DMA:",
  ]
  private static let sayings = [
    "IOMMU enabled", "IOMMU disabled", "platform opt in", "scalable mode", "Disable GFX device",
    "Forcing DAC", "batch", "supported super page", "Host address width", "Default domain type",
    "invalidation policy", "Enabled IRQ remapping", "doesn't support X2APIC", "x2apic opt out",
    "no_x2apic_optout", "Virtualization Technology for Directed I/O", "Hardware identity mapping",
    "Using Queued invalidation", "Using Register based invalidation", "identity mapping",
    "Translation already enabled", "Translation was enabled", "Copied translation tables",
    "Failed to copy", "tboot", "Software I/O TLB", "swiotlb", "no_platform_optin",
    "SVM capable", "Intel(R) VT-d", "quirk", "evice scope", "Initialization failed",
    "DMAR table failure", "Unable to map DMAR", "Invalid DMAR haw", "No DMAR devices found",
    "No supported address widths", "enable irq remapping", "Not enabling interrupt remapping",
    "interrupt remapping will be disabled",
  ]
}
