"""Bearer tokens: our own, from a file, and how one stands in a header. No token is ever logged or part of a message.

Verifying those of callers is `headrace_identity`'s, which a companion does not need.
"""

from __future__ import annotations

from pathlib import Path

from headrace_servicekit.errors import Reason, ServiceError


class TokenFile:
    """The token that the kubelet keeps fresh in a file: read again when the file changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._text = ""

    def read(self) -> str:
        """The token as it is now; raises UNAVAILABLE where there is none."""
        try:
            found = self.path.stat()
            if (seen := (found.st_ino, found.st_mtime_ns, found.st_size)) != self._seen:
                self._text, self._seen = self.path.read_text(encoding="ascii").strip(), seen
        except (OSError, ValueError) as missing:
            said = missing.strerror if isinstance(missing, OSError) else "it is not a text"
            raise ServiceError(Reason.UNAVAILABLE, f"our token {self.path} cannot be read: {said}") from None
        return self._text


def bearer(header: object) -> str | None:
    """The token in the value of an Authorization header."""
    scheme, _, token = header.partition(" ") if isinstance(header, str) else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def unauthenticated(why: str) -> ServiceError:
    return ServiceError(Reason.UNAUTHENTICATED, why)
