"""Prefixes of URIs that are fetched from somewhere else: mirrors, and machines without the internet. Pure.

`HEADRACE_IMPORT_REWRITE="gs://public/=file:///mirror/public/ https://example.com/=https://mirror.local/"`. What is recorded
of an artifact stays its own URI; only the bytes come from the mirror.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rewrites:
    """The longest prefix that fits wins."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Rewrites:
        """Raises ValueError with what is wrong."""
        pairs = []
        for word in text.split():
            prefix, equals, target = word.partition("=")
            if not equals or "://" not in prefix or "://" not in target:
                raise ValueError(f"{word!r} is not FROM=TO with two URI prefixes")
            pairs.append((prefix, target))
        return cls(tuple(sorted(pairs, key=lambda pair: -len(pair[0]))))

    def apply(self, uri: str) -> str:
        """Where to fetch the URI from."""
        for prefix, target in self.pairs:
            if uri.startswith(prefix):
                return target + uri[len(prefix) :]
        return uri
