// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import VTd

extension Forecaster {
  /// What the forecast of `linux` comes to for the person who waits for a dump.
  func outlook(_ linux: PolicyForecast) -> Outlook {
    let pairs = zip(devices, linux.devices).map { DeviceOutlook(facts: $0, forecast: $1) }
    let outsiders = Outsider.all(besides: devices, state, facts, options)
    var concerns =
      machineConcerns(pairs, outsiders) + unitConcerns(linux, pairs) + deviceConcerns(pairs)
    // A stable order, so that equal dumps give equal bytes.
    concerns = concerns.enumerated().sorted {
      ($1.element.weight, $0.offset) < ($0.element.weight, $1.offset)
    }.map(\.element)
    let line = options.commandLine
    let spoils: Set<Outlook.Kind> = [.switchedOff, .identityNotAttached, .refused]
    let isSpoiled = concerns.contains { concern in
      spoils.contains(concern.kind) && concern.weight > .note
        && (concern.kind != .refused || line.scalable != nil)
    }
    let answer: Outlook.Answer =
      switch concerns.map(\.weight).max() {
      case .no?: .no
      case .doubt?: .doubtful
      default: .probably
      }
    return Outlook(
      answer: answer, concerns: concerns,
      usesCommandLine: line.words.isEmpty ? nil : !isSpoiled,
      writers: drivers(
        of: pairs.filter(\.isWriter).map { ($0.facts.driver, $0.facts.name) }
          + outsiders.map { ($0.driver, $0.name) }
      ) { _ in "a dump can be written through it" },
      leaveOut: leaveOut(pairs), add: wordsToAdd(pairs, concerns), never: wordsToAvoid(pairs))
  }

  /// Why it is not known what translated, half a sentence; `nil` where every unit is known.
  var unknownUnits: String? {
    guard state.hiddenContexts.lacksUnits else { return nil }
    return state.reasonOfOtherUnits
      ?? "not all remapping units could be read: it is not known what translated"
  }

  /// Whether every unit is known, and none translated at the panic.
  var nothingTranslates: Bool {
    unknownUnits == nil && !state.units.contains { $0.translationEnabled != false }
  }

  /// Why devices may be missing that no unit translates for, half a sentence; `nil` where none is: what a unit
  /// translates for, its tables tell.
  var unknownDevices: String? {
    guard !state.devicesAreComplete,
      nothingTranslates || state.units.contains(where: { $0.translationEnabled == false })
    else { return nil }
    return "not all PCI devices could be read: others may reach all of memory"
  }

  // MARK: Concerns

  private func machineConcerns(
    _ pairs: [DeviceOutlook], _ outsiders: [Outsider]
  ) -> [Outlook.Concern] {
    var concerns: [Outlook.Concern] = []
    if let unknownUnits {
      concerns.append(
        .init(kind: .unknownState, weight: .doubt, devices: [], text: unknownUnits))
    } else if nothingTranslates {
      concerns.append(
        .init(
          kind: .nothingTranslates, weight: .note, devices: [],
          text: "no unit translated at the panic: there is nothing to inherit"))
    }
    if !facts.reservationsAreComplete {
      concerns.append(
        .init(
          kind: .unknownState, weight: .note, devices: [],
          text: "not all of the crash kernel's memory is known (crashk_res, crashk_low_res); "
            + "whether a device can write there is not known without --crash-reservation"))
    } else if facts.reservations.isEmpty {
      concerns.append(
        .init(
          kind: .notReserved, weight: .no, devices: [],
          text: "no memory is reserved for a crash kernel (crashkernel=), so none was loaded"))
    }
    let lost =
      pairs.filter { $0.facts.driverIsUnknown && $0.facts.attaches }.map(\.facts.name)
      + outsiders.filter(\.driverIsUnknown).map(\.name)
    let hasWriter =
      pairs.contains { $0.isWriter && !$0.facts.driverIsUnknown }
      || outsiders.contains { !$0.driverIsUnknown }
    if !lost.isEmpty || !state.devicesAreComplete {
      concerns.append(
        .init(
          kind: .unknownState, weight: hasWriter ? .note : .doubt, devices: lost,
          text: state.devicesAreComplete
            ? "their drivers could not be read: they are taken to have one in the crash kernel too"
            : "not all PCI devices and drivers could be read: what else could write the dump is not known"
        ))
    } else if !facts.classCodes.isEmpty, !hasWriter {
      concerns.append(
        .init(
          kind: .noWriter, weight: options.drivers == nil ? .doubt : .no, devices: [],
          text: options.drivers == nil
            ? "no storage or network device had a driver that mapped anything: nothing could write "
              + "the dump"
            : "none of the drivers that were named has a storage, network or USB device: nothing "
              + "could write the dump"))
    }
    return concerns
  }

  private func unitConcerns(
    _ linux: PolicyForecast, _ pairs: [DeviceOutlook]
  ) -> [Outlook.Concern] {
    var concerns: [Outlook.Concern] = []
    for (unit, forecast) in zip(state.units, linux.units) {
      let own = pairs.filter { $0.facts.unit == unit.name }
      func add(
        _ kind: Outlook.Kind, _ weight: Outlook.Weight, _ devices: [DeviceOutlook], _ text: String
      ) {
        concerns.append(
          .init(
            kind: kind, weight: weight, unit: unit.name, devices: devices.map(\.facts.name),
            text: text))
      }
      guard let translates = unit.translationEnabled else {
        add(.unknownState, .doubt, [], "it is not known whether \(unit.name) translated")
        continue
      }
      guard translates else { continue }
      if forecast.outcome == .disabled || forecast.outcome == .refused {
        let running = own.filter { $0.facts.inFlight && $0.facts.situation == .translated }
        let reason = forecast.reason ?? "the tables are not taken over"
        let text =
          running.isEmpty
          ? "\(unit.name): \(reason); no device "
            + (own.contains { $0.facts.lack != .nothing } ? "is known to have had" : "had")
            + " transfers of its own under way"
          : "\(unit.name): \(reason); until empty tables are loaded the addresses of running "
            + "transfers are taken for physical ones"
            + open(running.reduce(.none) { $0.joined(physicalExposure($1.facts)) })
        add(
          options.commandLine.turnsOff ? .switchedOff : .refused,
          running.isEmpty ? .note : .doubt, running, text)
      }
      let cut = own.filter { $0.facts.inFlight && $0.forecast.at.t2 == .blocked }
      if forecast.outcome == .partial {
        add(
          .incomplete, cut.isEmpty ? .note : .doubt, cut,
          "\(unit.name): \(forecast.reason ?? "some of the tables could not be copied")")
      }
      if forecast.interruptRemapping.outcome == .empty {
        add(
          .interruptsLost, .doubt, [],
          "\(unit.name): interrupts meet an empty remapping table until they are set up again")
      }
    }
    return concerns
  }

  private func deviceConcerns(_ pairs: [DeviceOutlook]) -> [Outlook.Concern] {
    var concerns: [Outlook.Concern] = []
    func add(
      _ kind: Outlook.Kind, _ weight: Outlook.Weight, _ devices: [DeviceOutlook], _ text: String
    ) {
      guard !devices.isEmpty else { return }
      concerns.append(
        .init(kind: kind, weight: weight, devices: devices.map(\.facts.name), text: text))
    }
    let stuck = pairs.filter(\.isStuck)
    let writers = pairs.filter(\.isWriter)
    add(
      .identityNotAttached,
      writers.contains { !$0.isStuck } ? .note : writers.isEmpty ? .note : .no, stuck,
      "the driver is given the identity, which is never attached to an inherited device: its own "
        + "transfers meet the old tables and fail")
    let stale = pairs.filter { isStale($0) }
    add(
      .staleContext, stale.contains(where: \.isWriter) ? .doubt : .note, stale,
      "passed through at the panic, and given a translated domain by the crash kernel: this code "
        + "flushes the unit's cache of the old context before it writes the new one, so the unit may "
        + "go on passing requests through, and the driver times out")
    // Words of the crashed kernel that the crash kernel is taken to have too, for want of its own.
    let rests = options.commandLine.words.isEmpty && facts.defaultIsFromCommandLine != false
    let identical = pairs.filter {
      rests && $0.facts.attaches && !$0.forecast.attaches && $0.facts.situation != .untranslated
    }
    func isDoubtful(_ pair: DeviceOutlook) -> Bool { pair.isWriter && keepsStaleContext(pair) }
    let assumed = identical.filter(isDoubtful)
    add(
      .passThroughAssumed, .note, assumed,
      "passed through at the panic. The crash kernel's command line is not known and taken to ask for "
        + "that again; without iommu=pt there it is doubtful, because the unit may go on passing "
        + "requests through and the driver times out")
    add(
      .identityAssumed, .note, identical.filter { !isDoubtful($0) },
      "the crashed kernel gave their drivers the identity. The crash kernel's command line is not "
        + "known and taken to ask for that again; without iommu=pt there, they are given translated "
        + "domains from T3 on")
    let mapped = pairs.filter {
      $0.facts.situation == .translated && $0.facts.inFlight
        && $0.forecast.at.all.contains(.translated)
    }
    let crash = mapped.filter { spaces($0.facts) { $0.exposure.crash } > 0 }
    add(
      .crashMemoryMapped, .doubt, crash,
      "mappings that stay in force reach the crash kernel's memory"
        + open(crash.reduce(.none) { $0.joined(exposure($1.facts)) }))
    let tables = mapped.filter { spaces($0.facts) { $0.exposure.tables } > 0 }
    add(.tablesMapped, .doubt, tables, "mappings that stay in force reach translation tables")
    add(
      .tablesUnread, .doubt, pairs.filter { $0.facts.lack != .nothing },
      "not all of their contexts and tables are in the dump, so what they reach is not known")
    add(
      .errorFound, .doubt,
      pairs.filter {
        $0.facts.hasErrorFinding && $0.facts.inFlight
          && $0.forecast.at.all.contains { $0 == .translated || $0 == .passThrough }
      },
      "an error was found with the device (see iommuscope report), and what it did goes on")
    let old = pairs.filter { ($0.forecast.iova?.stillLive ?? 0) > 0 }
    add(
      .oldTransfers, .note, old,
      "addresses that are live are among the first that the driver is given: if its device is not "
        + "reset before, an old transfer hits a new buffer")
    add(
      .notTranslated, .note,
      pairs.filter {
        $0.forecast.at.t1 == .passThrough
          || $0.forecast.at.t1 == .physical && $0.facts.situation == .untranslated
      },
      "not translated: nothing but the device itself keeps it from the crash kernel's memory, as on "
        + "a machine without remapping")
    return concerns
  }

  /// In legacy mode an attach may leave the old pass-through entry in the unit's cache.
  private func isStale(_ pair: DeviceOutlook) -> Bool {
    pair.forecast.at.t3 == .remapped && keepsStaleContext(pair)
  }

  private func keepsStaleContext(_ pair: DeviceOutlook) -> Bool {
    pair.facts.situation == .passThrough && !traits.clearsBeforeFlush
      && options.variant != .v2b
      && state.units.contains { $0.name == pair.facts.unit && $0.tableMode == .legacy }
  }

  private func open(_ exposure: Exposure) -> String {
    if exposure.crash > 0 {
      return ": \(exposure.crash) bytes of the crash kernel's memory can be written"
    }
    return exposure.memory > 0 ? ": \(exposure.memory) bytes of RAM can be written" : ""
  }

  private func exposure(_ facts: DeviceFacts) -> Exposure {
    facts.spaces.reduce(.none) { $0.joined(spaces[$1].exposure) }
  }

  private func physicalExposure(_ facts: DeviceFacts) -> Exposure {
    facts.spaces.reduce(.none) { $0.joined(spaces[$1].physicalExposure) }
  }

  private func spaces(_ facts: DeviceFacts, _ bytes: (MappedSpaces.Space) -> UInt64) -> UInt64 {
    facts.spaces.reduce(0) { max($0, bytes(spaces[$1])) }
  }

  // MARK: What to do

  /// Drivers whose attach is what disturbs, and that write no dump.
  private func leaveOut(_ pairs: [DeviceOutlook]) -> [Outlook.Driver] {
    let candidates = pairs.filter {
      $0.forecast.attaches && $0.facts.inFlight && !$0.facts.couldTakeDump
        && $0.facts.classCode != nil && $0.forecast.at.t3 == .remapped
    }
    let stillLive = Set(
      candidates.filter { ($0.forecast.iova?.stillLive ?? 0) > 0 }.map(\.facts.name))
    return drivers(of: candidates.map { ($0.facts.driver, $0.facts.name) }) { devices in
      devices.contains(where: stillLive.contains)
        ? "without it the device keeps to its old buffers; with it an old transfer can hit a new one"
        : "without it the device keeps to its old buffers; with it old transfers fault"
    }
  }

  private func drivers(
    of devices: [(driver: String?, name: DeviceName)], _ reason: ([DeviceName]) -> String
  ) -> [Outlook.Driver] {
    Dictionary(grouping: devices) { $0.driver ?? "" }.filter { !$0.key.isEmpty }.sorted {
      $0.key < $1.key
    }.map {
      let names = $0.value.map(\.name).sorted()
      return Outlook.Driver(driver: $0.key, devices: names, reason: reason(names))
    }
  }

  private func wordsToAdd(
    _ pairs: [DeviceOutlook], _ concerns: [Outlook.Concern]
  ) -> [Outlook.Word] {
    var words: [Outlook.Word] = []
    let line = options.commandLine
    let isPassedThrough = pairs.contains { $0.isWriter && $0.facts.situation == .passThrough }
    if isPassedThrough, line.passThrough != true, !pairs.contains(where: \.isTranslatedInFlight) {
      words.append(
        .init(
          word: "iommu=pt",
          reason: "as the crashed kernel had it: its devices were passed through, and stay so"))
    }
    if concerns.contains(where: { $0.kind == .refused }), let word = ownMode {
      words.append(
        .init(word: word, reason: "the mode of the tables, which cannot change while they are used")
      )
    }
    let old = pairs.filter { ($0.forecast.iova?.stillLive ?? 0) > 0 }
    if !old.isEmpty, !line.resetsDevices {
      words.append(
        .init(
          word: "reset_devices",
          reason: "drivers that know it reset their device first, so that nothing old is under way")
      )
    }
    if !old.isEmpty, !line.forcesWideAddresses, old.allSatisfy({ liveAtTop($0.facts) == 0 }) {
      words.append(
        .init(
          word: "iommu.forcedac=1",
          reason: "new buffers get addresses far from the live ones, for devices that reach beyond "
            + "4 GiB (Linux 5.13 and later)"))
    }
    return words
  }

  private func wordsToAvoid(_ pairs: [DeviceOutlook]) -> [Outlook.Word] {
    var words: [Outlook.Word] = []
    let running = pairs.filter(\.isTranslatedInFlight)
    if !running.isEmpty {
      let exposure = running.reduce(Exposure.none) { $0.joined(physicalExposure($1.facts)) }
      let count = running.count == 1 ? "1 device runs" : "\(running.count) devices run"
      for word in ["intel_iommu=off", "iommu=off"] {
        words.append(
          .init(word: word, reason: "switches translation off while \(count)" + open(exposure)))
      }
    }
    switch ownMode {
    case "intel_iommu=sm_on"?:
      words.append(
        .init(
          word: "intel_iommu=sm_off", reason: "the tables are in scalable mode and would be refused"
        ))
    case "intel_iommu=sm_off"?:
      if state.units.contains(where: {
        ExtendedCapability($0.extendedCapability.rawValue).scalableMode
      }) {
        words.append(
          .init(
            word: "intel_iommu=sm_on", reason: "the tables are in legacy mode and would be refused")
        )
      }
    default: break
    }
    if running.contains(where: \.facts.attaches) {
      words.append(
        .init(
          word: "iommu=pt",
          reason: "the identity is never attached to devices that were translated: their drivers' "
            + "own transfers would fail"))
    }
    return words
  }

  /// The word that asks for the mode that the tables are in; `nil` where units differ.
  private var ownMode: String? {
    let modes = Set(state.units.filter { $0.translationEnabled == true }.map(\.tableMode))
    guard modes.count == 1 else { return nil }
    return switch modes.first {
    case .scalable?: "intel_iommu=sm_on"
    case .legacy?: "intel_iommu=sm_off"
    default: nil
    }
  }
}

/// One device as a person who waits for a dump sees it.
private struct DeviceOutlook {
  var facts: DeviceFacts
  var forecast: DeviceForecast

  var isTranslatedInFlight: Bool { facts.situation == .translated && facts.inFlight }

  /// The crash kernel has a driver for it, and a dump can go to it or through it.
  var isWriter: Bool { facts.attaches && facts.couldTakeDump }

  /// It has a driver whose transfers meet what was inherited, because it is never attached.
  var isStuck: Bool {
    facts.attaches && !forecast.attaches
      && (forecast.at.t3 == .translated || forecast.at.t3 == .blocked)
  }
}
