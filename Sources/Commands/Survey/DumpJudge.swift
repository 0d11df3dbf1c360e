// SPDX-License-Identifier: Apache-2.0

import Audit
import Evidence
import Inheritance
import Memory
import RemappingState
import Session
import Survey
import TableCopy

/// Judges one dump for a survey.
enum DumpJudge {
  /// The dump's row; a dump that cannot be read has one too.
  ///
  /// - Parameters:
  ///   - files: the dump, or all files of a split one.
  ///   - input: what to read them with.
  static func row(
    _ files: [String], _ input: InputOptions, progress: any SessionProgress
  ) -> SurveyedDump {
    let parts = files.count > 1 ? files : []
    let name = files.first ?? ""
    do {
      let request = try input.request(files)
      let session = try Session(request, progress: progress)
      var evidence = try session.evidence(below: [], asking: VerbNeeds.symbols)
      KernelAccount.add(to: &evidence.state, from: evidence.log)
      let findings = Audit.findings(of: evidence.state)
      guard let kernel = evidence.kernel else {
        return SurveyedDump(
          file: name, parts: parts, state: evidence.state, findings: findings, forecast: nil)
      }
      var facts = MachineFacts(reading: kernel, of: evidence)
      let memory = facts.crashKernelMemory
      facts.takeCommandLine(
        from: session, running: session.crashKernel(beside: kernel, in: memory))
      let forecast = Forecaster(
        evidence.state, memory: session.memory, facts: facts,
        options: ForecastOptions(policies: [.linux]),
        errors: findings.devicesWithErrors, budget: CopyBudget(session.work)
      ).forecast()
      evidence.state.cuts = evidence.cuts
      return SurveyedDump(
        file: name, parts: parts, state: evidence.state, findings: findings,
        forecast: forecast)
    } catch {
      return SurveyedDump(
        file: name, parts: parts, failure: .init(.notRead, error.description))
    }
  }
}
