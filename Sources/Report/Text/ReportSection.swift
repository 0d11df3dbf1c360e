// SPDX-License-Identifier: Apache-2.0

/// A part of the text report that a reader can ask for.
public enum ReportSection: String, CaseIterable, Hashable, Sendable {
  case summary
  case units
  case contexts
  case domains
  case devices
  case reserved
  case memory
  case iova
  case interrupts
  case findings
  case missing

  var title: String {
    switch self {
    case .summary: "SUMMARY"
    case .units: "REMAPPING UNITS"
    case .contexts: "CONTEXTS: what the hardware would see"
    case .domains: "DOMAINS AND THEIR MAPPINGS"
    case .devices: "DEVICES: what the kernel believed"
    case .reserved: "RESERVED REGIONS and how they are mapped"
    case .memory: "PHYSICAL MEMORY: what lies where"
    case .iova: "IOVA ALLOCATOR"
    case .interrupts: "INTERRUPT REMAPPING AND INVALIDATION QUEUES"
    case .findings: "FINDINGS"
    case .missing: "WHAT IS MISSING OR ODD"
    }
  }
}
