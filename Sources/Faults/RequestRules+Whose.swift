// SPDX-License-Identifier: Apache-2.0

internal import Evidence
internal import Memory
internal import RemappingState
internal import Translation

/// Whose line it is: whose tables and whose units could have refused the request.
extension RequestRules {
  /// The dump has no unit that could have refused the request.
  func noUnit() -> Verdict {
    if facts.translation.outcome == .untranslated, !facts.isOfCrashKernel,
      let unit = facts.translation.unit
    {
      return .fits(
        Diagnosis(
          .noUnit,
          "\(unit) did not translate at the panic, and refused nothing: the line is from before it was "
            + "switched off, or from another kernel or machine",
          confirm: "which kernel wrote the line; --of crash-kernel takes it for the crash kernel's")
      )
    }
    guard facts.translation.unit == nil else { return .silent }
    if let why = absenceOfUnits {
      return .fits(
        Diagnosis(
          .noUnit, "\(why): the line is from another kernel or another machine",
          confirm: "which kernel wrote the line; --of crash-kernel takes it for the crash kernel's")
      )
    }
    let segments = Set(facts.evidence.state.units.map(\.segment)).sorted()
    let wanted = facts.fault.device.segment
    guard !segments.contains(wanted) else {
      return .fits(
        Diagnosis(
          .noUnit,
          "the units of segment \(wanted) in this dump have no root table: translation was off, or "
            + "the kernel did not use them"))
    }
    let have = segments.map(String.init).joined(separator: ", ")
    return .fits(
      Diagnosis(
        .noUnit,
        "no unit of segment \(wanted) is in this dump"
          + (have.isEmpty ? "" : " (it has units of segment \(have))")
          + ": the line comes from another machine, or Linux did not use that unit",
        confirm: "the machine's own log: lines 'DMAR: dmarN: reg_base_addr' name every unit"))
  }

  /// Why no unit of VT-d's can have refused anything under this kernel; `nil` where one may have.
  private var absenceOfUnits: String? {
    let state = facts.evidence.state
    if let others = state.otherUnits {
      return "the kernel has no unit of VT-d, whose driver alone writes such lines"
        + (others.isEmpty ? "" : " (\(others.joined(separator: ", ")) is another driver's)")
    }
    return state.hasNoUnit ? "the kernel has no remapping unit that could have refused it" : nil
  }

  /// The line fits the crash kernel better than the kernel of the dump, or is said to be its.
  func crashKernel() -> Verdict {
    // What the address itself is wrong for, it is wrong for in every kernel.
    guard facts.isOfCrashKernel || !(facts.isBeyondWidth || facts.isInInterruptWindow) else {
      return .silent
    }
    guard let outlook = facts.result.crashKernel else {
      return facts.isOfCrashKernel
        ? .fits(
          Diagnosis(
            .crashKernel,
            "there is no forecast for the device: a crash kernel knows only devices of this dump"))
        : .silent
    }
    var evidence = [
      outlook.moments.map { moment in
        "\(moment.name) \(moment.fate)"
          + (moment.reason.map { " (\($0.code.rawValue.hexadecimal))" } ?? "")
      }.joined(separator: ", ")
    ]
    let when = outlook.moments.filter { $0.reason.map { fits($0) } ?? false }
      .map(\.name).joined(separator: " and ")
    guard outlook.fits else {
      guard facts.isOfCrashKernel else {
        return .excluded("the crash kernel: the forecast for it has no such fault")
      }
      return .fits(
        Diagnosis(
          .crashKernel,
          "for a crash kernel that \(takeover) the forecast has no such fault; as long as it still "
            + "uses the old tables, what they say of the address counts",
          evidence: evidence, confirm: "iommuscope inherit, with that kernel's command line"))
    }
    guard !facts.isOfCrashKernel else {
      return .fits(
        Diagnosis(
          .crashKernel,
          "forecast: a crash kernel that \(takeover) refuses the device's requests with this reason at \(when)"
            + (facts.isMapped ? liveAddress : ""),
          evidence: evidence, confirm: "iommuscope inherit says why, and how to avoid it"))
    }
    guard !facts.result.isInLogOfDump else {
      return .excluded("the crash kernel: the line is in the crashed kernel's own log")
    }
    if let covered = facts.absentFromLog { evidence.append(covered) }
    let isBetter = facts.absentFromLog != nil
    return .fits(
      Diagnosis(
        .crashKernel,
        (isBetter
          ? "the line fits a crash kernel better than the crashed one"
          : "the line may be a crash kernel's as well as the crashed one's")
          + ", whose tables let the request through: a crash kernel that \(takeover) refuses it at \(when)"
          + (facts.isMapped ? liveAddress : ""),
        evidence: evidence,
        confirm: "the line's timestamp: of the crash kernel if it is small and comes after "
          + "the panic; --of crash-kernel asks for that kernel alone"))
  }

  private var takeover: String {
    facts.result.crashKernel?.policy == "linux"
      ? "takes the tables over as Linux does"
      : "does not take the tables over, because copying failed or translation was switched off,"
  }

  private var liveAddress: String {
    ": the address is live in the crashed kernel's tables, and its transfer outlives them"
  }

  private func fits(_ reason: ReportedFault) -> Bool {
    reason.family == facts.family
  }
}
