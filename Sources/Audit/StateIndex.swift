// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// What rules look up for each device or context: both may be many, and no join may be quadratic.
struct StateIndex {
  private struct Place: Hashable {
    var unit: String
    var function: PCIFunction
  }

  private struct Attachment: Hashable {
    var object: KernelAddress
    var unit: String?
  }

  /// The first context of each source id, whatever it is.
  private var anyContext: [Place: Context] = [:]
  /// The one of requests without PASID.
  private var plainContext: [Place: Context] = [:]
  /// The same, also where the context entry leads to no PASID entry.
  private var requestContext: [Place: Context] = [:]
  private var domainOnUnit: [Attachment: Domain] = [:]
  private var domainAnywhere: [KernelAddress: Domain] = [:]
  /// Units of which not every root, context and PASID table was read.
  private var incomplete: Set<String> = []
  private var isIncompleteEverywhere = false

  init(_ state: RemappingState) {
    for context in state.contexts {
      let place = Place(unit: context.unit, function: context.device)
      if anyContext[place] == nil { anyContext[place] = context }
      guard context.servesRequestsWithoutPASID else { continue }
      if requestContext[place] == nil { requestContext[place] = context }
      if plainContext[place] == nil, !context.isWithoutPASIDEntry { plainContext[place] = context }
    }
    for domain in state.domains {
      guard let object = domain.kernelObject else { continue }
      let attachment = Attachment(object: object, unit: domain.unit)
      if domainOnUnit[attachment] == nil { domainOnUnit[attachment] = domain }
      if domainAnywhere[object] == nil { domainAnywhere[object] = domain }
    }
    for observation in state.observations where observation.hidesContexts {
      guard let unit = observation.unit else {
        isIncompleteEverywhere = true
        continue
      }
      incomplete.insert(unit)
    }
  }

  /// The type of the domain that the kernel attached `device` to; `nil` where it cannot be told.
  func domainType(of device: Device) -> DomainType? { kernelDomain(of: device)?.type }

  /// The row of the domain that the kernel attached `device` to, on the device's unit if possible.
  func kernelDomain(of device: Device) -> Domain? {
    guard let object = device.domain else { return nil }
    return domainOnUnit[Attachment(object: object, unit: device.unit)] ?? domainAnywhere[object]
  }

  /// The context that requests of `function` without PASID take on `unit`.
  func context(of function: PCIFunction, on unit: String) -> Context? {
    plainContext[Place(unit: unit, function: function)]
  }

  /// The same, also where the context entry leads to no PASID entry.
  func requestContext(of function: PCIFunction, on unit: String) -> Context? {
    requestContext[Place(unit: unit, function: function)]
  }

  /// The first context of `function` on `unit`, of whatever requests.
  func anyContext(of function: PCIFunction, on unit: String) -> Context? {
    anyContext[Place(unit: unit, function: function)]
  }

  /// Whether every root, context and PASID table of `unit` was read, so that an entry that was not
  /// found really is not there.
  func contextsAreComplete(on unit: String) -> Bool {
    !isIncompleteEverywhere && !incomplete.contains(unit)
  }
}
