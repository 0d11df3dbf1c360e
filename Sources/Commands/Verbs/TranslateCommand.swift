// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Evidence
import Memory
import RemappingState
import Report
import Session
import Translation

/// `translate`: addresses of one device, level by level.
struct TranslateCommand: DocumentVerb {
  static let configuration = CommandConfiguration(
    commandName: "translate",
    abstract: "Where a device's address leads, level by level.",
    usage: "iommuscope translate <dump> --device <sbdf> [--pasid <n>] <iova> ... [<options>]",
    discussion: "Exit status 1: at least one of the addresses leads to no memory.")

  @Argument(help: .dumpBeforeOperands, completion: .file())
  var dump: String

  @Argument(
    help: ArgumentHelp("I/O virtual addresses, hexadecimal.", valueName: "iova"),
    transform: { try Operand($0, IOVAArgument.init) })
  var operands: [Operand<IOVAArgument>]

  @Option(
    help: ArgumentHelp("The device that issues the addresses: 0000:03:00.0.", valueName: "sbdf"))
  var device: DeviceArgument

  @Option(help: ArgumentHelp("For requests with this PASID.", valueName: "n"))
  var pasid: UInt32?

  @OptionGroup(title: "Reading the dump") var input: InputOptions

  @OptionGroup(title: "Reading the dump") var registers: RegisterOptions

  @OptionGroup(title: "Reading the dump") var root: RootOptions

  @OptionGroup(title: "Shaping the result") var form: FormatOptions<PlainFormat>

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func validate() throws {
    if let pasid, pasid >= 1 << 20 {
      throw ValidationError("'--pasid' has 20 bits; have \(pasid).")
    }
  }

  func run(in environment: Environment, console: Console) throws -> Outcome {
    let request = try registers.added(
      to: input.request([dump] + operands.files(), in: environment, findsSharedPages: false))
    let evidence = try environment.evidence.evidence(
      of: request, below: root.roots, progress: console)
    console.endProgress()
    let translator = Translator(evidence)
    let document = TranslateDocument(
      dump: evidence.state.dump,
      translations: operands.values().map {
        translator.translate(device.function, pasid: pasid, iova: $0.address)
      }, cuts: evidence.cuts)
    try destination.write(
      document, as: form, in: environment, keeping: request.inputs,
      paidBy: evidence.work,
      text: { sink, color in
        try TranslateText(color: color).write(document, to: sink)
      })
    return document.translations.allSatisfy(\.outcome.reachesMemory) ? .done : .found
  }
}

/// An I/O virtual address on the command line.
struct IOVAArgument: Hashable, Sendable {
  var address: IOVirtualAddress
}

extension IOVAArgument {
  init(_ text: String) throws {
    guard let word = UInt64(address: text) else {
      throw ValidationError("an address is hexadecimal, such as 0xfffff000; have '\(text)'.")
    }
    address = IOVirtualAddress(word)
  }
}
