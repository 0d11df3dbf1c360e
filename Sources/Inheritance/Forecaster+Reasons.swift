// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

extension Forecaster {
  /// Why a policy's verdict is what it is, for the machine as a whole.
  func reasons(
    _ plan: PolicyPlan, _ units: [UnitForecast], _ forecasts: [DeviceForecast],
    _ cost: MemoryCost
  ) -> [String] {
    var reasons = [unknownUnits, unknownDevices].compactMap(\.self)
    func say(_ count: Int, _ one: String, _ many: String) {
      if count > 0 { reasons.append("\(count) \(count == 1 ? one : many)") }
    }
    for unit in units {
      if let reason = unit.reason {
        reasons.append("\(unit.unit): \(unit.outcome.rawValue): \(reason)")
      }
      if !unit.domainIDs.lost.isEmpty {
        let list = unit.domainIDs.lost.prefix(8).map(String.init).joined(separator: ", ")
        reasons.append(
          "\(unit.unit): \(unit.domainIDs.lost.count) domain-ids of inherited entries (\(list)) are "
            + "not reserved and can be given to new domains")
      }
      if unit.interruptRemapping.outcome == .empty {
        reasons.append(
          "\(unit.unit): interrupts meet an empty remapping table until they are set up again (fault "
            + "22h)")
      }
      if let proof = unit.proof, !proof.identical {
        reasons.append(
          "\(unit.unit): the copy is not identical: "
            + (proof.differences.first.map { difference in
              (difference.device.map { "\($0): " } ?? "") + difference.what
            } ?? ""))
      }
    }
    let live = forecasts.filter(\.inFlight)
    say(
      forecasts.count { $0.verdict == .unsafe }, "device is unsafe", "devices are unsafe")
    say(forecasts.count { $0.verdict == .risky }, "device is risky", "devices are risky")
    let crash = forecasts.map(\.exposure.crash).max() ?? 0
    if crash > 0 {
      reasons.append("up to \(crash) bytes of the crash kernel's memory can be written by a device")
    }
    let storms = live.filter { forecast in
      zip(forecast.at.all, forecast.faultReason.all).contains { $0 == .blocked && $1 != nil }
    }
    say(
      storms.count, "device in flight can flood the fault log; on some machines a fault is an NMI",
      "devices in flight can flood the fault log; on some machines a fault is an NMI")
    let firmware = forecasts.filter { $0.firmwareRegions == "lost" }
    say(
      firmware.count, "device loses its firmware region", "devices lose their firmware regions")
    if cost.bytes > 0 {
      let reserved = AddressRanges(
        facts.reservations.filter { $0.kind == .main || $0.kind == .given }.map(\.range)
      ).bytes
      if reserved > 0 {
        let permille = cost.bytes > .max / 1000 ? .max : cost.bytes * 1000 / reserved
        reasons.append(
          "the tables take \(cost.bytes) bytes, \(permille / 10).\(permille % 10) % of the crash "
            + "kernel's reservation"
            + (cost.bytes >= reserved ? ", which is more than there is" : ""))
      }
    }
    if plan.tables == .adopted { reasons += adoptionPrice(units, forecasts) }
    return reasons + (nothingTranslates ? [] : plan.translationRemarks) + plan.remarks
  }
}

extension Recommendation {
  /// The policy under which least can go wrong, and of equals the one that costs least to have.
  ///
  /// - Parameter known: the roads that only some kernels have and that this one's types know; the
  ///   others of that kind are not weighed.
  static func best(of policies: [PolicyForecast], known: Set<Policy>) -> Recommendation {
    // What exists comes before what somebody would have to build.
    let order: [Policy] = [.linux, .reset, .fullCopy, .isolate, .disable, .liveUpdate, .adopt]
    func cost(_ forecast: PolicyForecast) -> (Int, Int, Int) {
      (
        forecast.devices.count { $0.verdict == .unsafe },
        forecast.devices.count { $0.verdict == .risky },
        order.firstIndex(of: forecast.policy) ?? order.count
      )
    }
    func exists(_ forecast: PolicyForecast) -> Bool {
      !PolicyPlan.plan(forecast.policy).needsTypes || known.contains(forecast.policy)
    }
    let weighed = policies.filter(exists)
    let notWeighed = policies.filter { !exists($0) }.map(\.policy)
    guard let best = weighed.min(by: { cost($0) < cost($1) }) else {
      return Recommendation(
        policy: nil, available: nil,
        reasons: policies.isEmpty ? ["no policy was asked for"] : [], notWeighed: notWeighed)
    }
    var reasons: [String] = []
    func count(_ forecast: PolicyForecast) -> String {
      let (unsafe, risky, _) = cost(forecast)
      return "\(unsafe) unsafe and \(risky) risky of \(forecast.devices.count) devices"
    }
    reasons.append("\(best.policy.rawValue) leaves \(count(best))")
    for other in weighed where other.policy != best.policy {
      reasons.append("\(other.policy.rawValue) leaves \(count(other))")
    }
    if best.verdict != .safe {
      reasons.append("it is the best of these and not safe: see its devices")
    }
    let available = weighed.filter { PolicyPlan.plan($0.policy).isAvailable }.min {
      cost($0) < cost($1)
    }?.policy
    if available != best.policy {
      reasons.append(
        "no released kernel does \(best.policy.rawValue)"
          + (available.map { "; of what kernels do, \($0.rawValue) is best" } ?? ""))
    }
    return Recommendation(
      policy: best.policy, available: available, reasons: reasons, notWeighed: notWeighed)
  }
}
