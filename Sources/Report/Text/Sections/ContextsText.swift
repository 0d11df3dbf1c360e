// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// One table per unit of the entries that lead into translation.
struct ContextsText {
  let state: RemappingState

  init(_ state: RemappingState) { self.state = state }

  func write(to page: TextPage) throws(OutputError) {
    guard !state.contexts.isEmpty else {
      try page.paragraph("none present", indent: 2)
      return
    }
    var start = state.contexts.startIndex
    while start < state.contexts.endIndex {
      let unit = state.contexts[start].unit
      let end = state.contexts[start...].firstIndex { $0.unit != unit } ?? state.contexts.endIndex
      if start > 0 { try page.blank() }
      try write(state.contexts[start..<end], of: unit, to: page)
      start = end
    }
    try page.decoding(state.dump.file)
  }

  private func write(
    _ contexts: ArraySlice<Context>, of unit: String, to page: TextPage
  ) throws(OutputError) {
    try page.paragraph("\(unit): \(contexts.count) present", indent: 2, style: .bold)
    try page.table(
      [
        .left("device"), .right("pasid"), .left("translation"), .right("domain-id"),
        .right("levels"), .right("table"), .right("entry"), .left("faults"),
      ], count: contexts.count, what: "contexts", indent: 4
    ) { index in
      let context = contexts[contexts.startIndex + index]
      return [
        context.device.description, TextPage.text(context.pasid), context.translation.rawValue,
        TextPage.text(context.domainID), TextPage.text(context.levels),
        TextPage.text(context.table), context.entry.description,
        context.faultProcessingDisabled ? "silent" : "reported",
      ]
    }
    let nested = contexts.filter { $0.secondStage != nil }
    if !nested.isEmpty {
      try page.blank()
      try page.table(
        [
          .left("nested"), .right("pasid"), .right("second-stage table"), .right("levels"),
        ], count: nested.count, what: "nested contexts", indent: 4
      ) { index in
        let context = nested[index]
        return [
          context.device.description, TextPage.text(context.pasid),
          TextPage.text(context.secondStage?.table), TextPage.text(context.secondStage?.levels),
        ]
      }
    }
  }
}
