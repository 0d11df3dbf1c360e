#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the ELF files of this folder anew; see README.md.
set -e
cd "$(dirname "$0")"
compile="-O1 -ffreestanding -fno-asynchronous-unwind-tables -fno-stack-protector -fno-pie
  -fdebug-prefix-map=$PWD=/kernel"
link="gcc -static -nostdlib -no-pie -Wl,-e,intel_iommu_init -Wl,-z,noseparate-code -Wl,--build-id"

build() {  # name, compiler, options
  for unit in layouts other; do
    $2 $compile $3 -c drivers/$unit.c -o $unit.o
  done
  $link layouts.o other.o -o "$1.elf"
}

mkdir -p drivers
cp layouts.c other.c drivers
build gcc-dwarf2 gcc "-gdwarf-2 -gstrict-dwarf"
build gcc-dwarf4 gcc -gdwarf-4
build clang-dwarf5 clang -gdwarf-5
build gcc-dwarf5-types gcc "-gdwarf-5 -fdebug-types-section"
build gcc-dwarf5 gcc -gdwarf-5
cp layouts.o gcc-dwarf5-relocatable.elf
$link -Wl,--emit-relocs layouts.o other.o -o gcc-dwarf5-relocations.elf
objcopy --compress-debug-sections=zlib gcc-dwarf5.elf gcc-dwarf5-compressed.elf
dwz -L none -l none -o gcc-dwarf4-partial.elf gcc-dwarf4.elf
pahole -J --btf_gen_floats gcc-dwarf5.elf
for file in *.elf; do objcopy --remove-section .comment $file; done
chmod -x *.elf
rm -rf drivers layouts.o other.o
