// SPDX-License-Identifier: Apache-2.0

public import Inheritance
public import Memory
public import RemappingState

/// One dump among many: what matters of it in a row, or why there is nothing to say.
public struct SurveyedDump: Hashable, Sendable {
  /// The file, as it was given or found; of a split dump, the first.
  public var file: String
  /// All files of a split dump.
  public var parts: [String]
  /// Why the dump could not be judged; everything below is unknown then.
  public var failure: Failure?
  public var format: String?
  public var release: String?
  public var buildID: String?
  public var panic: String?
  /// Unix seconds.
  public var crashTime: Int?
  public var typesFrom: String?
  /// The same for two files only if they are of one crash; `nil` where too little tells.
  public var crash: String?
  /// The panic message without its numbers: the same for crashes that are alike.
  public var pattern: String?
  public var units: Units?
  public var devices: Int?
  public var inFlight: InFlight?
  public var findings: FindingCounts?
  public var rules: [RuleCount]
  /// Refused requests in the log; `nil` where no log was read.
  public var faults: Int?
  public var drivers: [DriverUse]
  public var crashKernel: CrashKernelVerdict?
  /// Structures and pages that could not be read.
  public var gaps: Int?
  /// Where work on it ended early; empty where all was looked at.
  public var cuts: [Cut] = []

  /// Why a dump could not be judged.
  public struct Failure: Hashable, Sendable {
    public var kind: Kind
    /// A sentence without full stop.
    public var text: String

    public enum Kind: String, Hashable, Sendable, CaseIterable {
      case notRead = "not-read"
      case timeOut = "time-out"
      case ended
    }

    public init(_ kind: Kind, _ text: String) {
      self.kind = kind
      self.text = text
    }
  }

  public struct Units: Hashable, Sendable {
    public var count: Int
    public var translating: Int
    public var remappingInterrupts: Int
    /// The modes that occur, each once.
    public var modes: [TableMode]

    public init(count: Int, translating: Int, remappingInterrupts: Int, modes: [TableMode]) {
      self.count = count
      self.translating = translating
      self.remappingInterrupts = remappingInterrupts
      self.modes = modes
    }
  }

  public struct InFlight: Hashable, Sendable {
    public var domains: Int
    public var bytes: UInt64

    public init(domains: Int, bytes: UInt64) {
      self.domains = domains
      self.bytes = bytes
    }
  }

  public struct FindingCounts: Hashable, Sendable {
    public var errors: Int
    public var warnings: Int
    public var notes: Int

    public init(errors: Int, warnings: Int, notes: Int) {
      self.errors = errors
      self.warnings = warnings
      self.notes = notes
    }
  }

  /// How often a rule has something to say.
  public struct RuleCount: Hashable, Sendable {
    public var rule: String
    /// The worst of its findings.
    public var severity: Finding.Severity
    public var count: Int

    public init(rule: String, severity: Finding.Severity, count: Int) {
      self.rule = rule
      self.severity = severity
      self.count = count
    }
  }

  /// The devices of one driver, and what they hold of I/O virtual address space.
  public struct DriverUse: Hashable, Sendable {
    /// `nil` for devices without a driver.
    public var driver: String?
    public var devices: Int
    public var mappedBytes: UInt64
    public var leaves: Int
    /// Nodes of the allocators, whatever their state; `nil` where the devices have none.
    public var nodes: Int?
    /// Those of them that nothing is mapped in although a driver holds them.
    public var unmappedNodes: Int?
    /// Whether an error was found with one of the devices.
    public var hasErrors: Bool

    public init(
      driver: String? = nil, devices: Int, mappedBytes: UInt64, leaves: Int, nodes: Int? = nil,
      unmappedNodes: Int? = nil, hasErrors: Bool
    ) {
      self.driver = driver
      self.devices = devices
      self.mappedBytes = mappedBytes
      self.leaves = leaves
      self.nodes = nodes
      self.unmappedNodes = unmappedNodes
      self.hasErrors = hasErrors
    }
  }

  /// What `inherit` foretells.
  public struct CrashKernelVerdict: Hashable, Sendable {
    /// Whether it gets through.
    public var answer: Outlook.Answer
    /// Of the policy `linux`.
    public var verdict: Verdict
    /// What speaks against it, the weightiest first.
    public var concerns: [Outlook.Kind]
    /// Devices with transfers in flight that fault once the new root pointer is in force, or while
    /// the dump is saved: whose faults may become a storm.
    public var faulting: Int

    public init(
      answer: Outlook.Answer, verdict: Verdict, concerns: [Outlook.Kind], faulting: Int
    ) {
      self.answer = answer
      self.verdict = verdict
      self.concerns = concerns
      self.faulting = faulting
    }
  }

  public init(file: String, parts: [String] = [], failure: Failure? = nil) {
    self.file = file
    self.parts = parts
    self.failure = failure
    rules = []
    drivers = []
  }
}

extension SurveyedDump {
  /// What a state comes to.
  ///
  /// - Parameters:
  ///   - forecast: what a crash kernel would find; `nil` where the kernel could not be read.
  public init(
    file: String, parts: [String] = [], state: RemappingState, findings: [Finding],
    forecast: Forecast?
  ) {
    self.init(file: file, parts: parts)
    format = state.dump.format
    release = state.dump.release
    buildID = state.dump.buildID
    panic = state.dump.panic
    crashTime = state.dump.crashTime
    typesFrom = state.dump.typesFrom
    pattern = panic.map(Self.pattern(of:))
    if let time = crashTime, let panic, let kernel = buildID ?? release {
      crash = "\(kernel) \(time) \(panic)"
    }
    units = Units(
      count: state.units.count, translating: state.units.count { $0.translationEnabled == true },
      remappingInterrupts: state.units.count { $0.interruptRemappingEnabled == true },
      modes: TableMode.allCases.filter { mode in state.units.contains { $0.tableMode == mode } })
    devices = state.devices.count
    let flying = state.domains.filter(\.inFlight)
    // Nothing was seen in tables that were not read.
    if !flying.isEmpty || state.tablesAreComplete {
      inFlight = InFlight(
        domains: flying.count,
        bytes: flying.reduce(0) { $0.addingClamped($1.mapping?.bytes ?? 0) })
    }
    self.findings = FindingCounts(
      errors: findings.count { $0.severity == .error },
      warnings: findings.count { $0.severity == .warning },
      notes: findings.count { $0.severity == .info })
    rules = Self.rules(findings)
    faults = state.faults.map { $0.count.addingClamped($0.suppressed) }
    drivers = Self.drivers(state, findings)
    cuts = state.cuts
    gaps = state.observations.reduce(0) { sum, observation in
      observation.kind == .unreadable ? sum.addingClamped(observation.count) : sum
    }
    crashKernel = forecast.map { forecast in
      let linux = forecast.policies.first { $0.policy == .linux }
      return CrashKernelVerdict(
        answer: forecast.outlook.answer, verdict: linux?.verdict ?? .unsafe,
        concerns: forecast.outlook.concerns.filter { $0.weight > .note }.map(\.kind),
        faulting: linux?.devices.count {
          $0.inFlight && ($0.faultReason.t2 != nil || $0.faultReason.t4 != nil)
        } ?? 0)
    }
  }

  /// By rule, in the order of the findings.
  private static func rules(_ findings: [Finding]) -> [RuleCount] {
    var places: [String: Int] = [:]
    var rules: [RuleCount] = []
    // Findings come with the worst first.
    for finding in findings {
      if let place = places[finding.rule] {
        rules[place].count += 1
      } else {
        places[finding.rule] = rules.count
        rules.append(RuleCount(rule: finding.rule, severity: finding.severity, count: 1))
      }
    }
    return rules
  }

  /// By name; devices without a driver last.
  private static func drivers(_ state: RemappingState, _ findings: [Finding]) -> [DriverUse] {
    let faulty = findings.devicesWithErrors
    let byObject = Dictionary(
      grouping: state.domains.indices.filter { state.domains[$0].kernelObject != nil }
    ) { state.domains[$0].kernelObject }
    let byDriver = Dictionary(grouping: state.devices) { $0.driver }
    let names = byDriver.keys.sorted { a, b in
      switch (a, b) {
      case (let a?, let b?): a < b
      case (_?, nil): true
      case (nil, _): false
      }
    }
    return names.map { name in
      let devices = byDriver[name] ?? []
      // Each address space counts once, however many devices or units share it.
      let objects = Set(devices.compactMap(\.domain))
      var use = DriverUse(
        driver: name, devices: devices.count, mappedBytes: 0, leaves: 0,
        hasErrors: devices.contains { faulty.contains($0.device) })
      for object in objects {
        guard let domain = byObject[object]?.first.map({ state.domains[$0] }) else { continue }
        use.mappedBytes = use.mappedBytes.addingClamped(domain.mapping?.bytes ?? 0)
        use.leaves = use.leaves.addingClamped(domain.mapping?.leaves ?? 0)
        guard let iova = domain.iova else { continue }
        use.nodes = (use.nodes ?? 0).addingClamped(iova.allocated.count)
        use.unmappedNodes = (use.unmappedNodes ?? 0)
          .addingClamped(iova.allocated.count { $0.state == .unmapped })
      }
      return use
    }
  }

  /// A message with every number, address and name in brackets taken for the same.
  static func pattern(of message: String) -> String {
    var result = ""
    var word = ""
    func end() {
      let digits = word.hasPrefix("0x") ? word.dropFirst(2) : word[...]
      let isNumber =
        !digits.isEmpty && digits.allSatisfy(\.isHexDigit) && digits.contains(where: \.isNumber)
      result += isNumber ? "#" : word
      word = ""
    }
    for character in message {
      if character.isLetter || character.isNumber || character == "_" {
        word.append(character)
      } else {
        end()
        result.append(character)
      }
    }
    end()
    return result
  }
}

extension FixedWidthInteger {
  /// The sum, or the largest value where it does not fit.
  fileprivate func addingClamped(_ other: Self) -> Self {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
