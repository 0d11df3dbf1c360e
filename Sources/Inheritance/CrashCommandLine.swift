// SPDX-License-Identifier: Apache-2.0

internal import RemappingState

/// The words of the crash kernel's command line that change what it inherits.
///
/// Of words that contradict each other the last one counts, as in the kernel.
///
/// Source: drivers/iommu/intel/iommu.c, `intel_iommu_setup`; arch/x86/kernel/pci-dma.c,
/// `iommu_setup`; drivers/iommu/iommu.c, `iommu_set_def_domain_type` and `iommu_dma_setup`;
/// drivers/iommu/dma-iommu.c, `iommu_dma_forcedac_setup`; drivers/iommu/irq_remapping.c,
/// `setup_irqremap`; init/main.c, `set_reset_devices`.
public struct CrashCommandLine: Hashable, Sendable {
  /// As given; empty where nothing is known.
  public var words: [String]

  public init(_ line: String = "") {
    words = line.split { $0 == " " || $0 == "\t" || $0 == "\n" }.map(String.init)
  }

  /// `intel_iommu=off` or `iommu=off`: the driver switches translation off on all units.
  public var turnsOff: Bool {
    StartUp(commandLine: words).asksForTranslation == false
  }

  /// `intel_iommu=sm_on` or `sm_off`; `nil` if the line does not say.
  public var scalable: Bool? { last("intel_iommu") { ["sm_on": true, "sm_off": false][$0] } }

  /// `iommu=pt` or `iommu.passthrough=1`: drivers get the identity domain; `iommu=nopt` or
  /// `iommu.passthrough=0`: they do not. `nil` if the line does not say.
  public var passThrough: Bool? {
    var answer: Bool?
    for word in words {
      if word.hasPrefix("iommu=") {
        for value in word.dropFirst(6).split(separator: ",") {
          if value == "pt" { answer = true } else if value == "nopt" { answer = false }
        }
      } else if word.hasPrefix("iommu.passthrough=") {
        answer = Self.flag(String(word.dropFirst("iommu.passthrough=".count))) ?? answer
      }
    }
    return answer
  }

  /// `iommu.forcedac=1`, or its older name `intel_iommu=forcedac`: addresses are given out from the
  /// top of the device's range at once, and not from 4 GiB downwards first.
  public var forcesWideAddresses: Bool {
    last("iommu.forcedac", Self.flag) ?? last("intel_iommu") { $0 == "forcedac" ? true : nil }
      ?? false
  }

  /// `iommu.strict=1`: what the crash kernel unmaps ends at once and not in batches.
  public var isStrict: Bool? {
    last("iommu.strict", Self.flag) ?? last("intel_iommu") { $0 == "strict" ? true : nil }
  }

  /// `reset_devices`: drivers that know the word reset their device before they use it.
  public var resetsDevices: Bool { words.contains("reset_devices") }

  /// `intremap=off` or `nointremap`.
  public var turnsInterruptRemappingOff: Bool {
    words.contains("nointremap") || last("intremap") { ["on": false, "off": true][$0] } ?? false
  }

  /// A word and what it does to what is inherited.
  public struct Effect: Hashable, Sendable {
    public var word: String
    public var effect: String

    public init(word: String, effect: String) {
      self.word = word
      self.effect = effect
    }
  }

  /// What each word does that a forecast takes into account, in the line's order.
  public var effects: [Effect] {
    parts.compactMap { part in part.effect.map { Effect(word: part.text, effect: $0) } }
  }

  /// The words that no forecast takes into account, in the line's order.
  public var notModelled: [String] { parts.filter { $0.effect == nil }.map(\.text) }

  // MARK: Words

  /// Every word, those with a list of values taken apart.
  private var parts: [(text: String, effect: String?)] {
    words.flatMap { word -> [(String, String?)] in
      guard let place = word.firstIndex(of: "=") else { return [(word, Self.words[word])] }
      let name = String(word[..<place])
      let value = word[word.index(after: place)...]
      guard let known = Self.values[name] else {
        guard let effects = Self.flags[name], let flag = Self.flag(String(value)) else {
          return [(word, nil)]
        }
        return [(word, flag ? effects.on : effects.off)]
      }
      return value.split(separator: ",").map { ("\(name)=\($0)", known[String($0)]) }
    }
  }

  private static let off = "translation is switched off on every unit as soon as the driver starts"
  private static let identity =
    "drivers get the identity, which is never attached to a device that was inherited"
  private static let translated = "drivers get translated domains"

  private static let values: [String: [String: String]] = [
    "intel_iommu": [
      "on": "the driver runs", "off": off,
      "sm_on": "the crash kernel wants scalable mode, where the unit has it",
      "sm_off": "the crash kernel wants legacy mode",
      "forcedac": "addresses are given out from the top of the device's range",
      "strict": "what the crash kernel unmaps is flushed at once; old transfers are not affected",
    ],
    "iommu": ["off": off, "pt": identity, "nopt": translated],
    "intremap": ["on": "interrupts are remapped", "off": "interrupts are not remapped"],
  ]

  private static let flags: [String: (on: String, off: String)] = [
    "iommu.passthrough": (identity, translated),
    "iommu.forcedac": (
      "addresses are given out from the top of the device's range",
      "addresses are given out from 4 GiB downwards first"
    ),
    "iommu.strict": (
      "what the crash kernel unmaps is flushed at once; old transfers are not affected",
      "what the crash kernel unmaps is flushed in batches; old transfers are not affected"
    ),
  ]

  private static let words: [String: String] = [
    "nointremap": "interrupts are not remapped",
    "reset_devices":
      "drivers that know the word reset their device before they use it; a dump does not show which do",
  ]

  /// What `kstrtobool` takes.
  private static func flag(_ text: String) -> Bool? {
    switch text.first {
    case "1", "y", "Y", "t", "T": true
    case "0", "n", "N", "f", "F": false
    case "o", "O":
      switch text.dropFirst().first {
      case "n", "N": true
      case "f", "F": false
      default: nil
      }
    default: nil
    }
  }

  /// The last value of `name` that `meaning` knows.
  private func last(_ name: String, _ meaning: (String) -> Bool?) -> Bool? {
    words.filter { $0.hasPrefix(name + "=") }.flatMap {
      $0.dropFirst(name.count + 1).split(separator: ",")
    }.compactMap { meaning(String($0)) }.last
  }
}
