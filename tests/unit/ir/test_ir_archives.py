"""Packages: which file is taken from an archive, and what is refused."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile

import pytest

from headrace_ir import archives
from headrace_ir.archives import extract
from headrace_ir.problems import SpecError


def make_zip(entries, links=()):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        for name in links:
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


def make_tarball(entries, links=()):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)
    return buffer.getvalue()


def refusal(data, name):
    with pytest.raises(SpecError) as caught:
        extract(data, name)
    return str(caught.value)


@pytest.mark.parametrize("name", ["p.yaml", "p.YML", "p.json"])
def test_a_plain_file_is_known_by_its_name(name):
    assert extract(b"PK whatever", name) == (b"PK whatever", name)


@pytest.mark.parametrize(("make", "name"), [(make_zip, "p.zip"), (make_tarball, "p.tar.gz")])
def test_pipeline_yaml_is_preferred_else_the_first_entry(make, name):
    assert extract(make({"a.yaml": b"1", "pipeline.yaml": b"2"}), name) == (b"2", "pipeline.yaml")
    assert extract(make({"b.yml": b"1", "c.yaml": b"2"}), name) == (b"1", "b.yml")
    assert extract(make({"./pipeline.yaml": b"3"}), name)[0] == b"3"


@pytest.mark.parametrize(("make", "name"), [(make_zip, "p.zip"), (make_tarball, "p.tar.gz")])
@pytest.mark.parametrize("entry", ["../x.yaml", "/x.yaml", "a/../../x.yaml", "..\\x.yaml", "C:\\x.yaml"])
def test_an_entry_that_points_outside_is_refused(make, name, entry):
    text = refusal(make({"pipeline.yaml": b"1", entry: b"2"}), name)
    assert "points outside the archive" in text
    assert name in text


@pytest.mark.parametrize(("make", "name"), [(make_zip, "p.zip"), (make_tarball, "p.tar.gz")])
def test_links_and_empty_archives_and_other_files_are_refused(make, name):
    assert "is a link or a device" in refusal(make({"pipeline.yaml": b"1"}, links=["z"]), name)
    assert f"{name} is empty" in refusal(make({}), name)
    assert "holds no pipeline.yaml, and its first entry 'a.txt' is not a YAML file" in refusal(
        make({"a.txt": b""}), name
    )


def test_sizes_are_limited_before_and_after_extraction():
    big = b"\0" * (archives.MAX_BYTES + 1)
    assert "p.yaml is larger than 32 MiB" in refusal(big, "p.yaml")
    assert "pipeline.yaml in p.zip is larger than 32 MiB" in refusal(make_zip({"pipeline.yaml": big}), "p.zip")
    assert "is larger than 32 MiB" in refusal(make_tarball({"pipeline.yaml": big}), "p.tgz")
    assert "is larger than 32 MiB" in refusal(gzip.compress(big), "p.gz")


@pytest.mark.parametrize(
    ("data", "name", "sentence"),
    [
        (b"hello", "p.png", "p.png is not a pipeline package: expected a .yaml, .yml or .json file, a zip"),
        (b"", "p", "p is not a pipeline package"),
        (b"def f(): ...", "flow.py", "flow.py is Python source: compile it first"),
        (b"PK\x03\x04rubbish", "p.zip", "p.zip cannot be read as a zip file"),
        (b"\x1f\x8brubbish", "p.tgz", "p.tgz cannot be read as a gzip tarball"),
        (gzip.compress(b"not a tar file" * 100, mtime=0), "p.tgz", "p.tgz cannot be read as a gzip tarball"),
        (gzip.compress(b"x" * 10_000, mtime=0)[:-12], "p.tgz", "it ends too early"),
    ],
)
def test_what_is_no_package_gets_a_sentence(data, name, sentence):
    assert sentence in refusal(data, name)


def test_a_damaged_entry_is_refused():
    data = bytearray(make_zip({"pipeline.yaml": b"abc" * 1000}))
    data[45] ^= 0xFF
    assert "p.zip cannot be read as a zip file" in refusal(bytes(data), "p.zip")
