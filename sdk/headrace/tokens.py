"""The bearer token of a client: a text, or a file that somebody keeps fresh (a Pod's projected token), and where it may go.

Standard library alone. Used by api.connection and kfp_alias. Settings: HEADRACE_TOKEN, HEADRACE_TOKEN_FILE.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from headrace.errors import BadInput
from headrace.finding import may_travel_to


class Token:
    """TOKEN, or the content of the file that it is the path of; without one the settings'. In no text that this makes."""

    def __init__(self, token: str | Path | None, environ: Mapping[str, str] = os.environ) -> None:
        if token is None:
            file = environ.get("HEADRACE_TOKEN_FILE")
            token = environ.get("HEADRACE_TOKEN") or (Path(file) if file else "")
        self._file = token if isinstance(token, Path) else None
        self._seen: tuple[int, int] | None = None
        self._text = "" if isinstance(token, Path) else _checked(token)

    def __bool__(self) -> bool:
        return bool(self._file or self._text)

    def read(self) -> str:
        """The token as it is now: a file is read again when it has changed."""
        if self._file is None:
            return self._text
        try:
            found = self._file.stat()
            if (seen := (found.st_ino, found.st_mtime_ns)) != self._seen:
                self._text, self._seen = _checked(self._file.read_text().strip()), seen
        except (OSError, UnicodeDecodeError) as missing:
            why = missing.strerror if isinstance(missing, OSError) else "it is no text"
            raise BadInput(f"the token's file {self._file} cannot be read: {why}") from None
        return self._text

    def headers(self, address: str, *, secure: bool) -> dict[str, str]:
        """What a call to ADDRESS carries, HOST:PORT or with a scheme; raises where the token would go out readable."""
        if not self:
            return {}
        if not (secure or may_travel_to(address)):
            where = "an https:// address, in a cluster http://NAME.NAMESPACE.svc:PORT"
            raise BadInput(
                f"a token would go to {address} unencrypted; give {where}, or no token (HEADRACE_TOKEN, HEADRACE_TOKEN_FILE)"
            )
        return {"authorization": f"Bearer {self.read()}"}


def _checked(token: str) -> str:
    if not token.isprintable() or not token.isascii() or " " in token:
        raise BadInput("the token has a character that no token has: a space, a line's end, or one outside ASCII")
    return token
