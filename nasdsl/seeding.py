"""Seeds derived by key, so that no result depends on the order in which work was done."""

from __future__ import annotations

import hashlib
import random

Key = str | int | float | bool | None


def derive(*keys: Key) -> int:
    """A 63-bit seed that depends on every key and on nothing else.

    Equal keys give equal seeds in every process and on every machine. The type of a key
    counts, so that ``derive(1)`` and ``derive("1")`` differ.
    """
    digest = hashlib.blake2b(digest_size=8)
    for key in keys:
        text = f"{type(key).__name__}:{key!r}"
        digest.update(f"{len(text)}:".encode())
        digest.update(text.encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest(), "big") >> 1


def generator(*keys: Key) -> random.Random:
    """A generator of its own, seeded by the keys; the global generator is never touched."""
    return random.Random(derive(*keys))
