#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# dracut module: iommuscope in the initramfs of kdump (RHEL, Fedora, SUSE).

check() {
  require_binaries iommuscope iommuscope-kdump-capture || return 1
  # Only where it is asked for: `dracutmodules+=" iommuscope "`, or --add iommuscope.
  return 255
}

depends() {
  return 0
}

install() {
  inst_multiple iommuscope iommuscope-kdump-capture mount date
  # Codecs are loaded when a dump needs them; /proc/vmcore needs none.
}
