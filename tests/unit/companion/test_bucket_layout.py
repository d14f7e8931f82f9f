"""Where the parts of an artifact lie in a bucket."""

from __future__ import annotations

import pytest

from headrace_companion.buckets.layout import (
    LARGEST,
    MIB,
    MOST_PARTS,
    File,
    Manifest,
    in_order,
    is_hidden,
    manifest_key,
    part_count,
    part_size,
    piece_name,
    pieces_key,
    upload_key,
)


def test_what_is_ours_lies_beside_the_artifact() -> None:
    assert manifest_key("a/b/model") == "a/b/.headrace/folder/model"
    assert pieces_key("a/log") == "a/.headrace/log/log"
    assert upload_key("model") == ".headrace/upload/model"
    assert is_hidden(manifest_key("a/b"))
    assert not is_hidden("a/headrace")


@pytest.mark.parametrize("size", [16 * MIB + 1, 160_000 * MIB, 160_000 * MIB + 1, LARGEST])
def test_no_object_has_too_many_parts(size: int) -> None:
    assert part_count(size) <= MOST_PARTS
    assert part_size(size) % MIB == 0
    assert part_size(size) <= 5 << 30
    assert (part_count(size) - 1) * part_size(size) < size <= part_count(size) * part_size(size)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ([], []),
        (["000002", "000001"], ["000001", "000002"]),
        (["000001-000064", "000001", "000064", "000065"], ["000001-000064", "000065"]),
        (["000001-000064", "000065-000128"], ["000001-000064", "000065-000128"]),
        (["000001", "000003"], ["000001"]),
        (["000002"], []),
        (["000001", "notes"], ["000001"]),
    ],
)
def test_each_content_of_a_log_is_read_once(names: list[str], chosen: list[str]) -> None:
    assert in_order(names) == chosen


def test_names_of_pieces() -> None:
    assert (piece_name(1, 1), piece_name(65, 128)) == ("000001", "000065-000128")


def test_a_manifest_is_read_as_it_was_written() -> None:
    made = Manifest(whole=True, files=[File("a/b", 1, "sha256:0")], empty_folders=["c"])
    assert Manifest.from_json(made.to_json()) == made
    with pytest.raises(ValueError, match="another version"):
        Manifest.from_json(b'{"format": 2}')
