// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// Files that hold, or seem to hold, a machine's memory in a form that is not read, and what to do.
enum ForeignImage {
  /// - Parameter head: the file's first bytes.
  /// - Returns: what it is and which command makes a dump of it; `nil` for nothing that is known.
  static func name(_ head: [UInt8]) -> (name: String, advice: String)? {
    let known = forms.first { form in
      head.count >= form.offset + form.signature.count
        && head[form.offset...].starts(with: form.signature)
    }
    return known.map { ($0.name, $0.advice) }
  }

  /// Source: libvirt, `src/qemu/qemu_saveimage.h`; QEMU, `migration/savevm.c`, docs/interop/qcow2; LKCD,
  /// `kerntypes.h`; AVML, `src/image.rs`; crash, `sadump.h`; volatility3, layers `avml`, `crash`.
  private static let forms: [(offset: Int, signature: [UInt8], name: String, advice: String)] = [
    (
      0, Array("LibvirtQemudSave".utf8), "a saved domain of libvirt (virsh save)",
      "restore it and use virsh dump --memory-only DOMAIN FILE"
    ),
    (
      0, Array("LibvirtQemudPart".utf8), "an unfinished save of libvirt",
      "use virsh dump --memory-only DOMAIN FILE"
    ),
    (
      0, Array("QEVM".utf8), "QEMU's migration stream (virsh dump without --memory-only)",
      "use virsh dump --memory-only DOMAIN FILE"
    ),
    (
      0, Array("AVML".utf8), "an AVML image in its compressed form",
      "convert it with avml-convert to LiME's form"
    ),
    (0, [0x51, 0x46, 0x49, 0xfb], "a QCOW2 disk image", "name a dump of memory"),
    (0, Array("KDMV".utf8), "a VMDK disk image", "name the .vmss or .vmsn with its .vmem beside"),
    (0, Array("PAGEDU64".utf8), "a Windows crash dump", "dump the guest with its hypervisor"),
    (0, Array("PAGEDUMP".utf8), "a Windows crash dump", "dump the guest with its hypervisor"),
    (
      0, Array("VMA\0".utf8), "a Proxmox backup of disks",
      "dump memory with dump-guest-memory of the monitor"
    ),
    (
      0, [0xed, 0x23, 0x8f, 0x61, 0x73, 0x01, 0x19, 0xa8], "an LKCD dump", "open it with crash"
    ),
    (0, Array("sadump".utf8), "a sadump image", "convert it with makedumpfile"),
    (
      0x202, Array("HdrS".utf8), "a bootable kernel (vmlinuz)",
      "name the dump here, and a kernel with --vmlinux"
    ),
  ]
}
