// SPDX-License-Identifier: Apache-2.0

public import LinuxIOMMU
public import Memory
public import RemappingState

extension RemappingState {
  /// The state of one dump: the kernel's belief, and the hardware's tables read from its roots.
  ///
  /// - Parameters:
  ///   - dump: what the report says about the dump itself.
  ///   - memory: where the tables are.
  ///   - kernel: what the kernel believed; where the root pointers come from.
  ///   - registers: of the units, read beside the dump; a root pointer that the kernel's structures do
  ///     not have is taken from them.
  ///   - pages: tells which pages the kernel held for free; `nil` if it cannot be told.
  ///   - findsSharedPages: whether memory that two groups may write is looked for.
  ///   - work: the run that pays for it.
  public init(
    _ dump: DumpSummary, memory: any PhysicalMemory, kernel: LinuxIOMMU,
    registers: [UnitRegisters] = [], pages: LinuxPages? = nil, findsSharedPages: Bool = true,
    work: WorkBudget = WorkBudget()
  ) {
    var assembler = Assembler(memory: memory, kernel: kernel, pages: pages, work: work)
    self = assembler.assemble(dump, registers)
    if findsSharedPages { sharedPages = assembler.sharedPages(self) }
  }
}
