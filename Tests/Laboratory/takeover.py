#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What became of each device after a crash kernel took a unit over: the emulated hardware's own record against a forecast.

Two witnesses. The *trace* has every address that the unit translated or refused after the root pointer changed. The *tables* are
those of the crash kernel when its drivers were up. Both are compared with `at` and `faultReason` of the `inherit` document, policy
`linux`: T2 is the time from the new root pointer until a driver attaches the device, T3 the time after.

A device is attached from the first event that the copy cannot explain: a translation that leads elsewhere than the panicked
kernel's tables say. Before it, an address that the old tables map must not fault and must lead where it led.
"""
import re
from collections import Counter

TRANSLATE = re.compile(r"vtd_dmar_translate dev ([0-9a-f]+):([0-9a-f]+)\.([0-9a-f]+) iova 0x([0-9a-f]+) -> gpa 0x([0-9a-f]+) mask 0x([0-9a-f]+)")
FAULT = re.compile(r"vtd_dmar_fault sid 0x([0-9a-f]+) fault (\d+) addr 0x([0-9a-f]+)")
ROOT = re.compile(r"vtd_reg_dmar_root addr 0x([0-9a-f]+)")
PAGE = 4096
KEPT = ("translated",)


class Record:
    """Events of the unit in three stretches: before a root was set, under the panicked kernel's root, under its successor's."""

    def __init__(self, lines, old, new, segment=0):
        self.segment, self.before, self.after, self.found = segment, [], [], False
        current = None
        for line in lines:
            if line.startswith("vtd_dmar_translate"):
                if current == new:
                    match = TRANSLATE.match(line)
                    if match:
                        bus, slot, function, iova, physical, mask = (int(part, 16) for part in match.groups())
                        page = physical & ~0xFFF | iova & mask & ~0xFFF
                        self.after.append((self.device(bus, slot, function), "translated", iova & ~0xFFF, page))
            elif line.startswith("vtd_dmar_fault"):
                match = FAULT.match(line)
                if match and current in (old, new):
                    source, address = int(match[1], 16), int(match[3], 16)
                    event = (self.device(source >> 8, source >> 3 & 31, source & 7), "fault", address & ~0xFFF, int(match[2]))
                    (self.after if current == new else self.before).append(event)
            elif line.startswith("vtd_reg_dmar_root"):
                match = ROOT.match(line)
                if match:
                    current = int(match[1], 16) & ~0xFFF
                    if current == old:
                        self.before, self.after = [], []
                    self.found = self.found or current == new

    def device(self, bus, slot, function):
        return f"{self.segment:04x}:{bus:02x}:{slot:02x}.{function}"


def context_words(document):
    """{device: row} of requests without PASID; None for a device whose context leads them to a PASID that has no entry."""
    requesters = document.get("requesterPASIDs", {})
    found = dict.fromkeys(row["device"] for row in document["contexts"])
    found.update((row["device"], row) for row in document["contexts"] if row["pasid"] in (None, requesters.get(row["device"], 0)))
    return found


def domain_of(document, row):
    return next((domain for domain in document["domains"]
                 if (domain["domainID"], domain["table"]) == (row["domainID"], row["table"]) and row["device"] in domain["devices"]), None)


def same_entry(old, new):
    """Whether the crash kernel left the device where it was: the same tables, the same kind of translation."""
    return (old["translation"], old["table"], old["domainID"]) == (new["translation"], new["table"], new["domainID"])


def compare_tables(result, predicted, old, late, attached):
    """The tables when the crash kernel's drivers were up against `at.T4`: attached, or still as copied.

    Linux attaches at the first mapping that a driver makes, not at its probe: a network card that nobody brings up stays as copied.
    `attached` holds the devices that the trace shows at new addresses (see `compare_trace`); only for them is "kept" against a
    forecast of an attach."""
    before, after = context_words(old), context_words(late)
    for row in predicted:
        device, fate = row["device"], row["at"]["T4"]
        if device not in before and device not in after:
            continue
        if device not in after:
            state = "absent"
        elif after[device] is None:
            state = "refused"
        elif before.get(device) is None:
            state = "new"
        elif same_entry(before[device], after[device]):
            state = "kept"
        elif after[device]["translation"] == "pass-through":
            state = "pass-through"
        else:
            state = "attached"
        fits = {"translated": ("kept",), "remapped": ("attached", "new"), "pass-through": ("pass-through", "kept" if passes(before, device) else "pass-through"),
                "blocked": ("absent", "refused", "attached"), "silent": ("kept", "absent", "refused", "attached"), "physical": ()}.get(fate, ())
        if state in fits:
            result.count("fate-tables", f"agreed: {state}")
        elif state == "kept" and fate in ("remapped", "pass-through") and device not in attached:
            result.count("fate-tables", "its driver made no mapping in this guest")
            result.explain(f"{device}: forecast {fate} once its driver maps something; in this guest it did not, and the copy stood")
        else:
            result.count("fate-tables", "different")
            result.fail(f"fate of {device}: forecast {fate} at T4, in the crash kernel's tables it is {state}")


def passes(contexts, device):
    return (contexts.get(device) or {}).get("translation") == "pass-through"


def compare_trace(result, predicted, old, record, mapped):
    """Every event after the takeover against the forecast. `mapped` makes a lookup (iova to physical or None) of a domain's runs.
    Returns the devices that were met at new addresses: a driver attached them."""
    attached = set()
    if not record.found:
        result.fail("the trace has no write of the crash kernel's root pointer")
        return attached
    contexts, events = context_words(old), {}
    for event in record.after:
        events.setdefault(event[0], []).append(event)
    rows = {row["device"]: row for row in predicted}
    for device in sorted(events):
        row, context = rows.get(device), contexts.get(device)
        domain = domain_of(old, context) if context else None
        lookup = mapped(domain["mapping"]["runs"]) if domain and domain["mapping"] else None
        if row is None:
            result.count("fate-trace", "devices that the forecast does not know")
            faults = Counter(event[3] for event in events[device] if event[1] == "fault")
            if context:
                result.fail(f"fate of {device}: {len(events[device])} events after the takeover, it had a context, and the forecast has no such device")
            elif faults:
                result.count("fate-trace", "faults of devices without a context", sum(faults.values()))
            continue
        if one_device(result, row, events[device], lookup, context):
            attached.add(device)
    return attached


def one_device(result, row, events, lookup, context):
    device, attached, seen = row["device"], False, Counter()
    for _, kind, iova, value in events:
        was = iova if context and context["translation"] == "pass-through" else lookup.lookup(iova) if lookup else None
        if kind == "translated":
            if not attached and was != value:
                attached = True
            if attached:
                stale = was == value and row["at"]["T3"] == "remapped"
                seen["an old address still leads to its old page after the attach" if stale else "new address translated"] += 1
            else:
                seen["old address translated as before"] += 1
        else:
            reason = row["faultReason"]["T3" if attached else "T2"]
            if was is None:
                seen[f"fault 0x{value:02x} at an address that was not mapped"] += 1
            elif attached:
                seen[f"old address refused after the attach, reason 0x{value:02x}"] += 1
                if reason is not None and reason != value:
                    seen["reason differs from the forecast"] += 1
                    result.fail(f"fate of {device}: {iova:#x} was refused with reason 0x{value:02x} after the attach, forecast 0x{reason:02x}")
            elif row["at"]["T2"] == "translated":
                seen["old address refused before the attach"] += 1
                result.fail(f"fate of {device}: {iova:#x} was mapped and was refused (0x{value:02x}) before the attach, forecast translated")
            else:
                seen[f"old address refused before the attach, reason 0x{value:02x}"] += 1
    for text, count in seen.items():
        result.count("fate-trace", text, count)
    old_met = seen["old address translated as before"]
    if old_met and row["at"]["T2"] in ("blocked", "silent"):
        result.fail(f"fate of {device}: {old_met} old addresses were translated after the takeover, forecast {row['at']['T2']}")
    if attached and row["at"]["T4"] in KEPT:
        result.fail(f"fate of {device}: the trace has new addresses after the takeover, forecast {row['at']['T4']} at T4")
    result.count("fate-trace", "devices")
    if seen["an old address still leads to its old page after the attach"]:
        # The crash kernel may map the same page at the same address anew only by chance; tables tell (see compare_tables).
        result.explain(f"{device}: addresses that the old tables hold are met again after its attach")
    return attached


def compare_ids(result, unit, old, late, reserved, first_free, used):
    """Domain-ids: what the crash kernel counted when it had copied, and what it handed out later, against the forecast."""
    before = {row["domainID"] for row in old["contexts"] if row["domainID"] is not None}
    if used is not None:
        fits = used in {len(reserved), len(set(reserved) - {0}), len(set(reserved) - {0, 1}), len(set(reserved) | {0, 1})}
        result.count("domainIDs-after", "crash kernel's count agrees" if fits else "different")
        if not fits:
            result.fail(f"{unit}: the crash kernel counted {used} domain-ids in use after copying, the forecast reserves {len(reserved)}: {reserved}")
    if late is None:
        return
    kept = context_words(old)
    fresh = sorted({row["domainID"] for row in late["contexts"] if row["domainID"] is not None and row["pasid"] in (None, 0)
                    and not (kept.get(row["device"]) and same_entry(kept[row["device"]], row))})
    given = [number for number in fresh if number > 1]
    for number in given:
        if number in reserved:
            result.count("domainIDs-after", "different")
            result.fail(f"{unit}: the crash kernel handed out domain-id {number}, the forecast has it reserved")
        elif first_free is not None and number < first_free:
            result.count("domainIDs-after", "different")
            result.fail(f"{unit}: the crash kernel handed out domain-id {number}, the forecast's first free one is {first_free}")
        else:
            result.count("domainIDs-after", "handed out, free in the forecast")
    result.count("domainIDs-after", "ids in the old tables", len(before))
