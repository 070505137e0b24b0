from __future__ import annotations

import hashlib
import re
import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from survaudit.cohort import schema, tables
from survaudit.cohort.cells import Cell, split_cells
from survaudit.cohort.tables import Supplement, cell_states, parse, read_supplement, read_tidy, write_tidy
from survaudit.errors import SourceFileError, TableError

# The hashes that came with the material, not read from the manifest that they check.
PUBLISHED = {
    "supplementary_table_1.txt": "6265325ba8930ff6ae98d5036abf17d363a812a129d5005d8aeeeb1da979eb80",
    "supplementary_table_2.txt": "65563690894884b6b7c59c31370da53082e16151c3f04f8e718e3bb69ae2852a",
}


def plain_rows(text: str) -> list[list[str]]:
    """An independent reading of the raw text: rows between blank lines, cells between tabs."""
    return [
        [re.sub(r"\s", "", cell) for cell in block.split("\t")[1:]] for block in re.split(r"\n\n", text.strip("\n"))
    ]


def failures(error: pytest.ExceptionInfo[TableError]) -> list[tuple[str, str, str]]:
    return [(failure.row, failure.column, failure.value) for failure in error.value.failures]


# ------------------------------------------------------------------ the real tables


@pytest.mark.parametrize("name", PUBLISHED)
def test_raw_files_are_the_published_bytes(project: Path, name: str) -> None:
    raw = project / "data" / "raw"
    assert hashlib.sha256((raw / name).read_bytes()).hexdigest() == PUBLISHED[name]
    assert tables.read_manifest(raw)[name] == PUBLISHED[name]


def test_every_number_equals_an_independent_reading(supplement: Supplement, raw_texts: list[str]) -> None:
    patients = supplement.patients
    for row, (_, values) in zip(plain_rows(raw_texts[0])[1:], patients.iterrows(), strict=True):
        plain = [float(row[place]) for place in (0, 3, 5, 6, 7, 9, 10)]
        names = ["patient", "age_years", "mrd_percent", "blasts_percent", "n_previous_therapies"]
        assert [values[name] for name in [*names, "transduction_percent", "dose_1e6_per_kg"]] == plain
        assert [values["complex_karyotype"], values["severe_crs"]] == [row[4] == "Y", row[11] == "Y"]
        assert values["sex"] == row[2]
        assert row[1].startswith(f"B-ALL({values['disease_status'][:3]}")
        assert (pd.isna(values["n_relapses"]) and row[8] == "-") or values["n_relapses"] == int(row[8])


def test_every_date_equals_an_independent_reading(supplement: Supplement, raw_texts: list[str]) -> None:
    columns = {
        2: "collection_1_date",
        3: "infusion_1_date",
        6: "collection_2_date",
        7: "infusion_2_date",
        10: "hsct_date",
    }
    for row, (_, values) in zip(plain_rows(raw_texts[1])[1:], supplement.treatments.iterrows(), strict=True):
        assert values["group"] == row[1]
        for place, name in columns.items():
            if row[place] == "/":
                assert pd.isna(values[name])
            else:
                assert values[name].date() == date(*map(int, row[place].split("/")))


def test_a_symbol_keeps_the_meaning_of_its_place(supplement: Supplement) -> None:
    t = supplement.treatments.set_index("patient")
    assert t.index[t["response_1"] == "not assessed"].tolist() == [1]
    assert t.index[t["response_2"] == "not reported"].tolist() == [12, 15, 16, 17]
    assert t.index[t["relapse_2"] == "not reported"].tolist() == [12, 15, 16, 17]
    assert t.index[t["relapse_1"] == "no relapse recorded"].tolist() == list(range(19, 29))
    assert t.index[t["relapse_1"] == "not applicable"].tolist() == [1, 4, 5]
    assert t.index[t["relapse_hsct"] == "CD19+"].tolist() == list(range(19, 29))
    p = supplement.patients.set_index("patient")
    assert p.index[p["n_relapses"].isna()].tolist() == [4, 7, 15, 20]
    assert (p.loc[p["n_relapses"].isna(), "disease_status"] == "refractory").all()


def test_every_odd_cell_is_in_the_log(supplement: Supplement, raw_texts: list[str]) -> None:
    log = supplement.repairs
    assert not log.duplicated(["table", "row", "column"]).any()
    full_width = log["reason"].str.contains("full-width")
    assert full_width.sum() == raw_texts[0].count("\u3000") == 24
    assert (log["raw"] == "CART+\nHSCT").sum() == raw_texts[1].count("CART+\nHSCT") == 9
    slashes = log["raw"] == "/"
    assert slashes.sum() == sum(row.count("/") for row in plain_rows(raw_texts[1]))
    reasons = log.set_index(["table", "row", "column"])["reason"]
    assert "superscript" in reasons["Supplementary Table 1", 0, "position 11"]
    assert "afer" in reasons["Supplementary Table 2", 0, "position 12"]
    assert "refactory" in reasons["Supplementary Table 1", 20, "Diagnosis"]
    assert "blanks" in reasons["Supplementary Table 1", 2, "No."]
    assert "blanks" in reasons["Supplementary Table 2", 1, "Response after first infusion"]


def test_the_log_accounts_for_every_difference(supplement: Supplement, raw_texts: list[str]) -> None:
    """A cell outside the log must be in the tidy text exactly as it was published."""
    for table, text in zip(("Supplementary Table 1", "Supplementary Table 2"), raw_texts, strict=True):
        logged = supplement.repairs.query("table == @table and row > 0").set_index(["row", "column"])["raw"]
        states = cell_states(supplement, table)
        for number, row in enumerate(split_cells(text)[1:], start=1):
            for header, cell in zip(states.columns, row.cells, strict=True):
                assert ((number, header) in logged.index) == (states.loc[number, header] != "as printed")
                if (number, header) not in logged.index:
                    assert cell == cell.strip()
                    assert "\n" not in cell
                    assert cell not in {"/", "-", "NA"}


def test_tidy_files_read_back_unchanged(supplement: Supplement, tmp_path: Path) -> None:
    write_tidy(supplement, tmp_path)
    again = read_tidy(tmp_path)
    for name in ("patients", "treatments", "repairs"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(supplement, name))


def test_tidy_numbers_round_trip_to_the_last_bit(supplement: Supplement, tmp_path: Path) -> None:
    patients = supplement.patients.copy()
    patients["mrd_percent"] = [0.1 + 0.2, 1 / 3, 100 / 7, *(100 / n for n in range(3, 28))]
    write_tidy(Supplement(patients, supplement.treatments, supplement.repairs), tmp_path)
    assert read_tidy(tmp_path).patients["mrd_percent"].tolist() == patients["mrd_percent"].tolist()


def test_committed_tidy_files_are_what_make_data_writes(project: Path, supplement: Supplement, tmp_path: Path) -> None:
    for path in write_tidy(supplement, tmp_path):
        assert path.read_bytes() == (project / "data" / "tidy" / path.name).read_bytes()


def test_reading_does_not_depend_on_the_working_directory(
    project: Path, supplement: Supplement, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pd.testing.assert_frame_equal(read_supplement(project / "data" / "raw").cohort, supplement.cohort)


# ------------------------------------------------------------------ bad cells

BAD_CELLS = [
    (1, "\t39\n", "\tforty\n", "1", "age_years", "'forty'"),
    (1, "\t96.9932\n", "\t196.9932\n", "10", "mrd_percent", "196.9932"),
    (1, "\t65.6\n", "\t65,6\n", "23", "mrd_percent", "'65,6'"),
    (1, "\tMale\n", "\tmale\n", "1", "sex", "'male'"),
    (1, "B-ALL (refactory)", "B-ALL refractory", "20", "diagnosis", "'B-ALL refractory'"),
    (1, "\t12\n\t3\n\t66", "\t12\n\t-\n\t66", "1", "n_relapses", "'-'"),
    (1, "\t66\n\t1\n\tY", "\t66\n\t1\n\tyes", "1", "severe_crs", "'yes'"),
    (2, "2016/8/22", "2016/13/22", "1", "infusion_1_date", "'2016/13/22'"),
    (2, "2017/2/10", "2017/2/30", "16", "infusion_1_date", "'2017/2/30'"),
    (2, "2016/8/22", "2016/7/22", "1", "infusion_1_date", "2016-07-22"),
    (2, "2020/4/15", "2022/4/15", "28", "hsct_date", "2022-04-15"),
    (2, "2020/4/15", "2019/12/1", "28", "hsct_date", "2019-12-01"),
    (2, "2017/2/17", "2017/2/1", "13", "infusion_2_date", "2017-02-01"),
    (2, "2017/2/2\n", "2016/10/30\n", "13", "collection_2_date", "2016-10-30"),
    (2, "2016/11/5\n", "/\n", "12", "infusion_2_date", "no value"),
    (2, "\tCART2\n\t2016/6/1\n", "\tCART3\n\t2016/6/1\n", "12", "group", "'CART3'"),
    (2, "  NA\n", "CRi\n", "1", "response_1", "'CRi'"),
    (2, "NR\n\t/", "NR\n\tCD19+", "4", "relapse_1", "'CD19+'"),
    (2, "CR, MRD-\n\tCD19-", "CR, MRD-\n\tCD20-", "9", "relapse_1", "'CD20-'"),
]


@pytest.mark.parametrize(("table", "old", "new", "row", "column", "value"), BAD_CELLS)
def test_a_bad_cell_is_named(
    raw_texts: list[str], table: int, old: str, new: str, row: str, column: str, value: str
) -> None:
    text = raw_texts[table - 1]
    assert old in text
    with pytest.raises(TableError) as error:
        parse(text.replace(old, new, 1))
    named = [(failure[0].split()[0], *failure[1:]) for failure in failures(error)]
    assert (row, column, value) in named
    assert {(r, c) for r, c, _ in named} == {(row, column)}
    assert all(failure.expected and failure.remedy for failure in error.value.failures)


def test_all_bad_cells_are_listed_at_once(raw_texts: list[str]) -> None:
    text = raw_texts[0].replace("\t39\n", "\told\n", 1).replace("96.9932", "196.9932").replace("\t72.21\n", "\t?\n")
    with pytest.raises(TableError) as error:
        parse(text)
    assert [(row.split()[0], column) for row, column, _ in failures(error)] == [
        ("1", "age_years"),
        ("12", "mrd_percent"),
        ("10", "mrd_percent"),
    ]
    assert "3 cells failed validation; nothing was written" in str(error.value)


def test_a_row_is_named_with_its_line(raw_texts: list[str]) -> None:
    lines = raw_texts[0].split("\n")
    line = next(number for number, text in enumerate(lines, start=1) if text == "\t23" and lines[number - 2] == "")
    with pytest.raises(TableError) as error:
        parse(raw_texts[0].replace("\t65.6\n", "\tx\n"))
    assert failures(error) == [(f"23 (line {line})", "mrd_percent", "'x'")]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("\t3\n\tCART1\n", "\tCART1\n", [("3", "(row)", "12 cells")]),
        ("\t3\n\tCART1\n", "\t3\n\t3\n\tCART1\n", [("3", "(row)", "14 cells")]),
        ("\t3\n\tCART1\n",
            "\t2\n\tCART1\n",
            [("(all)", "patient", "no row for 3"), ("2", "patient", "2"), ("3", "patient", "2")]),
        ("\tGroup\n", "\tArm\n", [("header", "position 2", "'Arm'")]),
        ("\tGroup\n", "", None),
    ],
)  # fmt: skip
def test_cells_and_rows_that_are_missing_or_double(
    raw_texts: list[str], old: str, new: str, expected: list[tuple[str, str, str]] | None
) -> None:
    with pytest.raises(TableError) as error:
        parse(raw_texts[1].replace(old, new, 1))
    if expected is not None:
        assert [(row.split()[0], column, value) for row, column, value in failures(error)] == expected


def test_a_missing_row_is_named(raw_texts: list[str]) -> None:
    blocks = raw_texts[0].split("\n\n")
    with pytest.raises(TableError) as error:
        parse("\n\n".join(blocks[:5] + blocks[6:]))
    assert failures(error) == [("(all)", "patient", "no row for 5")]


@pytest.mark.parametrize("text", ["", "\n\n\n", "\tNo.\n", "nothing of the kind", "\x00", "\tNo.\n" * 100_000])
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(TableError):
        parse(text)


# ------------------------------------------------------------------ bad files


@pytest.fixture
def raw_copy(project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(project / "data" / "raw", tmp_path / "raw"))


def rewrite(raw: Path, content: bytes, *, honest: bool = False) -> None:
    """Replace Table 1; an honest manifest names the new bytes."""
    path = raw / "supplementary_table_1.txt"
    path.write_bytes(content)
    if honest:
        manifest = raw / "MANIFEST.csv"
        found = hashlib.sha256(content).hexdigest()
        manifest.write_text(manifest.read_text().replace(PUBLISHED[path.name], found))


@pytest.mark.parametrize(
    ("content", "honest", "message"),
    [
        (b"", False, "0 bytes"),
        (b"\tNo.\n", False, "sha256 is"),
        (b"\tNo.\xff\n", True, "not UTF-8 at byte 4"),
        (b"x" * 100_000_000, False, "100000000 bytes"),
    ],
    ids=["empty", "wrong hash", "not UTF-8", "100 MB"],
)
def test_a_bad_file_is_refused_with_its_path(raw_copy: Path, content: bytes, honest: bool, message: str) -> None:
    rewrite(raw_copy, content, honest=honest)
    with pytest.raises(SourceFileError, match=message) as error:
        read_supplement(raw_copy)
    assert "supplementary_table_1.txt" in str(error.value)


@pytest.mark.parametrize("name", ["supplementary_table_2.txt", "MANIFEST.csv"])
def test_a_missing_file_is_refused_with_its_path(raw_copy: Path, name: str) -> None:
    (raw_copy / name).unlink()
    with pytest.raises(SourceFileError, match=re.escape(name)):
        read_supplement(raw_copy)


@pytest.mark.parametrize("manifest", [b"", b"file,sha256\n", b"\xff\xfe", b"a,b\n1,2\n"])
def test_a_bad_manifest_is_refused(raw_copy: Path, manifest: bytes) -> None:
    (raw_copy / "MANIFEST.csv").write_bytes(manifest)
    with pytest.raises(SourceFileError, match=r"MANIFEST\.csv"):
        read_supplement(raw_copy)


def test_bad_input_writes_nothing(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from survaudit.__main__ import main

    data = Path(shutil.copytree(project / "data", tmp_path / "data"))
    before = {path: path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file()}
    bad = (data / "raw" / "supplementary_table_1.txt").read_bytes().replace(b"65.6", b"656")
    rewrite(data / "raw", bad, honest=True)
    assert main(["data", "--data", str(data)]) == 1
    assert "row 23" in capsys.readouterr().err
    tidy = {path: content for path, content in before.items() if path.parent.name == "tidy"}
    assert {path: path.read_bytes() for path in sorted((data / "tidy").iterdir())} == tidy


def test_bad_tidy_files_are_refused(project: Path, tmp_path: Path) -> None:
    tidy = Path(shutil.copytree(project / "data" / "tidy", tmp_path / "tidy"))
    path = tidy / "patients.csv"
    path.write_text(path.read_text().replace("65.6", "656"))
    with pytest.raises(SourceFileError, match="make data"):
        read_tidy(tidy)
    path.unlink()
    with pytest.raises(SourceFileError, match="make data"):
        read_tidy(tidy)


# ------------------------------------------------------------------ small parts


def test_a_cell_keeps_its_raw_text() -> None:
    cell = Cell(1, "No.", " 2\u3000")
    assert (cell.raw, cell.clean, len(cell.reasons)) == (" 2\u3000", "2", 2)


def test_schemas_describe_every_column(supplement: Supplement) -> None:
    schema.COHORT.validate(supplement.cohort)
    for table, frame in ((schema.PATIENTS, supplement.patients), (schema.TREATMENTS, supplement.treatments)):
        dictionary = schema.data_dictionary(table)
        assert list(dictionary.index) == list(frame.columns)
        assert dictionary.notna().all(axis=None)
        assert (dictionary["may be missing"] == "yes").tolist() == frame.isna().any().tolist()
