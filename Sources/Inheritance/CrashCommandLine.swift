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

  /// `iommu=pt` or `iommu.passthrough=1`: drivers get the identity domain; `iommu=nopt` or
  /// `iommu.passthrough=0`: they do not. The last word counts; `nil` if the line does not say.
  ///
  /// Source: arch/x86/kernel/pci-dma.c, `iommu_setup`; drivers/iommu/iommu.c,
  /// `iommu_set_def_domain_type`.
  public var passThrough: Bool? {
    var answer: Bool?
    for word in words {
      if word.hasPrefix("iommu=") {
        for value in word.dropFirst(6).split(separator: ",") {
          if value == "pt" { answer = true } else if value == "nopt" { answer = false }
        }
      } else if word.hasPrefix("iommu.passthrough=") {
        // What `kstrtobool` takes.
        switch word.dropFirst("iommu.passthrough=".count).first {
        case "1", "y", "Y", "t", "T": answer = true
        case "0", "n", "N", "f", "F": answer = false
        default: break
        }
      }
    }
    return answer
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
