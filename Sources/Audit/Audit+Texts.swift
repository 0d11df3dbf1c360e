// SPDX-License-Identifier: Apache-2.0

public import RemappingState

extension Audit {
  /// What the rules state, in their order; made of their own comments by
  /// `RECORD_CATALOGUE=1 swift test --filter CatalogueTests`.
  public static let texts: [RuleText] = [
    RuleText(
      "unit.no-root-table", .error,
      """
      A unit that translates has a root table.

      Source: `iommu_alloc_root_entry`, `iommu_set_root_entry`. Severity: error; every request
      behind the unit faults, or the kernel's structure is damaged.
      """),
    RuleText(
      "unit.translation-off", .error,
      """
      A unit with present context entries translates.

      The register is in no dump; the kernel's shadow of it (`intel_iommu.gcmd`, bit 31) may be
      stale for a few instructions around a change.

      Source: `iommu_enable_translation`; VT-d specification, section 11.4.4. Severity: error; DMA
      of every device behind the unit is untranslated.
      """),
    RuleText(
      "unit.no-device-in-scope", .info,
      """
      Every unit in use has a device in its scope.

      A unit for all devices that no other one names has no list.

      Source: `dmar_dev_scope_init`, `init_no_remapping_devices`. Severity: info; Linux skips such
      a unit, and a device that firmware names may be missing.
      """),
    RuleText(
      "context.field-impossible", .error,
      """
      Every field of a present root, context or PASID entry holds a value that the unit can do.

      Widths that SAGAW lacks, translation types without their capability, domain-ids beyond the
      bound and reserved values are judged against the unit's own CAP and ECAP.

      Source: VT-d specification, sections 9.1 to 9.6 and 11.4.2. Severity: error; every request
      through the entry faults.
      """),
    RuleText(
      "context.reserved-bits", .error,
      """
      No present root, context or PASID entry has a reserved bit set.

      Source: VT-d specification, sections 9.1 to 9.6. Severity: error; every request through the
      entry faults, and the table may be damaged.
      """),
    RuleText(
      "context.table-outside-memory", .error,
      """
      The table that a context points to lies in memory.

      Nested contexts name a guest's address and are not judged.

      Source: VT-d specification, section 9.3; `iomem_resource`. Severity: error; the unit reads
      what is no table, or faults.
      """),
    RuleText(
      "context.table-shared", .error,
      """
      Every context table and PASID table serves one bus or device alone.

      Source: `iommu_context_addr`, `intel_pasid_alloc_table`. Severity: error; what is set for
      one device holds for another.
      """),
    RuleText(
      "context.tables-unreadable", .warning,
      """
      Every root, context and PASID table that an entry points to can be read.

      Those that the dump's filter removed, that a short file lacks and that do not decode are
      other rules'.

      Source: VT-d specification, section 3.4; `Absence`. Severity: warning; a device behind such
      a table may have a context or none.
      """),
    RuleText(
      "device.context-missing", .error,
      """
      Every device that the kernel attached to a domain has a context entry on its unit.

      A device in the blocking domain has none, and functions behind a VMD bridge (segments from
      0x10000 up) use the entry of the bridge. Nothing is said where a table could not be read.

      Source: `dmar_domain_attach_device`, `domain_context_mapping_one`. Severity: error; every
      request of the device faults.
      """),
    RuleText(
      "device.alias-context", .error,
      """
      Each source id under which a device's requests can arrive has the context that the device
      has.

      A bridge from PCI Express to PCI puts the number of its secondary bus into the requests of
      all functions behind it, and some functions use a second number of their own; the unit looks
      only at what arrives. Linux sets such aliases up in legacy mode, and in scalable mode those
      of the function itself, but not what a bridge makes of it. Where the alias has a context
      with another domain-id, `context.domain-id-mismatch` says so.

      Source: drivers/pci/search.c, `pci_for_each_dma_alias`; drivers/iommu/intel/pasid.c,
      `pci_pasid_table_setup`. Severity: error; requests that arrive under that id fault, or see
      another address space.
      """),
    RuleText(
      "device.cache-off", .warning,
      """
      A device that firmware says works only with its translation cache has it enabled.

      Linux enables the cache of such a device (SATC with the flag ATC_REQUIRED) in scalable mode
      alone; behind a unit in legacy mode it stays off, as if nobody had asked.

      Source: drivers/iommu/intel/iommu.c, `dmar_ats_supported`; VT-d specification, section 8.8.
      Severity: warning; the device may not work as its driver expects.
      """),
    RuleText(
      "context.unknown-device", .warning,
      """
      Every present context entry belongs to a device that the kernel knows.

      Aliases have entries of their own and no `struct device_domain_info`; so have phantom
      functions, which are recognised by a known device's table. Entries that a crash kernel
      copied are the previous kernel's.

      Source: `domain_context_mapping`, `pci_for_each_dma_alias`. Severity: warning; the entry may
      let a device reach memory that nobody manages.
      """),
    RuleText(
      "context.other-unit", .warning,
      """
      A device's context entry stands in the tables of the unit that the kernel chose for the
      device.

      Source: `device_lookup_iommu`. Severity: warning; the entry translates nothing, or the
      kernel looks at the wrong unit.
      """),
    RuleText(
      "context.domain-id-mismatch", .error,
      """
      A device's context entry carries the domain-id that the kernel gave to the device's domain.

      Copied entries keep the previous kernel's id until the device is attached anew.

      Source: `domain_id_iommu`, `intel_pasid_setup_second_level`. Severity: error; the kernel
      flushes another id than the one under which the IOTLB caches.
      """),
    RuleText(
      "context.translation-mismatch", .error,
      """
      A device's context entry translates if the kernel's domain maps, and not if it must block.

      Identity domains may pass through or be built of tables, both are right.

      Source: `domain_context_mapping_one`, `intel_pasid_setup_pass_through`. Severity: error; the
      device reaches all of memory, or memory that the kernel thinks is blocked.
      """),
    RuleText(
      "context.domain-id-not-marked", .error,
      """
      Every domain-id in a context entry is marked as taken, or is one that the driver gives to
      nobody.

      Source: `intel_iommu.domain_ids`, since 6.15 `domain_ida`, which begins with 2:
      FLPT_DEFAULT_DID, 1, is in no allocator. Severity: error; the kernel may give the id to
      another domain, and both would share IOTLB entries.
      """),
    RuleText(
      "domain.id-shared", .error,
      """
      A domain-id names one table on a unit.

      In scalable mode Linux gives domain-id 1 to pass-through and to every first-stage table
      (FLPT_DEFAULT_DID), where PASIDs tell IOTLB entries apart; contexts without a table count
      for nothing. Entries of a previous kernel are not judged.

      Source: VT-d specification, section 6.2.2.1; drivers/iommu/intel/pasid.h. Severity: error;
      the IOTLB mixes what both tables say.
      """),
    RuleText(
      "domain.table-under-two-ids", .error,
      """
      A table has one domain-id on a unit.

      A process's table, which SVA gives to devices, and entries of a previous kernel are not
      judged.

      Source: `domain_attach_iommu` hands out one id for a domain and unit. Severity: error; a
      flush by one id leaves what was cached under the other.
      """),
    RuleText(
      "domain.id-leaked", .info,
      """
      Every domain-id that is marked as taken belongs to a domain.

      Ids 0 and 1 are reserved, and a kernel that took a unit over marks the ids it found there.

      Source: `domain_attach_iommu`, `copy_context_table`. Severity: info; leaked ids are lost
      until the next boot, but harm nobody.
      """),
    RuleText(
      "domain.references", .error,
      """
      A domain is attached to a unit as often as the kernel counts.

      Each device and each PASID that is attached holds one reference. With fewer than that the
      domain-id is given back while it is in use; with more it is never given back. A static
      identity domain keeps no count.

      Source: `domain_attach_iommu`, `domain_detach_iommu`. Severity: error where references lack,
      warning where there are too many.
      """),
    RuleText(
      "domain.tables-disagree", .error,
      """
      A kernel domain has one domain-id, one table and one depth on a unit.

      Rows of one kernel object on one unit that differ mean that a context entry and the kernel,
      or two context entries, disagree. Identity, blocking and nested domains are not built that
      way, and the ids of process address spaces are shared.

      Source: `struct dmar_domain`, `iommu_domain_info.did`. Severity: error; devices of one
      domain see different memory.
      """),
    RuleText(
      "region.not-mapped", .error,
      """
      A DMA domain maps the reserved regions (RMRR) of its devices one to one.

      Pass-through counts as mapped. Domains that VFIO or iommufd manage have no such mappings,
      and nothing is expected where no domain is attached. If a table could not be read, absence
      is not proven and only a warning.

      Source: VT-d specification, section 8.4; `iommu_create_device_direct_mappings`. Severity:
      error; firmware's use of the region faults, often after the crash too.
      """),
    RuleText(
      "region.overlaps-memory", .error,
      """
      No reserved memory region overlaps memory that Linux uses.

      Source: `arch_rmrr_sanity_check`, which taints the kernel and keeps the region. Severity:
      error; firmware's device may write over whatever Linux keeps there.
      """),
    RuleText(
      "region.outside-firmware", .warning,
      """
      Every reserved memory region lies inside memory that firmware keeps for itself.

      One that overlaps usable memory is another rule's.

      Source: `arch_rmrr_sanity_check`, which taints the kernel and keeps the region. Severity:
      warning; Linux may give the addresses to somebody else.
      """),
    RuleText(
      "domain.mapped-not-allocated", .error,
      """
      Everything that a DMA domain maps lies in a node of its IOVA allocator.

      Reserved regions and the ISA window are mapped without a node by older kernels. Domains
      without an allocator, or whose allocator could not be read to its end, are not judged.

      Source: `struct iova_domain`, `intel_unmap`, `__iommu_dma_unmap`. Severity: error; a mapping
      that was never removed lets a device reach memory that is somebody else's by now.
      """),
    RuleText(
      "domain.freed-but-mapped", .error,
      """
      A range that the IOVA allocator holds for free is not mapped any more.

      Leaves are cleared before the range goes to a flush queue or to a per-CPU cache.

      Source: `queue_iova`, `free_iova_fast`. Severity: error; the next owner of the range or of
      the memory behind it meets the old mapping. A crash in the middle of an unmap may look
      alike.
      """),
    RuleText(
      "iova.allocated-not-mapped", .info,
      """
      What the IOVA allocator gave to a driver is mapped.

      Reserved ranges, ranges in caches and flush queues, and the unmapped tail of a live range
      are ordinary. Where the caches, the queues, what is reserved or the tables could not be
      read, nothing is said.

      Source: `iommu_dma_alloc_iova`, `dma_iova_try_alloc`. Severity: info; a driver is between
      both steps, or the range is lost.
      """),
    RuleText(
      "iova.flush-pending", .info,
      """
      No more ranges wait for their flush than a flush queue holds.

      Unmapped ranges wait up to 10 ms, or until 256 of them are queued on a CPU: some are there
      at almost every crash, and no finding. From 1,024 on, or once they cover 64 MiB, flushing
      lags behind.

      Source: drivers/iommu/dma-iommu.c, `queue_iova`, IOVA_FQ_TIMEOUT. Severity: info; devices
      may still reach what was unmapped.
      """),
    RuleText(
      "iova.leak-suspect", .info,
      """
      No device holds far more live mappings than the others together.

      A driver that forgets to unmap fills its allocator. Network and storage drivers keep some
      thousands of buffers mapped, so a suspect has 8,192 live ranges or more, and nine of ten of
      the machine's. What grows between two dumps says more: compare them.

      Source: `iommu_dma_map_phys` and its callers. Severity: info; a suspect, no proof.
      """),
    RuleText(
      "domain.maps-tables", .error,
      """
      No domain maps a table of the remapping units.

      Identity domains built of tables map all of memory and are not judged.

      Source: `iommu_alloc_pages_node`, which takes tables from the kernel's own memory. Severity:
      error; a device that writes there rewrites its own rights.
      """),
    RuleText(
      "domain.maps-free-memory", .error,
      """
      No domain maps a page that the kernel's allocator holds for free.

      Told from `struct page`, which filtered dumps keep. What was given to guests is not looked
      up.

      Source: mm/page_alloc.c, `__free_one_page`; the kernel's own check is
      `iommu.debug_pagealloc`. Severity: error; whoever gets the page next shares it with the
      device.
      """),
    RuleText(
      "domain.maps-kernel-text", .error,
      """
      No domain maps the kernel's code.

      Identity domains built of tables map all of memory and are not judged.

      Source: `code_resource`, arch/x86/kernel/setup.c. Severity: error where a device may write,
      warning where it may read.
      """),
    RuleText(
      "domain.maps-crash-kernel", .error,
      """
      No domain maps the memory that is set aside for the crash kernel.

      Identity domains built of tables map all of memory and are not judged here, nor is
      pass-through.

      Source: `crashk_res`, `crashk_low_res`. Severity: error where a device may write, warning
      where it may read; DMA in flight would overwrite the crash kernel.
      """),
    RuleText(
      "domain.maps-msi-window", .error,
      """
      No domain maps the window of message-signalled interrupts.

      A write without PASID to 0xfee00000 to 0xfeefffff is an interrupt and never translated, so a
      buffer that is mapped there loses its data. Requests with PASID are translated as any other.

      Source: VT-d specification, sections 3.14 and 5.1; `intel_iommu_get_resv_regions`. Severity:
      error.
      """),
    RuleText(
      "domain.beyond-width", .warning,
      """
      No second-stage table maps addresses that the unit cannot translate.

      Source: VT-d specification, section 11.4.2, CAP.MGAW. Severity: warning; requests to these
      addresses fault.
      """),
    RuleText(
      "domain.maps-no-memory", .info,
      """
      What a DMA domain maps is memory.

      Reserved regions are mapped for firmware, and a device may be given another one's registers
      (peer-to-peer), so this alone proves nothing.

      Source: `iomem_resource`; `dma_map_resource`. Severity: info.
      """),
    RuleText(
      "domain.shared-page", .info,
      """
      No page is writable for devices of two groups.

      Linux maps whole pages, so buffers that are smaller than a page may share one: network
      drivers take receive buffers out of the fragments of one page. Such pages are left out where
      the dump shows them for what they are, with several references or in a slab; a page that one
      owner alone holds, and one that nothing is known of, are told. Identity domains and fixed
      regions are left out, and so are guests that were given several devices with one address
      space.

      Source: `iommu_dma_map_phys`; `page_frag_alloc_align`. Severity: info; isolation between the
      groups ends at such a page.
      """),
    RuleText(
      "domain.table-cycle", .error,
      """
      No translation table contains itself.

      Source: VT-d specification, section 3.7. Severity: error; the tables are damaged.
      """),
    RuleText(
      "domain.table-alias", .warning,
      """
      Every table of a domain is reached over one path.

      Linux never shares a table page inside an address space.

      Source: `pfn_to_dma_pte`, `generic_pt`. Severity: warning; one write to the table changes
      the mapping of several addresses.
      """),
    RuleText(
      "domain.table-shared", .error,
      """
      No table page belongs to two domains.

      Rows of one kernel domain may share: it has one table for all units, and older drivers let a
      unit with fewer levels begin below the top. Tables of processes are not judged.

      Source: `pfn_to_dma_pte`, `generic_pt`. Severity: error; a page that is unmapped in one
      domain, or a table that is freed with it, is still the other's.
      """),
    RuleText(
      "domain.reserved-bits", .error,
      """
      No present entry has a reserved bit set.

      Source: VT-d specification, sections 9.8 and 9.9. Severity: error; requests through the
      entry fault, and the tables may be damaged.
      """),
    RuleText(
      "domain.tables-unreadable", .warning,
      """
      Every table of a domain is in the dump.

      Tables survive every filter of makedumpfile unless they were free: a table that is missing
      from a filtered dump was given back while an entry still pointed at it, or never was memory.

      Source: makedumpfile's dump levels. Severity: warning; part of the address space is unknown.
      """),
    RuleText(
      "domain.tables-assumed-empty", .info,
      """
      Every table of a domain has its bytes in the dump.

      An ELF dump leaves out pages of zeros and pages that a filter removed, and does not say
      which.

      Source: makedumpfile's ELF output. Severity: info; the tables were taken for empty, which
      they most likely are.
      """),
    RuleText(
      "domain.walk-cut", .warning,
      """
      The tables of a domain fit into the walk's page budget.

      Severity: warning; what lies behind the cut is unknown, and tables that large are most
      likely damaged.
      """),
    RuleText(
      "interrupts.entry-not-allocated", .warning,
      """
      Every present interrupt-remapping entry is allocated.

      Source: `struct ir_table.bitmap`, `modify_irte`, `clear_entries`. Severity: warning; a
      device may raise an interrupt that nobody owns.
      """),
    RuleText(
      "interrupts.entry-impossible", .error,
      """
      Every present interrupt-remapping entry is one that the kernel can have written.

      Reserved bits and modes, vectors of the processor's exceptions, and source ids of nobody are
      not. Sources are not judged where the kernel's list of devices has gaps.

      Source: VT-d specification, sections 9.9 and 9.10; `set_msi_sid`, `set_ioapic_sid`.
      Severity: error; the interrupt is lost, or another one is raised in its place.
      """),
    RuleText(
      "queue.pending", .info,
      """
      The invalidation queue is drained.

      The head and tail registers are in no dump; what counts here is software's status of the
      slots.

      Source: `qi_submit_sync`; VT-d specification, section 6.5.2. Severity: info; the IOTLB may
      still hold what was to be invalidated, and a queue that hangs is a reason to crash.
      """),
    RuleText(
      "handover.disagrees", .error,
      """
      What a live update hands over is what the hardware's tables say.

      Compared are the root table, the bitmap of context tables, the domain-id of each preserved
      device and the top table and depth of its domain. A context table that is missing from the
      bitmap is a warning: its root entry is zeroed when the old kernel ends.

      Source: drivers/iommu/intel/liveupdate.c of the series "iommu: Add live update state
      preservation" (2026), `intel_iommu_preserve`, `intel_iommu_preserve_device`. Severity:
      error; the next kernel goes on with tables or ids that are not the devices'.
      """),
    RuleText(
      "log.faults", .error,
      """
      The kernel log tells of no request that a unit refused.

      One finding for each source id, whatever it asked for; the first 16 one by one.

      Source: `dmar_fault_do_one`, drivers/iommu/intel/dmar.c. Severity: error; the device did not
      get what it asked for.
      """),
    RuleText(
      "log.unit-errors", .error,
      """
      The kernel log tells of no error of a unit or its driver beside refused requests.

      Source: `qi_check_fault` and `dmar_fault`, drivers/iommu/intel/dmar.c; `prq_event_thread`;
      `__domain_mapping`. Severity: error where a unit stopped or was not reached, warning where
      the driver complains.
      """),
    RuleText(
      "registers.unanswered", .error,
      """
      A unit whose registers were read answers.

      Source: VT-d specification, section 11.4: no unit has all bits of CAP set; a read that
      nothing answers ends so on PCI Express. Severity: error; the unit has lost its power or its
      link, or its registers are not where firmware says.
      """),
    RuleText(
      "registers.of-crash-kernel", .info,
      """
      Registers that were read beside the dump are those that the crashed kernel had set.

      A crash kernel sets up the units anew; registers that were read in it point to its own
      tables. Nothing is compared with what the crashed kernel believed then.

      Source: `init_dmars`, `intel_iommu_init`. Severity: info; only fault records and errors that
      are older than the takeover tell of the crashed kernel.
      """),
    RuleText(
      "registers.root-table", .error,
      """
      The unit reads the root table that the kernel believes in, in the mode that it believes in.

      Source: `iommu_set_root_entry`; VT-d specification, section 11.4.6. Severity: error; every
      context in memory is one that the unit does not look at, or the kernel's structure is
      damaged.
      """),
    RuleText(
      "registers.status", .error,
      """
      What the unit does is what the kernel's shadow of its command register says.

      Translation, interrupt remapping and queued invalidation are compared: GSTS with
      `intel_iommu.gcmd`.

      Source: `iommu_enable_translation`, `iommu_enable_irq_remapping`, `__dmar_enable_qi`; VT-d
      specification, sections 11.4.4 and 11.4.5. Severity: error; warning for what is on without
      the kernel's knowledge.
      """),
    RuleText(
      "registers.interrupt-table", .error,
      """
      The unit reads the interrupt-remapping table that the kernel believes in.

      Source: `iommu_set_irq_remapping`; VT-d specification, section 11.4.8.1. Severity: error;
      interrupts go where nobody expects them.
      """),
    RuleText(
      "registers.queue", .error,
      """
      The unit reads the invalidation queue that the kernel fills.

      Source: `__dmar_enable_qi`; VT-d specification, section 11.4.9.12. Severity: error; no
      invalidation reaches the unit.
      """),
    RuleText(
      "registers.queue-stopped", .error,
      """
      The unit fetches its invalidation queue.

      Registers of any kernel count: an error stops the queue until somebody clears it.

      Source: `qi_check_fault`; VT-d specification, sections 6.5.2.10 and 11.4.9.1. Severity:
      error; for descriptors that are only waiting, info.
      """),
    RuleText(
      "registers.faults", .error,
      """
      The unit has no refused request to report, and lost none.

      Registers of any kernel count: what nobody has read out is still there.

      Source: `dmar_fault`; VT-d specification, sections 11.4.9.1 and 11.4.9.5. Severity: error;
      the device did not get what it asked for, and no log tells of it.
      """),
    RuleText(
      "dump.incomplete", .warning,
      """
      The dump's file is what its own headers promise.

      Source: the readers of `DumpFile`. Severity: warning; parts of the report may be missing.
      """),
    RuleText(
      "dump.filtered-out", .warning,
      """
      The dump's filter left the state of the remapping units alone.

      A makedumpfile that is older than the kernel takes compound and slab pages for free ones.
      Tables that translate are `TablesUnreadable`'s: a filter removes them only if they were
      free.

      Source: makedumpfile's `-d`; `Absence.excluded`. Severity: warning; the report has gaps that
      the crashed machine did not have.
      """),
    RuleText(
      "dump.truncated", .warning,
      """
      The dump's file is whole.

      Source: `Absence.truncated`. Severity: warning; what lies behind the end of the file is
      unknown.
      """),
    RuleText(
      "dump.corrupt", .warning,
      """
      The dump's pages decode.

      Source: `Absence.corrupt`. Severity: warning; the file was damaged after it was written.
      """),
    RuleText(
      "dump.firmware-table-altered", .warning,
      """
      The firmware's description of a unit still says what the kernel read from it at boot.

      The kernel keeps a copy of each unit's structure. The ACPI table itself is in no ordinary
      dump.

      Source: `dmar_parse_one_drhd`; VT-d specification, section 8.3. Severity: warning; memory
      was overwritten, and a kernel that starts from it would not find the unit.
      """),
    RuleText(
      "kernel.unreadable", .warning,
      """
      The kernel's structures are in the dump, unless its filter, its length or its state say why
      not.

      Among them is `copied_tables`: without it nothing tells which contexts still are those of a
      kernel that ran before.

      Source: `Absence`. Severity: warning; what hangs on the structure is unknown.
      """),
    RuleText(
      "kernel.malformed", .warning,
      """
      The kernel's structures do not contradict themselves.

      A list that was being changed at the moment of the crash may look damaged.

      Source: `lib/list_debug.c` checks alike. Severity: warning; memory was overwritten, or the
      crash came in the middle of an update.
      """),
    RuleText(
      "dump.kernel-unread", .warning,
      """
      The kernel's structures can be read at all.

      Source: `DumpSummary.typesFrom`. Severity: warning; only the hardware's half of the report
      is there, and nothing can be compared.
      """),
  ]
}
