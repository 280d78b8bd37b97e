"""Zip archives whose entries are stored as they are, as PyTorch writes them.

Python's zipfile takes memory for as many entries as a file has room for, and unpacks. Here the
directory has a limited size, and an entry is a part of the file.
"""

import struct
import zlib

from cnnkit.exceptions import ModelFormatError
from cnnkit.files.parts import read_into
from cnnkit.validate.values import short

MAX_DIRECTORY = 2 << 20  # bytes: that of ResNet-152 has 80,000
COMMENT = 1 << 16  # most bytes behind the record at the end
END = struct.Struct("<4s4H2IH")  # the record at the end
END_64 = struct.Struct("<4sQ2H2I4Q")
LOCATOR = struct.Struct("<4sIQI")  # of the record of large archives
ENTRY = struct.Struct("<4s6H3I5H2I")  # in the directory
LOCAL = struct.Struct("<4s5H3I2H")  # before the bytes of an entry
FULL = 0xFFFFFFFF  # in the place of a number that has eight bytes elsewhere


class Archive:
    """The entries of an open zip file.

    Parameters
    ----------
    file : binary file
    size : int
        Bytes of the file.
    owner : str
        Start of errors.

    Attributes
    ----------
    sizes : dict of int
        Bytes of the entries by name.
    """

    def __init__(self, file, size, owner):
        self.file, self.size, self.owner = file, size, owner
        self.sizes, self._places = {}, {}
        content = self._directory()
        place = 0
        while place < len(content):
            place = self._entry(content, place)

    def read(self, name):
        """Return the bytes of an entry."""
        array = bytearray(self.sizes[name])
        self.read_into(name, array)
        return bytes(array)

    def read_into(self, name, array):
        """Copy the bytes of an entry to a buffer of its size; raise if they have changed."""
        start, wanted = self._places[name]
        local = LOCAL.unpack(self._bytes(start, LOCAL.size))
        if local[0] != b"PK\3\4":
            raise self._fault(f"an entry must start with a header, got none at {name!r}.")
        begin = start + LOCAL.size + local[9] + local[10]
        if begin + self.sizes[name] > self.size:
            raise self._fault(f"an entry must lie in the file, got {name!r}.")
        self.file.seek(begin)
        read_into(self.file, array, self.owner)
        if zlib.crc32(array) != wanted:
            raise self._fault(
                f"the checksum must be that of {name!r}: it was damaged after it was written."
            )

    def _fault(self, text):
        return ModelFormatError(f"{self.owner}: {text}")

    def _bytes(self, start, count):
        if start < 0 or start + count > self.size:
            raise self._fault("the directory of the archive must lie in the file, got others.")
        self.file.seek(start)
        return self.file.read(count)

    def _directory(self):
        """Return the bytes of the directory."""
        tail_start = max(0, self.size - COMMENT - END.size)
        tail = self._bytes(tail_start, self.size - tail_start)
        at = tail.rfind(b"PK\5\6")
        if at < 0 or at + END.size > len(tail):
            raise self._fault("an archive must end with its directory: the file was cut off.")
        *_, size, start, _ = END.unpack_from(tail, at)
        at += tail_start - LOCATOR.size
        if at >= 0:
            mark, _, place, _ = LOCATOR.unpack(self._bytes(at, LOCATOR.size))
            if mark == b"PK\6\7":
                *_, size, start = END_64.unpack(self._bytes(place, END_64.size))
        if size > MAX_DIRECTORY:
            raise self._fault(
                f"the directory of the archive must have at most {MAX_DIRECTORY} bytes, got {size}."
            )
        return self._bytes(start, size)

    def _entry(self, content, place):
        """Record the entry at `place` of the directory, and return where the next begins."""
        found = ENTRY.unpack_from(content, place)
        mark, flags, method, crc, packed, size = (found[i] for i in (0, 3, 4, 7, 8, 9))
        lengths, start = found[10:13], found[16]
        if mark != b"PK\1\2":
            raise self._fault("the directory of the archive must be of entries, got others.")
        begin = place + ENTRY.size
        end = begin + lengths[0]
        name = content[begin:end].decode()
        numbers = [size, packed, start]
        extra = content[end : end + lengths[1]]
        if FULL in numbers:
            numbers = self._long(numbers, extra)
        size, packed, start = numbers
        if method or flags & 1 or size != packed:
            raise self._fault(
                f"entries must be neither packed nor encrypted, got {short(name)}: torch.save "
                f"writes them as they are."
            )
        if name in self.sizes:
            raise self._fault(f"names of entries must be unique, got {short(name)} twice.")
        if size > self.size:
            raise self._fault(f"an entry must lie in the file, got {short(name)} of {size} bytes.")
        self.sizes[name], self._places[name] = size, (start, crc)
        return begin + sum(lengths)

    def _long(self, numbers, extra):
        """Return the numbers with those of eight bytes from the field of large archives."""
        place = 0
        while place + 4 <= len(extra):
            kind, length = struct.unpack_from("<2H", extra, place)
            place += 4
            if kind == 1:
                count = numbers.count(FULL)
                longs = iter(struct.unpack_from(f"<{count}Q", extra, place))
                return [next(longs) if number == FULL else number for number in numbers]
            place += length
        return numbers
