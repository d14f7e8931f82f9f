"""Headers of HTTP/2: what a server may send, in any of the forms that there are. Examples are those of RFC 7541, appendix C."""

from __future__ import annotations

import pytest

from headrace_companion.pod import hpack


@pytest.mark.parametrize(
    ("block", "headers"),
    [
        ("400a637573746f6d2d6b65790d637573746f6d2d686561646572", {"custom-key": b"custom-header"}),  # C.2.1
        ("040c2f73616d706c652f70617468", {":path": b"/sample/path"}),  # C.2.2
        ("100870617373776f726406736563726574", {"password": b"secret"}),  # C.2.3
        ("82", {":method": b"GET"}),  # C.2.4
        (  # C.4.1, with Huffman's code
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
            {":method": b"GET", ":scheme": b"http", ":path": b"/", ":authority": b"www.example.com"},
        ),
        ("4882640258", None),  # C.6.1, cut
        ("488264025885aec3771a4b", {":status": b"302", "cache-control": b"private"}),  # C.6.1
        ("203fe11f88", {":status": b"200"}),  # sizes of a table, which is none of ours
        ("80", None),  # there is no such index
        ("be", None),  # nothing is in a table that was declined
        ("0005616263", None),  # shorter than it says
    ],
)
def test_blocks(block, headers):
    if headers is None:
        with pytest.raises(hpack.Garbled):
            hpack.decode(bytes.fromhex(block))
    else:
        assert hpack.decode(bytes.fromhex(block)) == headers


def test_what_we_send_reads_back_whatever_its_length():
    headers = {"authorization": b"Bearer " + b"x" * 5000, ":path": b"/a", "empty": b"", "long": b"y" * 127}
    assert hpack.decode(hpack.encode(headers.items())) == headers


def test_every_byte_in_huffmans_code_is_of_its_length():
    codes = {byte: (length, code) for (length, code), byte in hpack._codes().items()}
    assert {byte: length for byte, (length, _) in codes.items()} == dict(enumerate(hpack.LENGTHS))
    bits = "".join(f"{code:0{length}b}" for length, code in (codes[byte] for byte in range(256)))
    padded = bits + "1" * (-len(bits) % 8)
    packed = int(padded, 2).to_bytes(len(padded) // 8, "big")
    assert hpack._unpacked(packed) == bytes(range(256))
