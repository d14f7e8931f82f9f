"""Files of separated values, told by what is in them; everything else is no table."""

from __future__ import annotations

import pytest

from headrace_apiserver.tables import MOST_ROWS, table_of


def told(data: bytes, *, cut: bool = False):
    found = table_of(data, cut=cut)
    return None if found is None else (list(found.columns), [list(row.cells) for row in found.rows], found.truncated)


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_columns_and_rows(delimiter):
    data = delimiter.join(("a", "b")) + "\n" + delimiter.join(("1", '"x\ny"')) + "\n"
    assert told(data.encode()) == (["a", "b"], [["1", "x\ny"]], False)


def test_of_a_file_that_goes_on_the_whole_lines_are_shown():
    assert told(b"a,b\n1,2\n3,4\n5", cut=True) == (["a", "b"], [["1", "2"], ["3", "4"]], True)
    assert told(b'a,b\n1,2\n3,"fo', cut=True) == (["a", "b"], [["1", "2"]], True)
    assert told("a,b\n1,é\n3,é".encode()[:-1], cut=True) == (["a", "b"], [["1", "é"]], True)


def test_bytes_that_are_no_text_are_no_table_where_the_file_goes_on_either():
    assert told(b"a,b\n1,\xff\n3,4\n5,6\n", cut=True) is None


def test_many_rows_are_cut():
    found = table_of(b"a,b\n" + b"1,2\n" * (MOST_ROWS + 5), cut=False)
    assert found is not None
    assert (len(found.rows), found.truncated) == (MOST_ROWS, True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a,b",
        b"a\nb\nc\n",
        b"a,b\n1\n",
        b"a,b\n1,2,3\n",
        b"\xff\xfe,b\n1,2\n",
        b"a,\0\n1,2\n",
        b'a,b\n"x,1\n',
        b"hello, world\n",
    ],
)
def test_what_is_no_table(data):
    assert told(data) is None
