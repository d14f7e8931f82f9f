"""HTTP/2's headers on the wire (RFC 7541), as far as a client of one server needs it. Pure; called by `unary`.

What we send is never compressed, and the server is told to keep no table of ours; so blocks stand by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

STATIC: Final = (
    *((":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html")),
    *((":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206")),
    *((":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", "")),
    *(("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", "")),
    *(("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", "")),
    *(("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", "")),
    *(
        ("content-location", ""),
        ("content-range", ""),
        ("content-type", ""),
        ("cookie", ""),
        ("date", ""),
        ("etag", ""),
    ),
    *(("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", "")),
    *(("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", "")),
    *(("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", "")),
    *(("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", "")),
    *(("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", "")),
    ("www-authenticate", ""),
)
# How many bits each byte has in Huffman's code, which is canonical: the lengths give the codes.
LENGTHS: Final = bytes.fromhex(
    "0d171c1c1c1c1c1c1c181e1c1c1e1c1c1c1c1c1c1c1c1e1c1c1c1c1c1c1c1c1c060a0a0c0d06080b0a0a080b080606060505050606060606060607080f060c0a"
    "0d06070707070707070707070707070707070707070707070807080d130d0e060f05060506050606060507070606060506070605050607070707070f0b0e0d1c"
    "141614141616161716171717171718171818161718171717171516171617171816151416161717151716161815161717151516151716171714161616171616171a"
    "1a1413161716191a1a1a1b1b1a181913151a1b1b1a1b1815151a1a1c1b1b1b14181415161515171616191918181a171a1b1a1a1b1b1b1b1b1c1b1b1b1b1b1a"
)
LITERAL_INDEXED, NEVER_KEPT, RESIZE, INDEXED = 0x40, 0x10, 0x20, 0x80


class Garbled(ValueError):  # noqa: N818 - read as a statement
    """These are no headers."""


def encode(headers: Iterable[tuple[str, bytes]]) -> bytes:
    """A block of headers, none of which anybody on the way is to keep."""
    return b"".join(bytes((NEVER_KEPT,)) + _text(name.encode()) + _text(value) for name, value in headers)


def decode(block: bytes) -> dict[str, bytes]:
    """The headers of a block; the last of a name. Raises Garbled."""
    found: dict[str, bytes] = {}
    at = 0
    try:
        while at < len(block):
            first = block[at]
            if first & INDEXED:
                index, at = _number(block, at, 7)
                name, value = STATIC[index - 1] if index else _none()
                found[name] = value.encode()
            elif first & LITERAL_INDEXED or not first & RESIZE:
                index, at = _number(block, at, 6 if first & LITERAL_INDEXED else 4)
                if index:
                    name = STATIC[index - 1][0]
                else:
                    said, at = _string(block, at)
                    name = said.decode("ascii")
                found[name], at = _string(block, at)
            else:
                _, at = _number(block, at, 5)
    except (IndexError, UnicodeDecodeError) as wrong:
        raise Garbled("the server's headers cannot be read") from wrong
    return found


def _none() -> tuple[str, str]:
    raise IndexError


def _text(text: bytes) -> bytes:
    return _encoded(len(text), 7) + text


def _encoded(number: int, bits: int) -> bytes:
    most = (1 << bits) - 1
    if number < most:
        return bytes((number,))
    made, number = bytearray((most,)), number - most
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


def _number(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """An integer whose first BITS bits end the byte at AT, and where the next thing begins."""
    most = (1 << bits) - 1
    number, at = block[at] & most, at + 1
    if number < most:
        return number, at
    shift = 0
    while True:
        more, at = block[at], at + 1
        number += (more & 0x7F) << shift
        if not more & 0x80:
            return number, at
        shift += 7


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    is_packed = block[at] & 0x80
    length, at = _number(block, at, 7)
    end = at + length
    if end > len(block):
        raise IndexError
    return (_unpacked(block[at:end]) if is_packed else block[at:end]), end


def _unpacked(packed: bytes) -> bytes:
    """Huffman's code undone; what is left at the end is padding."""
    codes, made = _codes(), bytearray()
    code, length = 0, 0
    for byte in packed:
        for bit in (7, 6, 5, 4, 3, 2, 1, 0):
            code, length = code << 1 | byte >> bit & 1, length + 1
            if (said := codes.get((length, code))) is not None:
                made.append(said)
                code, length = 0, 0
    return bytes(made)


@cache
def _codes() -> dict[tuple[int, int], int]:
    """Byte by (length, code). Codes of one length follow each other, those that are longer come after them."""
    codes: dict[tuple[int, int], int] = {}
    code, last = -1, 0
    for byte in sorted(range(256), key=lambda byte: (LENGTHS[byte], byte)):
        code = code + 1 << LENGTHS[byte] - last if codes else 0
        last = LENGTHS[byte]
        codes[last, code] = byte
    return codes
