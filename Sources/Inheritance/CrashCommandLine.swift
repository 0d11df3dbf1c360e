// SPDX-License-Identifier: Apache-2.0

/// The words of the crash kernel's command line that change what it inherits.
public struct CrashCommandLine: Hashable, Sendable {
  /// As given; empty where nothing is known.
  public var words: [String]

  public init(_ line: String = "") {
    words = line.split { $0 == " " || $0 == "\t" || $0 == "\n" }.map(String.init)
  }

  /// `intel_iommu=off` or `iommu=off`: the driver switches translation off on all units.
  public var turnsOff: Bool {
    option("intel_iommu").contains("off") || option("iommu").contains("off")
  }

  /// `intel_iommu=sm_on` or `sm_off`; `nil` if the line does not say.
  public var scalable: Bool? {
    let values = option("intel_iommu")
    if values.contains("sm_off") { return false }
    return values.contains("sm_on") ? true : nil
  }

  /// `iommu=pt` or `iommu.passthrough=1`: drivers get the identity domain.
  public var passThrough: Bool {
    option("iommu").contains("pt") || option("iommu.passthrough").contains("1")
  }

  /// `intremap=off` or `nointremap`.
  public var turnsInterruptRemappingOff: Bool {
    option("intremap").contains("off") || words.contains("nointremap")
  }

  private func option(_ name: String) -> [Substring] {
    words.filter { $0.hasPrefix(name + "=") }.flatMap {
      $0.dropFirst(name.count + 1).split(separator: ",")
    }
  }
}
