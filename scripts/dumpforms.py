# SPDX-License-Identifier: Apache-2.0
"""Dumps as ELF files and as kdump-compressed ones of every codec that this machine has, to be written and changed."""

import ctypes
import struct
import zlib

PAGE = 4096


def library(name):
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


def codecs():
    """Packers by name, each with the flag of makedumpfile's page descriptor."""
    found = {"none": (0, None), "zlib": (1, lambda page: zlib.compress(page, 1))}
    lzo, snappy, zstd = library("liblzo2.so.2"), library("libsnappy.so.1"), library("libzstd.so.1")
    room = ctypes.create_string_buffer(3 * PAGE)
    size = ctypes.c_size_t()
    if lzo:
        work = ctypes.create_string_buffer(16384 * 8)

        def pack_lzo(page):
            lzo.lzo1x_1_compress(page, ctypes.c_size_t(len(page)), room, ctypes.byref(size), work)
            return room.raw[: size.value]

        found["lzo"] = (2, pack_lzo)
    if snappy:

        def pack_snappy(page):
            size.value = 3 * PAGE
            snappy.snappy_compress(page, ctypes.c_size_t(len(page)), room, ctypes.byref(size))
            return room.raw[: size.value]

        found["snappy"] = (4, pack_snappy)
    if zstd:
        zstd.ZSTD_compress.restype = ctypes.c_size_t

        def pack_zstd(page):
            count = zstd.ZSTD_compress(
                room, ctypes.c_size_t(3 * PAGE), page, ctypes.c_size_t(len(page)), 1)
            return room.raw[:count]

        found["zstd"] = (0x20, pack_zstd)
    return found


class Dump:
    """A sound dump as a file of its own, whose damage can be taken back."""

    def __init__(self, name, path, data):
        self.name, self.path, self.size = name, path, len(data)
        with open(path, "wb") as file:
            file.write(data)
        self.file = open(path, "r+b")
        self.undo, self.symbols = [], None

    def write(self, offset, data):
        self.file.seek(offset)
        self.undo.append((offset, self.file.read(len(data))))
        self.file.seek(offset)
        self.file.write(data)

    def truncate(self, size):
        self.file.seek(size)
        self.undo.append((size, self.file.read()))
        self.file.truncate(size)

    def settle(self):
        self.file.flush()

    def restore(self):
        for offset, data in reversed(self.undo):
            self.file.seek(offset)
            self.file.write(data)
        self.undo = []
        self.file.truncate(self.size)
        self.file.flush()

    def word(self, address):
        page = self.pages.get(address // PAGE)
        return None if page is None else struct.unpack_from("<Q", page, address % PAGE)[0]


class ELF(Dump):
    def __init__(self, name, path, data):
        super().__init__(name, path, data)
        count, offset = struct.unpack_from("<H", data, 56)[0], struct.unpack_from("<Q", data, 32)[0]
        self.headers = offset + 56 * count
        self.places, self.pages, self.notes, self.memory = {}, {}, b"", 0
        for index in range(count):
            kind, _, start, _, physical, size, memory, _ = struct.unpack_from(
                "<IIQQQQQQ", data, offset + 56 * index)
            if kind == 4:
                self.notes = data[start : start + size]
                self.headers = max(self.headers, min(start + size, 1 << 20))
            if kind == 1:
                self.memory = max(self.memory, physical + memory)
                for place in range(0, size - PAGE + 1, PAGE):
                    self.places[(physical + place) // PAGE] = start + place
                    self.pages[(physical + place) // PAGE] = data[start + place : start + place + PAGE]

    def set_word(self, address, value):
        self.write(self.places[address // PAGE] + address % PAGE, struct.pack("<Q", value))


class Kdump(Dump):
    """The pages of another dump, kdump-compressed; a changed page is packed anew at the file's end."""

    def __init__(self, name, path, pages, note, frames, codec):
        self.pages, (self.flag, self.pack), self.changed = pages, codec, {}
        data = bytearray(2 * PAGE)
        data[0:8] = b"KDUMP   "
        struct.pack_into("<i", data, 8, 6)
        for index, text in enumerate((b"Linux", b"node", b"6.1", b"#1", b"x86_64", b"(none)")):
            data[12 + 65 * index : 12 + 65 * index + len(text)] = text
        blocks = 2 * (-(-frames // (8 * PAGE)))
        sub = 1 + -(-len(note) // PAGE)
        struct.pack_into("<IIIII", data, 424, self.flag, PAGE, sub, blocks, min(frames, 0xFFFFFFFF))
        struct.pack_into("<QI", data, PAGE, 0x1000000, 31)
        struct.pack_into("<QQ", data, PAGE + 32, 2 * PAGE, len(note))
        struct.pack_into("<QQQ", data, PAGE + 80, 0, 0, frames)
        data += note + bytes(-len(note) % PAGE)
        bitmap = bytearray(blocks // 2 * PAGE)
        for frame in pages:
            bitmap[frame // 8] |= 1 << frame % 8
        data += bitmap + bitmap
        self.headers = len(data)
        first = len(data)
        data += bytes(24 * len(pages))
        self.descriptors = {}
        for index, frame in enumerate(sorted(pages)):
            place = first + 24 * index
            self.descriptors[frame] = place
            packed, flag = self.packed(bytes(pages[frame]))
            struct.pack_into("<QIIQ", data, place, len(data), len(packed), flag, 0)
            data += packed
        super().__init__(name, path, bytes(data))
        self.end = self.size

    def packed(self, page):
        packed = self.pack(page) if self.pack else page
        return (packed, self.flag) if len(packed) < len(page) else (page, 0)

    def set_word(self, address, value):
        frame = address // PAGE
        page = self.changed.setdefault(frame, bytearray(self.pages[frame]))
        struct.pack_into("<Q", page, address % PAGE, value)

    def settle(self):
        for frame, page in self.changed.items():
            packed, flag = self.packed(bytes(page))
            self.file.seek(self.end)
            self.file.write(packed)
            self.write(self.descriptors[frame], struct.pack("<QIIQ", self.end, len(packed), flag, 0))
            self.end += len(packed)
        super().settle()

    def restore(self):
        super().restore()
        self.end, self.changed = self.size, {}


def note(notes, wanted):
    """The bytes of the first note of that name."""
    place = 0
    while place + 12 <= len(notes):
        name, size, _ = struct.unpack_from("<III", notes, place)
        text = notes[place + 12 : place + 12 + name].rstrip(b"\0")
        start = place + 12 + (name + 3 & ~3)
        if text == wanted:
            return notes[start : start + size]
        place = start + (size + 3 & ~3)
    return b""


def system_map(elf, path):
    """Writes the symbols that an extract carries as a System.map; its kdump forms have no other."""
    info = note(elf.notes, b"VMCOREINFO")
    moved = [line[13:] for line in info.split(b"\n") if line.startswith(b"KERNELOFFSET=")]
    offset = int(moved[0], 16) if moved else 0
    with open(path, "w") as file:
        for line in note(elf.notes, b"IOMMUSCOPE").split(b"\n"):
            words = line.split()
            if len(words) == 3 and words[0] == b"symbol":
                address = (int(words[1], 16) - offset) % (1 << 64)
                file.write(f"{address:016x} D {words[2].decode()}\n")
    return path
