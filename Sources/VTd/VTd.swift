// SPDX-License-Identifier: Apache-2.0

// Intel Virtualization Technology for Directed I/O, as the specification (revision 4.x) has it and
// with no operating system in sight.
//
// - `Registers`: what a unit can do (`Capability`, `ExtendedCapability`), what it was told to do
//   (`GlobalCommand`, `RootTableAddress`) and why it refuses (`FaultReason`).
// - `RootTable`, `PASIDTable`: the entries on the way from a request to its address space.
// - `TranslationTables`: reads them all and returns each `ContextPath`.
// - `Paging`: first-stage and second-stage entries, `AddressSpace`, and `PageTableWalk`, the only
//   walk there is. Whoever wants something of the page tables writes a `PagingVisitor`.
// - `InterruptRemapping`, `InvalidationQueue`: the other structures in memory.
//
// Every layout is a struct over raw words that represents any bit pattern. Decoding neither
// validates nor repairs: reserved bits and forbidden values are asked for, and are findings.
