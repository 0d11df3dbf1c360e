// SPDX-License-Identifier: Apache-2.0

import Audit
import Benchmark
import Evidence
import Faults
import History
import Inheritance
import KernelImage
import LinuxIOMMU
import Memory
import Owners
import RemappingState
import Report
import Session
import StateDiff
import TableCopy

/// What a verb consists of, each part by itself, on a sample and on many runs.
///
/// Run in the repository's folder, where the samples are.
let benchmarks: @Sendable () -> Void = {
  Benchmark.defaultConfiguration = .init(
    metrics: [.wallClock, .throughput], warmupIterations: 3, maxDuration: .seconds(3),
    maxIterations: 200)

  // MARK: A sample, from its file to its documents

  Benchmark("open a sample") { benchmark in
    for _ in benchmark.scaledIterations { blackHole(try Sample.session()) }
  }
  Benchmark("find its kernel") { benchmark in
    for _ in benchmark.scaledIterations {
      let session = try Sample.session()
      benchmark.startMeasurement()
      blackHole(try session.kernel(asking: Sample.symbols))
      benchmark.stopMeasurement()
    }
  }
  Benchmark("read its state") { benchmark in
    for _ in benchmark.scaledIterations {
      let session = try Sample.session()
      let kernel = try session.kernel(asking: Sample.symbols)
      benchmark.startMeasurement()
      blackHole(session.evidence(from: kernel))
      benchmark.stopMeasurement()
    }
  }
  Benchmark("judge its state") { benchmark in
    let state = try Sample.evidence().state
    benchmark.startMeasurement()
    for _ in benchmark.scaledIterations { blackHole(Audit.findings(of: state)) }
  }
  Benchmark("forecast every policy") { benchmark in
    let session = try Sample.session()
    let kernel = try session.kernel(asking: Sample.symbols)
    let state = session.evidence(from: kernel).state
    let facts = MachineFacts(reading: kernel, memory: session.memory)
    benchmark.startMeasurement()
    for _ in benchmark.scaledIterations {
      let forecaster = Forecaster(state, memory: session.memory, facts: facts)
      blackHole(forecaster.forecast())
    }
  }

  // MARK: Many runs, a thousand in each step

  let many = Benchmark.Configuration(
    metrics: [.wallClock, .throughput], warmupIterations: 2, scalingFactor: .kilo,
    maxDuration: .seconds(3), maxIterations: 50)

  Benchmark("write a run as JSON", configuration: many) { benchmark in
    let document = try Sample.document(runs: benchmark.scaledIterations.count)
    benchmark.startMeasurement()
    try document.writeJSON(to: Sink())
  }
  Benchmark("read a run of JSON", configuration: many) { benchmark in
    let sink = MemorySink()
    try Sample.document(runs: benchmark.scaledIterations.count).writeJSON(to: sink)
    let bytes = sink.bytes
    benchmark.startMeasurement()
    blackHole(try ReportReader.document(bytes))
  }
  Benchmark("judge a run", configuration: many) { benchmark in
    let state = try Sample.document(runs: benchmark.scaledIterations.count).state
    benchmark.startMeasurement()
    blackHole(Audit.findings(of: state))
  }
  Benchmark("compare a run", configuration: many) { benchmark in
    let state = try Sample.document(runs: benchmark.scaledIterations.count).state
    let side = StateDiff.Side(state)
    benchmark.startMeasurement()
    blackHole(StateDiff(from: side, to: side))
  }
  Benchmark("index a run by its target", configuration: many) { benchmark in
    let state = try Sample.document(runs: benchmark.scaledIterations.count).state
    benchmark.startMeasurement()
    blackHole(OwnersIndex(state))
  }
  Benchmark("who reaches an address", configuration: many) { benchmark in
    let index = OwnersIndex(try Sample.document(runs: 1 << 16).state)
    benchmark.startMeasurement()
    for number in benchmark.scaledIterations {
      let address = PhysicalAddress(rawValue: Sample.target(number * 7919 % (1 << 16)))
      blackHole(index.reaches(address, address))
    }
  }
}

/// Takes bytes and keeps none.
final class Sink: ByteSink {
  func write(_ bytes: [UInt8]) throws(OutputError) {}
}

/// The sample that everything is measured on.
enum Sample {
  static let path = "samples/6.1-legacy.vmcore"

  static let symbols: Set<String> = [
    KernelImage.symbols, LinuxIOMMU.symbols, MachineFacts.symbols, PageClassifier.symbols,
    TraceRing.symbols, FaultLog.symbols,
  ].reduce(into: []) { $0.formUnion($1) }

  private struct Silence: SessionProgress {
    func progress(_ message: String) {}
    func warning(_ message: String) {}
    func detail(_ message: String) {}
  }

  static func session() throws -> Session {
    try Session(DumpRequest(files: [path]), progress: Silence())
  }

  static func evidence() throws -> DumpEvidence {
    let session = try session()
    return session.evidence(from: try session.kernel(asking: symbols))
  }

  /// The target of a run: no two runs have neighbouring ones.
  static func target(_ number: Int) -> UInt64 {
    0x1_0000_0000 + UInt64(number ^ 0x5555) * 0x2000
  }

  /// A report of one of the sample's domains alone, with a mapping of so many runs of a page each.
  static func document(runs count: Int) throws -> ReportDocument {
    let whole = try evidence().state
    guard var domain = whole.domains.first(where: { $0.mapping != nil }) else {
      throw SampleError.noMapping
    }
    let runs = (0..<count).map { number in
      Run(
        iova: IOVirtualAddress(rawValue: 0x8_0000_0000 + UInt64(number) * 0x1000),
        length: HexWord(rawValue: 0x1000), physical: PhysicalAddress(rawValue: target(number)),
        access: .readWrite)
    }
    domain.mapping = Mapping(leaves: count, bytes: UInt64(count) * 0x1000, runs: runs)
    domain.iova = nil
    var state = RemappingState(dump: whole.dump)
    state.units = whole.units
    state.contexts = whole.contexts.filter { $0.domainKey == domain.key }
    state.domains = [domain]
    return ReportDocument(state: state, findings: [])
  }
}

enum SampleError: Error {
  case noMapping
}
