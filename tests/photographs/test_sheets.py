"""One reader of sheets, for every dialect in which people and programs write them."""

import csv
import io

import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.sheets import file_of, find_columns, read_sheet

ROWS = [["file", "grade", "comment"], ["images/a.jpg", "normal", "clear, good; sharp"], ["b.jpg", "glaucoma", None]]


def text(separator=",", quoting=csv.QUOTE_MINIMAL, end="\n"):
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=separator, quoting=quoting, lineterminator=end).writerows(ROWS)
    return buffer.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_dialect(tmp_path, encoding, separator, quoting, end):
    (tmp_path / "s.csv").write_bytes(text(separator, quoting, end).encode(encoding))
    assert read_sheet(tmp_path / "s.csv") == ROWS


R_SHEETS = {
    "write.csv": '"","ImgName","Label"\n"1","V0001.jpg",0\n"2","V0002.jpg",1\n',
    "write.table": '"ImgName" "Label"\n"1" "V0001.jpg" 0\n"2" "V0002.jpg" 1\n',
    "write.table, sep": '"ImgName","Label"\n"1","V0001.jpg",0\n"2","V0002.jpg",1\n',
}


@pytest.mark.parametrize("content", R_SHEETS.values(), ids=list(R_SHEETS))
def test_as_r_writes_them(tmp_path, content):
    (tmp_path / "s.csv").write_text(content)
    rows = read_sheet(tmp_path / "s.csv")
    assert find_columns(rows, {"imgname"}, {"label"}) == (0, 1, 2)
    assert [row[1:] for row in rows[1:]] == [["V0001.jpg", "0"], ["V0002.jpg", "1"]]


CELLS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x17F, exclude_categories=["C", "Z"]), min_size=1, max_size=8
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6), st.sampled_from([",", ";", "\t"]))
def test_whatever_is_in_quoted_cells(tmp_path_factory, cells, separator):
    path = tmp_path_factory.mktemp("s") / "s.csv"
    rows = [("file", "grade"), *cells]
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL).writerows(rows)
    empty = {"na", "n/a", "nan", "null", "none"}
    expected = [[None if x.lower() in empty else x for x in row] for row in rows]
    assert read_sheet(path) == [row for row in expected if any(row)]


def test_excel_whatever_its_suffix(tmp_path):
    pandas.DataFrame(ROWS[1:], columns=ROWS[0]).to_excel(tmp_path / "s.xlsx", index=False)
    (tmp_path / "s.csv").write_bytes((tmp_path / "s.xlsx").read_bytes())
    assert read_sheet(tmp_path / "s.csv") == ROWS


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xd8\xff\0\0", b"PK\x03\x04", b"a,b\0c"])
def test_what_is_no_sheet(tmp_path, content):
    (tmp_path / "s.csv").write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_sheet(tmp_path / "s.csv")
    assert caught.value.problem.kind == "unreadable label sheet" and "\n" not in str(caught.value)


def test_backslashes():
    assert file_of(r" images\normal\a.jpg ") == "images/normal/a.jpg"
