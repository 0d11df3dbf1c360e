// SPDX-License-Identifier: Apache-2.0

internal import Memory

extension MessageAnchor {
  /// Words of the driver's complaints about itself; what failed is told by the whole message.
  static let failures: [MessageAnchor] = [
    "failed", "failure", "Can't", "cannot", "unable to", "No free IRQ vectors",
    "No free domain ids", "is not sufficient for the mapped address",
    "exceeds the max invalidation handle", "No supported address widths", "device scope",
    "No IOMMU scope found", "ACPI name space devices", "Invalid DMAR haw", "No DMAR devices found",
    "Exceeded Max", "No first level translation support", "No second level translation support",
    "No 5-level paging support", "Not enabling interrupt remapping",
    "interrupt remapping will be disabled", "BIOS has enabled interrupt remapping",
  ].map { .init($0, failure) }

  private static let failure = Form.unit { scanner, text, head in
    // `source-id verification failure` is the end of a fault's own words.
    guard isTagged(text, head), !contains("fault reason", text, head) else { return nil }
    scanner.skipLine()
    let message = String(
      decoding: text.bytes[head.lowerBound..<max(head.upperBound, scanner.position)], as: UTF8.self
    ).lowercased()
    return .failure(
      DriverFailure(message: message), device(before: text, head) ?? device(in: message))
  }

  /// The device in `nvme 0000:01:00.0: DMAR: …`, as `dev_err` puts it in front of a message.
  private static func device(before text: LogText, _ head: Range<Int>) -> PCIFunction? {
    String(decoding: text.bytes[head], as: UTF8.self).split(separator: " ").lazy
      .filter { $0.last == ":" }
      .compactMap { PCIFunction(String($0.dropLast())) }.first
  }

  /// The device in `… for 0000:00:03.0`, as `pci_name` and `dev_name` give it to a message.
  private static func device(in message: String) -> PCIFunction? {
    message.split(separator: " ").lazy.filter { $0.count { $0 == ":" } == 2 }
      .compactMap { PCIFunction(String($0)) }.first
  }
}
