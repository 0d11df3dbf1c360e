// SPDX-License-Identifier: Apache-2.0

internal import Evidence
internal import Memory
internal import RemappingState
internal import VTd

/// What a refused interrupt probably was: by its reason, its sender, and the entry as it is now.
///
/// The table tells what the entry is in the dump, the reason what it was when the request came. Only
/// an entry whose source validation refuses the sender speaks against the sender.
///
/// Source: VT-d specification, sections 5.1.4 (interrupt requests in compatibility and in remappable
/// format), 7.1.4 (conditions) and 9.9 (SVT, SQ, SID).
struct InterruptRules {
  typealias Diagnosis = FaultExplanation.Diagnosis

  let evidence: DumpEvidence
  let fault: FaultLine
  let unit: Unit?
  /// What sends under the fault's source id, in words; `nil` if nothing is known to.
  let sender: String?
  /// Whether an I/O APIC or HPET sends under the source id.
  var isController = false
  /// Whether no device, alias, I/O APIC or HPET has the source id; `nil` if that cannot be told.
  let isUnknownSender: Bool?

  /// The entry that the request named, where it named one that the dump holds.
  enum Entry {
    case present(InterruptRemapEntry)
    case absent
    case beyondTable(entries: Int)
    case missing(String)
  }

  func judge(_ entry: Entry) -> Diagnosis {
    let family = fault.reason?.family ?? .other
    switch family {
    case .interruptCompatibility:
      return Diagnosis(
        .interrupt,
        "the request was in compatibility format, that is not remappable: it names no entry, and the "
          + "index in the line means nothing. \(who) still is programmed as without remapping, by "
          + "firmware, or by a driver that wrote the message itself or before remapping was on",
        confirm:
          "the sender's MSI address or redirection entry: bit 4 of the address (bit 48 of the "
          + "entry) is 0")
    case .interruptRequestCorrupt:
      return Diagnosis(
        .interrupt,
        "the request had reserved bits set: \(who) sent a message that no kernel writes, such as a "
          + "stray write into the interrupt window",
        confirm: "the address and data in the sender's MSI or MSI-X table")
    case .interruptBeyondTable:
      return Diagnosis(
        .interrupt,
        "the index was beyond the unit's table"
          + (entries.map { ", which has \($0) entries in this dump" } ?? "")
          + ": \(who) sends a message of another kernel, or its MSI table is corrupt",
        confirm: "the handle in the sender's MSI address, bits 19:5 and 2")
    case .interruptTableUnreachable:
      return Diagnosis(
        .interrupt,
        "the unit could not read its interrupt remapping table at "
          + (unit?.interruptRemapping?.table?.description ?? "an unknown address")
          + ": the table's memory was given to something else, or the unit was set to a wrong one",
        confirm: "iommuscope owners on the table's pages")
    case .interruptSource: return refusedSource(entry)
    case .interruptEntryCorrupt: return corruptEntry(entry)
    case .interruptPosted:
      return Diagnosis(
        .interrupt,
        "the entry posts to a descriptor that the unit could not use: \(state(entry)); the "
          + "descriptor's memory went with a virtual CPU that is gone, or was overwritten",
        confirm: "iommuscope tables --interrupts, and owners on the descriptor's address")
    default: return absentEntry(entry)
    }
  }

  // MARK: By reason

  /// The entry was present and demanded another source.
  private func refusedSource(_ entry: Entry) -> Diagnosis {
    var message = "the entry was present when the request came and demanded another source than "
    message += "\(fault.device): "
    if isUnknownSender == true {
      message +=
        "no device has this source id. It is a bridge's or a hidden function's, under which the "
        + "interrupts of some device arrive, and the driver set the entry up for that device"
    } else {
      message +=
        "\(who) sent an interrupt that was set up for another device, or arrives under the "
        + "source id of a bridge"
    }
    switch entry {
    case .present(let entry):
      if entry.accepts(source: fault.device.sourceID) == true {
        message += ". The entry as it is now accepts it: it was changed after the fault"
      } else {
        message += ". The entry still demands \(Self.demand(entry, unit))"
      }
    case .absent: message += ". It is not present any more: the interrupt has been freed since"
    default: message += ". \(state(entry))"
    }
    return Diagnosis(
      .interrupt, message,
      evidence: isController ? ["\(fault.device) is the source id of an I/O APIC or HPET"] : [],
      confirm: "the device whose interrupts are missing, and the bridges above it")
  }

  private func corruptEntry(_ entry: Entry) -> Diagnosis {
    var message = "the entry had reserved bits set when the request came"
    if case .present(let entry) = entry {
      // Destinations of 32 bits are allowed here: their upper bits alone are no sign of corruption.
      let bits = entry.reservedBits(unit?.yardstick ?? .permissive, x2APIC: true)
      message +=
        bits.isEmpty
        ? "; none are set now, so it was written anew since"
        : ", and \(bits) are set still: the table was corrupted"
    } else {
      message += "; now \(state(entry))"
    }
    return Diagnosis(
      .interrupt, message, confirm: "iommuscope owners on the page of the table")
  }

  /// The entry was not present, or the line tells no reason.
  private func absentEntry(_ entry: Entry) -> Diagnosis {
    guard case .present(let now) = entry else {
      if case .absent = entry {
        return Diagnosis(
          .interrupt,
          "the entry is not present: the interrupt was freed, or never set up by this kernel, while "
            + "\(who) still sends it",
          confirm: "whether the line follows a free_irq or a removal of the device")
      }
      return Diagnosis(.interrupt, state(entry))
    }
    if now.accepts(source: fault.device.sourceID) == true {
      return Diagnosis(
        .interrupt,
        "the entry is present and accepts this source now: it was set up after the fault, or the "
          + "interrupt entry cache was stale",
        evidence: ["the entry accepts \(Self.demand(now, unit))"])
    }
    return Diagnosis(
      .interrupt,
      "the entry was not present when the request came and belongs to another source now, "
        + "\(Self.demand(now, unit)): it was freed while \(who) still sent to it, and given to "
        + "another interrupt since; a further request would be refused for its source id",
      confirm: "whether the line is older than the interrupt's new owner")
  }

  // MARK: In words

  private var who: String {
    if let sender { return sender }
    return isUnknownSender == true
      ? "\(fault.device), which is no device that Linux knows," : "\(fault.device)"
  }

  private var entries: Int? { unit?.interruptRemapping?.entries }

  private func state(_ entry: Entry) -> String {
    switch entry {
    case .present(let entry):
      return entry.isPresent ? "the entry is present now" : "the entry is not present now"
    case .absent: return "the entry is not present now"
    case .beyondTable(let entries): return "the index is beyond the table's \(entries) entries"
    case .missing(let why): return why
    }
  }

  /// Whom an entry accepts: `0000:00:02.0`, `0000:00:02.0 with any function`, `buses 01 to 03`.
  static func demand(_ entry: InterruptRemapEntry, _ unit: Unit?) -> String {
    let segment = unit?.segment ?? 0
    let source = entry.sourceID
    let function = PCIFunction(
      segment: segment, bus: UInt8(source >> 8), devfn: UInt8(truncatingIfNeeded: source))
    switch entry.sourceValidation {
    case 0: return "any source"
    case 1:
      let qualifier = [
        "", " and the function that differs in bit 2",
        " and the functions that differ in bits 2 and 1", " with any function",
      ][Int(entry.sourceQualifier & 3)]
      return "\(function)\(qualifier)"
    case 2: return "any device of buses \(hex(source >> 8)) to \(hex(source & 0xff))"
    default: return "no source (SVT 3 is reserved)"
    }
  }

  private static func hex(_ bus: UInt16) -> String {
    (bus < 16 ? "0" : "") + String(bus, radix: 16)
  }
}
