"""Numbers by id, for so many ids that a dict of them would fill the memory."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from itertools import count

FEW = 50_000
"""So many ids are kept in a dict, which is faster; more of them as digests, in 40 bytes each."""

DIGEST_BYTES = 16

FIRST_SLOTS = 1 << 18
"""More than twice `FEW`; a power of two."""


class IdTable:
    """Remembers ids, each with a number from 0 to 2**32 - 1.

    Of many ids, 128 bits of a digest stand for each: that two of a billion ids have the same is
    less likely than an error of the machine.

    Example:
        >>> table = IdTable()
        >>> table.add("ant", 7)
        >>> "ant" in table, table.get("ant"), table.get("bee"), len(table)
        (True, 7, None, 1)
    """

    def __init__(self) -> None:
        self._few: dict[str, int] | None = {}
        self._slots = array("I")
        """Where in the lists each digest stands, counted from 1; 0: nowhere."""
        self._digests = bytearray()
        self._numbers = array("I")

    def __len__(self) -> int:
        return len(self._numbers) if self._few is None else len(self._few)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def get(self, name: str) -> int | None:
        """The number of an id; None: it was never added."""
        if self._few is not None:
            return self._few.get(name)
        entry = self._slots[self._find_slot(digest_of_id(name))]
        return self._numbers[entry - 1] if entry else None

    def add(self, name: str, number: int = 0) -> None:
        """Remember an id; if it is known, give it another number."""
        if self._few is not None:
            self._few[name] = number
            if len(self._few) > FEW:
                few, self._few = self._few, None
                self._slots = new_slots(FIRST_SLOTS)
                for each, its in few.items():
                    self._put(each, its)
            return
        self._put(name, number)

    def add_new(self, name: str, number: int = 0) -> bool:
        """Remember an id unless it is known; say whether it was new."""
        if self._few is not None:
            if name in self._few:
                return False
            self.add(name, number)
            return True
        digest = digest_of_id(name)
        slot = self._find_slot(digest)
        if self._slots[slot]:
            return False
        self._enter(slot, digest, number)
        return True

    def _put(self, name: str, number: int) -> None:
        """Enter an id among many."""
        digest = digest_of_id(name)
        slot = self._find_slot(digest)
        if entry := self._slots[slot]:
            self._numbers[entry - 1] = number
        else:
            self._enter(slot, digest, number)

    def _enter(self, slot: int, digest: bytes, number: int) -> None:
        """Enter an id into an empty slot."""
        self._digests += digest
        self._numbers.append(number)
        self._slots[slot] = len(self._numbers)
        if 2 * len(self._numbers) > len(self._slots):
            self._grow()

    def _grow(self) -> None:
        """Make twice as many slots."""
        self._slots = new_slots(2 * len(self._slots))
        for entry, digest in zip(count(1), self._list_digests(), strict=False):
            self._slots[self._find_slot(digest)] = entry

    def _list_digests(self) -> Iterator[bytes]:
        for start in range(0, len(self._digests), DIGEST_BYTES):
            yield bytes(self._digests[start : start + DIGEST_BYTES])

    def _find_slot(self, digest: bytes) -> int:
        """The slot of a digest, or the empty one where it belongs."""
        slots, digests, last = self._slots, self._digests, len(self._slots) - 1
        slot = int.from_bytes(digest[:8], "little") & last
        while entry := slots[slot]:
            start = (entry - 1) * DIGEST_BYTES
            if digests[start : start + DIGEST_BYTES] == digest:
                break
            slot = (slot + 1) & last
        return slot


def digest_of_id(name: str) -> bytes:
    """What stands for an id."""
    data = name.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest()


def new_slots(count: int) -> array[int]:
    """As many empty slots."""
    return array("I", bytes(array("I").itemsize * count))
