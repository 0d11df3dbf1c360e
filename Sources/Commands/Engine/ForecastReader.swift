// SPDX-License-Identifier: Apache-2.0

internal import Audit
internal import Inheritance
internal import LinuxIOMMU
internal import Memory
internal import RemappingState
internal import Report
internal import TableCopy

/// What the user asks of a forecast.
struct ForecastRequest {
  var dump: DumpRequest
  var options: ForecastOptions
  /// Replaces what the dump says.
  var reservations: [ClosedRange<UInt64>]
  /// Where the reconstructed tables of one policy go.
  var image: (path: String, policy: Policy)?
}

/// Opens a dump and lets every policy take its units over.
struct ForecastReader {
  func document(
    _ request: ForecastRequest, console: Console
  ) throws(CommandFailure) -> InheritDocument {
    console.progress("opening \(request.dump.name)")
    let session = try Session(request.dump)
    for remark in session.remarks { console.warning(remark) }
    let (kernel, state) = try session.kernelAndState(console)
    var facts = session.machineFacts(kernel)
    if !request.reservations.isEmpty {
      facts.reservations = request.reservations.map { .init(kind: .given, range: $0) }
    }
    let errors = Set(
      Audit.findings(of: state).filter { $0.severity == .error }.compactMap(\.device))
    let forecaster = Forecaster(
      state, memory: session.memory, facts: facts, options: request.options, errors: errors)
    var policies: [PolicyForecast] = []
    for policy in request.options.policies {
      console.progress("policy \(policy.rawValue)")
      let run = forecaster.run(policy)
      policies.append(run.forecast)
      if let image = request.image, image.policy == policy {
        try write(run.image, to: image.path, keeping: request.dump.inputs)
      }
    }
    if let image = request.image, !request.options.policies.contains(image.policy) {
      try write(
        forecaster.run(image.policy).image, to: image.path, keeping: request.dump.inputs)
    }
    var observed: ObservedTakeover?
    if let second = session.crashKernel(in: facts.reservations) {
      let linux = policies.first { $0.policy == .linux } ?? forecaster.run(.linux).forecast
      observed = forecaster.observe(second.units, release: second.release, against: linux)
    }
    console.endProgress()
    return InheritDocument(
      dump: state.dump, forecast: forecaster.forecast(of: policies, observed: observed))
  }

  private func write(
    _ image: TableImage, to path: String, keeping inputs: [String]
  ) throws(CommandFailure) {
    do {
      try CommandFiles.write(path, keeping: inputs) { sink in
        try image.write { (bytes) throws(OutputError) in try sink.write(bytes) }
      }
    } catch {
      throw CommandFailure("\(error)")
    }
  }
}
