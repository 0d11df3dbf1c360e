// SPDX-License-Identifier: Apache-2.0

public import DumpFile
public import Evidence
internal import KernelImage
internal import Memory

extension Session {
  /// What an extract leaves out so that it can be handed on: the log's text, command lines, and the
  /// names of the host and its domain, in their own places and wherever else they stand.
  ///
  /// - Parameters:
  ///   - kernel: whose texts they are.
  ///   - reservations: physical memory of the crash kernel, whose command line counts, too.
  public func redaction(
    of kernel: KernelEvidence, crashKernelIn reservations: [ClosedRange<UInt64>]
  ) -> Redaction {
    let image = kernel.image
    var places: [Redaction.Place] = []
    var texts: [Redaction.Kind: [[UInt8]]] = [:]
    func leaveOut(
      _ text: KernelImage.PrivateText, _ kind: Redaction.Kind, of image: KernelImage
    ) {
      places += physical(text, image.reader).map { Redaction.Place(kind: kind, range: $0) }
      guard kind != .log,
        let bytes = try? image.reader.bytes(at: text.address, count: text.byteCount)
      else { return }
      let value = Array(bytes.prefix { $0 != 0 })
      add(String(decoding: value, as: UTF8.self), kind)
    }
    func add(_ text: String, _ kind: Redaction.Kind) {
      // What a kernel calls itself before anybody named it.
      guard !["(none)", "localhost"].contains(text) else { return }
      texts[kind, default: []].append(Array(text.utf8))
      guard kind == .commandLine else { return }
      // A copy that the kernel took apart has zeros in place of the blanks.
      for word in text.split(separator: " ") where word.utf8.count >= Self.shortestWord {
        texts[kind, default: []].append(Array(word.utf8))
      }
    }
    // In an image of the whole machine the crash kernel may run already, with texts of its own.
    let running = crashKernel(beside: kernel, in: reservations)?.kernel?.image
    for image in [image, running].compactMap(\.self) {
      for text in image.logText { leaveOut(text, .log, of: image) }
      for text in image.hostNames { leaveOut(text, .hostName, of: image) }
      if let text = image.commandLineText { leaveOut(text, .commandLine, of: image) }
    }
    // The log repeats it, where nothing else tells it.
    let heads = ["Kernel command line: ", "Command line: "]
    try? image.messages { message in
      for head in heads where message.text.hasPrefix(head) {
        add(String(message.text.dropFirst(head.count)), .commandLine)
      }
    }
    if let (text, place) = crashCommandLinePlace(in: reservations) {
      places.append(
        Redaction.Place(
          kind: .commandLine, range: place.rawValue..<place.rawValue + UInt64(text.utf8.count)))
      add(text, .commandLine)
    }
    return Redaction(places: places, texts: texts)
  }

  /// Words of a command line that are shorter say nothing, and stand in too many places.
  private static let shortestWord = 8

  /// Where a text lies in physical memory, page by page, joined where it can be.
  private func physical(
    _ text: KernelImage.PrivateText, _ reader: KernelReader
  ) -> [Range<UInt64>] {
    var ranges: [Range<UInt64>] = []
    var done = 0
    while done < text.byteCount, let address = text.address.advanced(by: UInt64(done)) {
      let count = min(Page.size - address.pageOffset, text.byteCount - done)
      done += count
      guard let start = try? reader.physical(address).rawValue else { continue }
      if let last = ranges.last, last.upperBound == start {
        ranges[ranges.count - 1] = last.lowerBound..<start + UInt64(count)
      } else {
        ranges.append(start..<start + UInt64(count))
      }
    }
    return ranges
  }
}
