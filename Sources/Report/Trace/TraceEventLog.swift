// SPDX-License-Identifier: Apache-2.0

internal import History
internal import Memory
internal import RemappingState

/// The events of `history` for a viewer of traces: the JSON form that Perfetto (ui.perfetto.dev) and
/// Chromium (chrome://tracing) open.
///
/// A group of tracks for each device, or set of devices, and in it a track for each kind of event; what
/// was mapped is a stretch from its map to its unmap, without an end where it was mapped to the last.
/// Times are the trace clock's, in microseconds. Descriptors of the invalidation queues carry no time
/// and have no place here.
///
/// Source: "Trace Event Format", the description of that form in Chromium's catapult project.
public struct TraceEventLog {
  /// The process number of what is no device's: the panic.
  private static let kernel = 1

  private let document: HistoryDocument
  private let tracks: TraceTracks

  public init(_ document: HistoryDocument) {
    self.document = document
    tracks = TraceTracks(document.events, document.names)
  }

  public func write(to sink: any ByteSink) throws(OutputError) {
    let writer = JSONWriter(sink)
    writer.openObject()
    writer.member("displayTimeUnit", "ns")
    writer.object("otherData") { writeAbout(to: writer) }
    writer.array("traceEvents") {
      writeNames(to: writer)
      for (index, event) in document.events.enumerated() {
        write(event, index, to: writer)
        if writer.hasFailed { return }
      }
      writePanic(to: writer)
    }
    writer.close()
    try writer.finish()
  }

  /// What a reader has to know of all of it, as texts: viewers show nothing else there.
  private func writeAbout(to writer: JSONWriter) {
    writer.member("tool", "\(document.tool.name) \(document.tool.version)")
    writer.member("dump", document.dump.file)
    if let release = document.dump.release { writer.member("release", release) }
    if let panic = document.dump.panic { writer.member("panic", panic) }
    if let ring = document.ring {
      writer.member(
        "clock",
        ring.countsLikeLog
          ? "the scheduler's, as the kernel's log" : "not the log's; the panic has no place here")
      writer.member("lost", "\(ring.overruns) events overwritten, \(ring.dropped) dropped")
    }
    if let device = document.selection.device {
      writer.member("device", "only \(device)")
      writer.member(
        "unattributed", "\(document.unattributed) events left out: nothing tells whose they are")
    }
    writer.member(
      "untimed",
      "\(document.invalidations.count) descriptors of the invalidation queues carry no time")
    for problem in document.problems.prefix(1) { writer.member("problem", problem) }
    for cut in document.cuts.prefix(1) { writer.member("cut", "\(cut)") }
  }

  // MARK: Tracks

  private func process(_ group: Int) -> Int { Self.kernel + 1 + group }

  private func writeNames(to writer: JSONWriter) {
    if panic != nil {
      writeName("process_name", "kernel", process: Self.kernel, to: writer)
      writeName("thread_name", "panic", process: Self.kernel, track: 1, to: writer)
    }
    for (number, group) in tracks.groups.enumerated() {
      let process = process(number)
      writeName("process_name", group.name, process: process, to: writer)
      writeMetadata("process_sort_index", process: process, track: nil, to: writer) {
        writer.member("sort_index", number)
      }
      for (track, kind) in group.kinds.enumerated() {
        writeName("thread_name", kind, process: process, track: track + 1, to: writer)
      }
    }
  }

  private func writeName(
    _ what: StaticString, _ name: String, process: Int, track: Int? = nil, to writer: JSONWriter
  ) {
    writeMetadata(what, process: process, track: track, to: writer) { writer.member("name", name) }
  }

  private func writeMetadata(
    _ what: StaticString, process: Int, track: Int?, to writer: JSONWriter, _ body: () -> Void
  ) {
    writer.object {
      writer.member("name", "\(what)")
      writer.member("ph", "M")
      writer.member("pid", process)
      if let track { writer.member("tid", track) }
      writer.object("args", body)
    }
  }

  // MARK: Events

  private func write(_ event: TraceEvent, _ index: Int, to writer: JSONWriter) {
    let place = tracks.places[index]
    writer.object {
      writer.member("name", event.name)
      writer.member("cat", event.system)
      writer.member("ph", "i")
      writer.member("s", "t")
      writeTime(event.time, place, to: writer)
      writer.object("args") {
        writer.member("text", event.text)
        writer.member("cpu", event.cpu)
        writer.member("process", event.process)
        if let unit = event.unit { writer.member("unit", unit) }
        if let iova = event.iova { writer.member("iova", iova.hexadecimal) }
        if let length = event.length { writer.member("length", length.hexadecimal) }
        if let physical = event.physical { writer.member("physical", physical.hexadecimal) }
      }
    }
    if tracks.drawn.contains(index) {
      writeStretch("b", of: index, at: event.time, to: writer)
    }
    for map in tracks.ended[index] ?? [] {
      writeStretch("e", of: map, at: event.time, to: writer)
    }
  }

  /// One end of the time that something was mapped; both ends stand with the device of the map.
  private func writeStretch(
    _ phase: StaticString, of map: Int, at time: UInt64, to writer: JSONWriter
  ) {
    let event = document.events[map]
    guard let iova = event.iova, let length = event.length else { return }
    writer.object {
      writer.member("name", "\(iova.hexadecimal), \(Quantity.bytes(length))")
      writer.member("cat", "mapped")
      writer.member("ph", "\(phase)")
      writer.member("id", UInt64(map).hexadecimal)
      writeTime(time, tracks.places[map], to: writer)
    }
  }

  private func writeTime(
    _ time: UInt64, _ place: (group: Int, kind: Int), to writer: JSONWriter
  ) {
    writer.key("ts")
    writer.microseconds(time)
    writer.member("pid", process(place.group))
    writer.member("tid", place.kind + 1)
  }

  // MARK: The panic

  /// When the kernel said so, where its clock is that of the events.
  private var panic: UInt64? {
    guard let ring = document.ring, ring.countsLikeLog else { return nil }
    return ring.panic
  }

  private func writePanic(to writer: JSONWriter) {
    guard let panic else { return }
    writer.object {
      writer.member("name", "panic")
      writer.member("cat", "log")
      writer.member("ph", "i")
      writer.member("s", "g")
      writer.key("ts")
      writer.microseconds(panic)
      writer.member("pid", Self.kernel)
      writer.member("tid", 1)
      writer.object("args") { writer.member("text", document.dump.panic ?? "Kernel panic") }
    }
  }
}
