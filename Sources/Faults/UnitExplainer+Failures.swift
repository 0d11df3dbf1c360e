// SPDX-License-Identifier: Apache-2.0

internal import Evidence
internal import Memory
internal import RemappingState

/// Failures that the driver reports of itself.
extension UnitExplainer {
  func explain(_ failure: DriverFailure, _ device: PCIFunction?, _ result: inout UnitExplanation) {
    result.kind = .failure
    result.severity = .warning
    result.device = device
    let (meaning, next) = Self.words(of: failure)
    result.meaning = meaning
    result.next = next
    switch failure {
    case .domainIDs: result.evidence = domainIDs(of: result.unit)
    case .start, .scopeType, .interruptRemapping, .registers:
      result.severity = .error
      result.evidence = states(of: result.unit)
    case .faultInterrupt, .invalidationQueue, .flush, .tableWidth:
      result.evidence = states(of: result.unit)
    default: break
    }
    if let device, evidence.knows(device) == false {
      result.evidence.append("Linux knows no device \(device) in this dump")
    }
  }

  /// What a failure means for those behind the unit, and what to look at next.
  private static func words(of failure: DriverFailure) -> (meaning: String, next: String?) {
    switch failure {
    case .domainIDs:
      (
        "every domain-id of the unit is taken, so a device did not get its domain: its driver fails, "
          + "and what it does on the bus is refused",
        "iommuscope report --sections units tells the ids in use: domains that nobody frees are a leak"
      )
    case .domain:
      (
        "a domain could not be made, most often for want of memory: the device has none, and its "
          + "requests are refused or its driver does not load",
        "the messages before it: allocation failures; iommuscope report --device"
      )
    case .attach:
      (
        "a device did not get its entry in the unit's tables: what it does on the bus is refused with "
          + "a context or PASID fault",
        "iommuscope report --device shows what the tables hold for it"
      )
    case .width:
      (
        "an address was to be mapped, or a domain attached, beyond what the unit or the domain can "
          + "translate: the mapping was refused. Guests with more memory than the unit's width reach "
          + "this through VFIO",
        "iommuscope report --sections units tells the widths (MGAW, SAGAW)"
      )
    case .identityMap:
      (
        "a range of memory could not be mapped to itself: devices of the identity domain, or those of "
          + "the firmware's region, cannot reach it",
        "iommuscope report --sections reserved"
      )
    case .faultInterrupt:
      (
        "the unit got no interrupt for its faults: requests that it refuses leave no line in the log, "
          + "and silence proves nothing",
        "the unit's own fault records, which --registers takes"
      )
    case .invalidationQueue:
      (
        "the unit's invalidation queue could not be set up: the kernel invalidates by registers, and "
          + "has no interrupt remapping on this unit",
        "iommuscope report --sections units"
      )
    case .flush:
      (
        "the unit did not carry out an invalidation: it may go on with translations that the tables no "
          + "longer hold",
        history
      )
    case .interruptRemapping:
      (
        "interrupt remapping did not come up: interrupts reach the processors as the devices send "
          + "them, without x2APIC, and VFIO refuses devices unless it is told to allow that",
        "the messages before it, and intremap= on the command line"
      )
    case .interruptEntry:
      (
        "no entry of the interrupt remapping table was to be had: the device's driver gets fewer "
          + "interrupts, or none",
        "iommuscope report --sections interrupts tells how full the table is"
      )
    case .interruptSource:
      (
        "firmware does not tell under which source id an IO-APIC or HPET sends: its entries cannot "
          + "demand it, or its interrupts are refused",
        "the firmware's DMAR table: scopes of IO-APICs and HPETs"
      )
    case .registers:
      (
        "the unit's registers could not be used: the kernel does without this unit, and devices "
          + "behind it are not translated",
        "the firmware's DMAR table: addresses of units"
      )
    case .tableWidth:
      (
        "the unit offers no width of tables that the kernel can use: the kernel does not translate "
          + "with it",
        "iommuscope report --sections units tells the widths (MGAW, SAGAW)"
      )
    case .start:
      (
        "DMA remapping did not come up: devices use physical addresses, and nothing keeps them from "
          + "any page",
        "the messages before it; iommuscope report tells which unit translates"
      )
    case .scope:
      (
        "firmware names a device that the kernel does not find: the device, if it is there, is not "
          + "given to the unit that firmware means",
        "the firmware's DMAR table: ANDD and device scopes"
      )
    case .scopeType:
      (
        "firmware's DMAR table names the device as what it is not, an endpoint where it is a bridge or "
          + "the other way round: when Linux starts it gives up DMA remapping as a whole for that, and "
          + "devices use physical addresses, whatever the command line asks for",
        "the firmware's DMAR table: device scopes of units, reserved regions and root ports"
      )
    case .pasid:
      (
        "a PASID could not be set up for a device: its requests with that PASID are refused",
        "iommuscope report --device shows the device's PASID table"
      )
    case .pageRequests:
      (
        "the unit's page requests cannot be received: shared virtual memory does not work behind it",
        "the messages before it: allocation failures, interrupts"
      )
    case .other:
      (
        "the driver says that something of its set-up or of a device failed",
        "iommuscope report tells what is there instead"
      )
    }
  }

  private func domainIDs(of name: String?) -> [String] {
    named(name).map {
      "in the dump: \($0.name) has \($0.domainIDs.supported) domain-ids, of which "
        + ($0.domainIDs.used.map { "\($0.count) are in use" }
          ?? "nobody can tell how many are in use")
    }
  }

  private func states(of name: String?) -> [String] {
    named(name).map {
      "in the dump: \($0.name) "
        + Self.word(
          $0.translationEnabled, "translates", "does not translate", "may translate or not")
        + ", and "
        + Self.word(
          $0.interruptRemappingEnabled, "remaps interrupts", "does not remap interrupts",
          "may remap interrupts or not")
    }
  }

  private static func word(_ state: Bool?, _ on: String, _ off: String, _ unknown: String) -> String
  {
    state.map { $0 ? on : off } ?? unknown
  }

  /// The unit of that name; all of them, at most four, where the message names none.
  private func named(_ name: String?) -> [Unit] {
    Array(evidence.state.units.filter { name == nil || $0.name == name }.prefix(4))
  }
}
