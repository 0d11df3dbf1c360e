// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The interrupt-remapping tables and invalidation queues of the units.
struct InterruptsText {
  private let tables: [(unit: String, table: InterruptRemapping)]
  private let queues: [(unit: String, queue: InvalidationQueue)]

  init(_ state: RemappingState) {
    tables = state.units.compactMap { unit in unit.interruptRemapping.map { (unit.name, $0) } }
    queues = state.units.compactMap { unit in unit.invalidationQueue.map { (unit.name, $0) } }
  }

  func write(to page: TextPage) throws(OutputError) {
    if tables.isEmpty { try page.paragraph("no interrupt-remapping table found", indent: 2) }
    try page.table(
      [
        .left("unit"), .right("table"), .right("entries"), .right("present"), .right("posted"),
        .right("allocated"), .right("present, free"), .right("unread pages"),
      ], count: tables.count, what: "interrupt-remapping tables"
    ) { index in
      let table = tables[index].table
      return [
        tables[index].unit, TextPage.text(table.table), "\(table.entries)", "\(table.present)",
        "\(table.posted)", TextPage.text(table.allocated), "\(table.presentButFree.count)",
        "\(table.unreadablePages)",
      ]
    }
    try page.blank()
    if queues.isEmpty { try page.paragraph("no invalidation queue found", indent: 2) }
    try page.table(
      [
        .left("unit"), .right("queue"), .right("slots"), .right("slot bytes"),
        .right("free head"), .right("free tail"), .right("pending"),
      ], count: queues.count, what: "invalidation queues"
    ) { index in
      let queue = queues[index].queue
      return [
        queues[index].unit, TextPage.text(queue.base), "\(queue.entries)",
        "\(queue.descriptorSize)", "\(queue.freeHead)", "\(queue.freeTail)", "\(queue.pending)",
      ]
    }
  }
}
