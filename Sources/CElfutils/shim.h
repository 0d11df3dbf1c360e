/* SPDX-License-Identifier: Apache-2.0 */
/* elfutils: libelf decodes ELF headers and symbol tables, libdw decodes DWARF. */
#include <elfutils/libdw.h>
#include <dwarf.h>
#include <gelf.h>
#include <libelf.h>
