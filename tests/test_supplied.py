from __future__ import annotations

import datetime as dt
import hashlib
import io
import re
import subprocess
from pathlib import Path

import cache_key
import numpy as np
import openpyxl
import pandas as pd
import pytest

from survaudit.__main__ import main
from survaudit.cohort.assumptions import COLLECTION, Assumptions
from survaudit.cohort.tables import Supplement
from survaudit.errors import ClaimError, SourceFileError, SurvAuditError, TableError
from survaudit.figures.tables import LedgerTable
from survaudit.follow_up.complete import SUPPLIED, FollowUp, write_follow_up
from survaudit.follow_up.ensemble import PRIORS, draw
from survaudit.follow_up.supplied import (
    ENTRIES,
    ENVIRONMENT,
    Supplied,
    current_follow_up,
    read_supplied,
    supplied_by_user,
    template,
    write_template,
)
from survaudit.ledger.claims import Claim, Verdict
from survaudit.ledger.verdicts import audit

TODAY = dt.date(2026, 1, 1)
SEED = 20211029
TIMES = ["os_days", "os_event", "lfs_days", "lfs_event"]


@pytest.fixture(scope="module")
def drawn(supplement: Supplement) -> FollowUp:
    return draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(SEED), draws=1).follow_up(0, "test")


@pytest.fixture
def filled(supplement: Supplement, drawn: FollowUp) -> pd.DataFrame:
    """The template as a script would fill it in, cells as texts, by patient."""
    frame = template(supplement)
    for column in [*TIMES, "source"]:
        frame[column] = drawn.table[column].array
    return (
        frame.astype("string")
        .astype(object)
        .where(frame.notna(), None)
        .set_index(supplement.patients["patient"])
        .drop(columns="patient")
    )


def csv(frame: pd.DataFrame, **options: object) -> bytes:
    return frame.reset_index().to_csv(index=False, **options).encode()


def excel(frame: pd.DataFrame, types: bool = True) -> bytes:
    frame = frame.reset_index()
    if types:
        frame[TIMES] = frame[TIMES].astype(float)
    stream = io.BytesIO()
    frame.to_excel(stream, index=False)
    return stream.getvalue()


def read(content: bytes, folder: Path, supplement: Supplement, name: str = "mine.csv", **options: object) -> Supplied:
    path = folder / name
    path.write_bytes(content)
    return read_supplied(path, supplement, today=TODAY, **options)


def failures(frame: pd.DataFrame, folder: Path, supplement: Supplement) -> list[tuple[str, str, str, str]]:
    with pytest.raises(TableError) as caught:
        read(csv(frame), folder, supplement)
    return [(failure.row, failure.column, failure.value, failure.expected) for failure in caught.value.failures]


def days(supplement: Supplement, patient: int, column: str) -> int:
    """Days from the first infusion to another date, from the table alone."""
    row = supplement.treatments.set_index("patient").loc[patient]
    return (row[column] - row["infusion_1_date"]).days


# ------------------------------------------------------------------ a good file, however it was saved


def same(supplied: Supplied, drawn: FollowUp) -> None:
    pd.testing.assert_frame_equal(supplied.follow_up.table, drawn.table, check_dtype=False)
    assert supplied.follow_up.kind == SUPPLIED
    assert supplied.findings == ()
    assert supplied.to_frame().empty


def test_a_filled_template_is_read_as_it_was_filled(
    filled: pd.DataFrame, drawn: FollowUp, supplement: Supplement, tmp_path: Path
) -> None:
    supplied = read(csv(filled), tmp_path, supplement)
    same(supplied, drawn)
    assert supplied.file == "mine.csv"
    assert supplied.sha256 == hashlib.sha256(csv(filled)).hexdigest()


@pytest.mark.parametrize(
    "save",
    [
        lambda frame: b"\xef\xbb\xbf" + csv(frame),
        lambda frame: csv(frame, sep=";"),
        lambda frame: csv(frame, sep=";").replace(b"\n", b"\r\n"),
        lambda frame: csv(frame, sep="\t").decode().encode("utf-16"),
        lambda frame: csv(frame.drop(columns=[c for c in frame.columns if c not in ENTRIES])),
        lambda frame: csv(frame.iloc[::-1]),
        lambda frame: csv(frame.rename(columns=lambda name: f" {name.upper()} ")),
        lambda frame: csv(frame) + b",,,,,,,,,,,,,\n",
        lambda frame: csv(frame.assign(**{c: frame[c].map(lambda v: v and f"{v}.0") for c in TIMES})),
        lambda frame: csv(frame.assign(**{c: frame[c].map(lambda v: v and f"{v},0") for c in TIMES}), sep=";"),
    ],
    ids=["mark", "semicolons", "Windows", "UTF-16", "no bounds", "reversed", "names", "empty row", "point", "comma"],
)
def test_csv_is_read_from_whatever_program_wrote_it(
    save: object, filled: pd.DataFrame, drawn: FollowUp, supplement: Supplement, tmp_path: Path
) -> None:
    same(read(save(filled), tmp_path, supplement), drawn)  # type: ignore[operator]


@pytest.mark.parametrize("types", [True, False], ids=["numbers", "texts"])
def test_excel_is_read(
    types: bool, filled: pd.DataFrame, drawn: FollowUp, supplement: Supplement, tmp_path: Path
) -> None:
    same(read(excel(filled, types), tmp_path, supplement, "mine.xlsx"), drawn)


def test_dates_count_from_the_first_infusion(
    filled: pd.DataFrame, drawn: FollowUp, supplement: Supplement, tmp_path: Path
) -> None:
    infused = supplement.treatments.set_index("patient")["infusion_1_date"]
    for name in ("os", "lfs"):
        passed = pd.to_timedelta(filled[f"{name}_days"].astype(float), unit="D")
        filled[f"{name}_date"] = (infused + passed).dt.date
    dated = filled.assign(os_days=None, lfs_days=None)
    same(read(csv(dated), tmp_path, supplement), drawn)
    same(read(excel(dated), tmp_path, supplement, "mine.xlsx"), drawn)
    same(read(csv(filled), tmp_path, supplement), drawn)  # both, and equal
    # Whatever an analysis counts from, the file counts from the infusion.
    other = read(csv(dated), tmp_path, supplement, assumptions=Assumptions(time_origin=COLLECTION))
    pd.testing.assert_frame_equal(other.follow_up.table, drawn.table, check_dtype=False)


def test_who_never_reached_remission_may_lack_lfs(filled: pd.DataFrame, supplement: Supplement, tmp_path: Path) -> None:
    filled.loc[1, ["lfs_days", "lfs_event"]] = None
    supplied = read(csv(filled), tmp_path, supplement)
    assert supplied.follow_up.endpoint("LFS")["patient"].tolist() == [2, 3, *range(6, 29)]
    assert [(f.patient, f.assumption) for f in supplied.findings] == [(1, "unassessed_lfs")]


# ------------------------------------------------------------------ cells that cannot be


@pytest.mark.parametrize(
    ("patient", "column", "value", "expected"),
    [
        (7, "os_event", "2", "0 or 1"),
        (7, "os_event", "yes", "0 or 1"),
        (7, "lfs_event", "-1", "0 or 1"),
        (7, "os_event", None, "0 or 1"),
        (7, "lfs_event", None, "0 or 1"),
        (7, "os_days", None, "days, or a date in os_date"),
        (7, "lfs_days", None, "days, or a date in lfs_date"),
        (7, "os_days", "3 months", "a whole number"),
        (7, "os_days", "NA", "a whole number"),
        (7, "os_days", "900.5", "a whole number"),
        (7, "os_days", "1.000", "a whole number"),
        (7, "os_days", "1,000", "a whole number"),
        (7, "lfs_days", "-3", "0 or more"),
        (7, "os_days", "99999", "a day up to 2026-01-01"),
        (7, "os_date", "31.12.2020", "a date as 2021-03-31"),
        (7, "os_date", "2021-02-30", "a date as 2021-03-31"),
        (7, "source", None, "where the times come from"),
        (7, "group", "CART2", "CART1"),
        (7, "os_by", "900", "nothing"),
        (7, "lfs_after", "5", "0"),
    ],
)
def test_a_cell_that_cannot_be_is_named_with_its_patient(
    filled: pd.DataFrame,
    supplement: Supplement,
    tmp_path: Path,
    patient: int,
    column: str,
    value: str | None,
    expected: str,
) -> None:
    filled.loc[patient, column] = value
    found = failures(filled, tmp_path, supplement)
    # The header is row 1, patient 1 is row 2.
    assert {(row, name) for row, name, _, _ in found} >= {(f"{patient + 1} (patient {patient})", column)}
    _, _, shown, wanted = next(failure for failure in found if failure[1] == column)
    assert expected in wanted
    assert (value or "nothing").strip("'") in shown or column == "os_days"
    others = {name for _, name, _, _ in found} - {column}
    assert others <= {"lfs_days", "os_days"}, "a wrong cell is not told as another one"


def test_all_failures_are_told_at_once(filled: pd.DataFrame, supplement: Supplement, tmp_path: Path) -> None:
    filled.loc[3, "os_event"] = "x"
    filled.loc[20, "source"] = None
    filled = filled[list(ENTRIES)].rename({5: 31, 9: 8}).drop(index=15)
    found = failures(filled, tmp_path, supplement)
    assert [(row, column) for row, column, _, _ in found] == [
        ("4 (patient 3)", "os_event"),
        ("of patient 5", "(row)"),
        ("6", "patient"),
        ("of patient 9", "(row)"),
        ("10", "patient"),
        ("of patient 15", "(row)"),
        ("20 (patient 20)", "source"),
    ]
    assert (found[2][3], found[4][3]) == ("one of 1 to 28", "each once; see row 9 (patient 8)")


def test_days_and_date_must_agree(filled: pd.DataFrame, supplement: Supplement, tmp_path: Path) -> None:
    infused = supplement.treatments.set_index("patient").loc[7, "infusion_1_date"]
    passed = int(filled.loc[7, "os_days"])
    filled.loc[7, "os_date"] = f"{infused + pd.Timedelta(days=passed + 1):%Y-%m-%d}"
    ((row, column, value, expected),) = failures(filled, tmp_path, supplement)
    assert (row, column, value) == ("8 (patient 7)", "os_days", str(passed))
    assert expected == f"{passed + 1}, the days from the first infusion to os_date"


def test_a_relapse_after_death_and_a_death_without_an_event_are_refused(
    filled: pd.DataFrame, supplement: Supplement, tmp_path: Path
) -> None:
    filled.loc[25, TIMES] = ["400", "1", "401", "1"]
    filled.loc[26, TIMES] = ["400", "1", "300", "0"]
    found = failures(filled, tmp_path, supplement)
    assert [(row, column, value) for row, column, value, _ in found] == [
        ("26 (patient 25)", "lfs_days", "401"),
        ("27 (patient 26)", "lfs_event", "0"),
    ]


# ------------------------------------------------------------------ against the tables: errors


def test_a_death_before_a_recorded_state_is_refused_with_its_cell(
    filled: pd.DataFrame, supplement: Supplement, tmp_path: Path
) -> None:
    hsct = days(supplement, 19, "hsct_date")
    filled.loc[19, TIMES] = [str(hsct), "1", str(hsct), "1"]
    found = failures(filled, tmp_path, supplement)
    assert [(column, value) for _, column, value, _ in found] == [("os_days", str(hsct)), ("lfs_days", str(hsct))]
    date = f"{supplement.treatments.set_index('patient').loc[19, 'hsct_date']:%Y-%m-%d}"
    for _, _, _, expected in found:
        assert expected.startswith(f"{hsct + 1} or more, because ")
        assert f"Supplementary Table 2, row 19, Date of BMT: {date}" in expected
    # On the next day it is possible, and so is follow-up that ends on the day itself.
    filled.loc[19, TIMES] = [str(hsct + 1), "1", str(hsct + 1), "1"]
    read(csv(filled), tmp_path, supplement)
    filled.loc[19, TIMES] = [str(hsct), "0", str(hsct), "0"]
    assert {f.assumption for f in read(csv(filled), tmp_path, supplement).findings} == {"cd19_reading"}
    filled.loc[19, TIMES] = [str(hsct - 1), "0", str(hsct - 1), "0"]
    assert [value for _, _, value, _ in failures(filled, tmp_path, supplement)] == [str(hsct - 1)] * 2


def test_a_recorded_relapse_must_be_in_the_file(filled: pd.DataFrame, supplement: Supplement, tmp_path: Path) -> None:
    published = (pd.Timestamp("2021-10-29") - supplement.treatments["infusion_1_date"].iloc[1]).days
    filled.loc[2, TIMES] = [str(published + 5), "0", str(published + 5), "0"]
    ((row, column, value, expected),) = failures(filled, tmp_path, supplement)
    assert (row, column, value) == ("3 (patient 2)", "lfs_event", "0")
    assert expected.startswith("1, because relapsed by day")
    filled.loc[2, TIMES[2:]] = [str(published + 1), "1"]
    ((_, column, value, expected),) = failures(filled, tmp_path, supplement)
    assert (column, value) == ("lfs_days", str(published + 1))
    assert expected.startswith(f"{published} or less, because relapsed")
    filled.loc[2, TIMES[2:]] = [str(published), "1"]
    read(csv(filled), tmp_path, supplement)


# ------------------------------------------------------------------ against the assumptions: findings


def findings(frame: pd.DataFrame, folder: Path, supplement: Supplement) -> list[tuple[int, str, str, str]]:
    return [(f.patient, f.endpoint, f.value, f.assumption) for f in read(csv(frame), folder, supplement).findings]


def test_what_refutes_an_assumption_is_a_finding_and_no_error(
    filled: pd.DataFrame, supplement: Supplement, tmp_path: Path
) -> None:
    second = days(supplement, 12, "collection_2_date")
    filled.loc[1, TIMES] = ["31", "1", "31", "1"]  # of CRS, later than assumed
    filled.loc[2, TIMES] = ["900", "0", "28", "1"]  # relapsed by the day of the assumed response
    filled.loc[4, TIMES] = ["900", "0", "0", "1"]  # no remission, and yet an LFS
    filled.loc[12, TIMES] = ["900", "0", str(second + 1), "1"]  # relapsed after the second collection
    filled.loc[19, TIMES] = ["900", "0", "900", "0"]  # no relapse after transplantation
    assert findings(filled, tmp_path, supplement) == [
        (1, "OS", "os_days = 31", "crs_death_of, crs_death_within_days"),
        (1, "LFS", "lfs_days = 31", "crs_death_of, crs_death_within_days"),
        (2, "LFS", "lfs_days = 28", "response_day"),
        (4, "LFS", "lfs_days", "non_responder_lfs"),
        (12, "LFS", f"lfs_days = {second + 1}", "relapse_before"),
        (19, "LFS", "lfs_event = 0", "cd19_reading"),
    ]
    told = read(csv(filled), tmp_path, supplement).to_frame()["sentence"]
    assert told.iloc[0].startswith("Patient 1 (CART1), OS: the file has the event on day 31, where the book assumes: ")
    assert "follow-up without an event, ending on day 900" in told.iloc[5]
    # The tables name nobody who died: a patient 1 who lives on refutes an assumption, and is no error.
    filled.loc[1, TIMES] = ["1900", "0", "1900", "0"]
    assert findings(filled, tmp_path, supplement)[0][3] == "crs_death_of, crs_death_within_days"
    # A value inside the assumption is none.
    filled.loc[1, TIMES] = ["30", "1", "30", "1"]
    filled.loc[2, TIMES] = ["900", "0", "29", "1"]
    filled.loc[4, TIMES[2:]] = None
    filled.loc[12, TIMES] = ["900", "0", str(second), "1"]
    filled.loc[19, TIMES] = ["900", "0", "899", "1"]
    assert findings(filled, tmp_path, supplement) == []


def test_findings_follow_the_assumptions_of_the_reader(
    filled: pd.DataFrame, supplement: Supplement, tmp_path: Path
) -> None:
    filled.loc[19, TIMES] = ["900", "0", "900", "0"]
    assumptions = Assumptions(cd19_reading="antigen status after HSCT only")
    assert read(csv(filled), tmp_path, supplement, assumptions=assumptions).findings == ()


# ------------------------------------------------------------------ files that cannot be read


def with_sheets(frame: pd.DataFrame, formula: object, more: bool) -> bytes:
    book = openpyxl.load_workbook(io.BytesIO(excel(frame)))
    book.active["C3"] = formula
    if more:
        book.create_sheet("notes")["A1"] = "a note"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mine.xls", b"x", "expected .csv or .xlsx"),
        ("mine.csv", b"", "found 0 bytes"),
        ("mine.csv", b"\n\n", "no cell with anything in it"),
        ("mine.csv", "patient;söurce".encode("latin-1"), "not UTF-8; save it as 'CSV UTF-8'"),
        ("mine.csv", b"patient,patient,age\n1,1,2\n", "no column os_days or os_date; .*patient stands 2 times; age is"),
        ("mine.csv", b'patient,source\n1,"open\n', "save it anew as CSV"),
        ("mine.csv", b"patient,source\n1\n2,a,b\n", "row 2 has 1 cells, .*row 3 has 3 cells"),
        ("mine.csv", b"patient,,source\n1,2,3\n", "column 2 has no name"),
        ("mine.csv", b"kind,patient\nSYNTHETIC,1\n", "kind is unknown"),
        ("mine.xlsx", b"PK nothing", "not a readable Excel file"),
        ("mine.xlsx", lambda frame: with_sheets(frame, 5, more=True), "tables in 2 sheets"),
        ("mine.xlsx", lambda frame: with_sheets(frame, "=1+1", more=False), "formulas without a value .row 3: =1.1"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    filled: pd.DataFrame, supplement: Supplement, tmp_path: Path, name: str, content: object, message: str
) -> None:
    with pytest.raises(SourceFileError, match=message) as caught:
        read(content(filled) if callable(content) else content, tmp_path, supplement, name)  # type: ignore[arg-type]
    assert name in str(caught.value)


def test_a_missing_file_is_refused(supplement: Supplement, tmp_path: Path) -> None:
    with pytest.raises(SourceFileError, match="No such file"):
        read_supplied(tmp_path / "mine.csv", supplement)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "0 or 1"),
        (dt.datetime(2020, 1, 1), "0 or 1"),
        (0.5, "0 or 1"),
    ],
    ids=["truth value", "date", "fraction"],
)
def test_excel_cells_of_another_kind_are_refused(
    filled: pd.DataFrame, supplement: Supplement, tmp_path: Path, value: object, expected: str
) -> None:
    book = openpyxl.load_workbook(io.BytesIO(excel(filled)))
    header = [cell.value for cell in book.active[1]]
    book.active.cell(8, header.index("os_event") + 1).value = value
    book.active.cell(9, header.index("os_date") + 1).value = dt.datetime(2020, 1, 1, 12, 30)
    stream = io.BytesIO()
    book.save(stream)
    with pytest.raises(TableError) as caught:
        read(stream.getvalue(), tmp_path, supplement, "mine.xlsx")
    first, second = caught.value.failures
    assert (first.row, first.column, first.expected) == ("8 (patient 7)", "os_event", expected)
    assert (second.row, second.column) == ("9 (patient 8)", "os_date")


# ------------------------------------------------------------------ the template


def test_the_template_has_every_patient_and_the_bounds_of_the_tables(supplement: Supplement) -> None:
    frame = template(supplement).set_index("patient")
    assert frame.index.tolist() == list(range(1, 29))
    assert frame[list(ENTRIES)].isna().all(axis=None)
    hsct = {patient: days(supplement, patient, "hsct_date") for patient in range(19, 29)}
    assert frame.loc[19:, "os_after"].to_dict() == hsct
    assert frame.loc[19:, "lfs_after"].to_dict() == hsct
    assert frame.loc[12, "os_after"] == days(supplement, 12, "infusion_2_date")
    assert frame["os_by"].isna().all()  # the tables name nobody who died
    assert (
        frame.loc[2, "lfs_by"] == (pd.Timestamp("2021-10-29") - supplement.treatments["infusion_1_date"].iloc[1]).days
    )
    assert frame.loc[[4, 5], "lfs_after"].isna().all()
    assert "it may stay empty" in frame.loc[4, "what_the_tables_tell"]


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_an_unfilled_template_is_told_cell_by_cell(supplement: Supplement, tmp_path: Path, name: str) -> None:
    path = write_template(supplement, tmp_path / name)
    with pytest.raises(TableError) as caught:
        read_supplied(path, supplement)
    missing = [(failure.row, failure.column) for failure in caught.value.failures]
    # Source, time and event of OS for all; of LFS for the 25 in remission.
    assert len(missing) == len(set(missing)) == 28 * 3 + 25 * 2


def test_a_template_never_overwrites_a_file(supplement: Supplement, tmp_path: Path) -> None:
    path = write_template(supplement, tmp_path / "a.csv")
    for name, message in [
        ("a.csv", "may be filled in"),
        ("b.ods", "expected .csv"),
        ("no/c.csv", "folder that exists"),
    ]:
        with pytest.raises(SourceFileError, match=message):
            write_template(supplement, path.parent / name)


# ------------------------------------------------------------------ from the command line and the environment


def test_commands_write_and_check(filled: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.csv"
    assert main(["follow-up-template", str(path)]) == 0
    assert main(["check-follow-up", str(path)]) == 1
    assert "row 2 (patient 1), column os_days" in capsys.readouterr().err
    filled.loc[19, TIMES] = ["900", "0", "900", "0"]
    path.write_bytes(csv(filled))
    assert main(["check-follow-up", str(path)]) == 0
    assert "finding against cd19_reading: Patient 19" in capsys.readouterr().out
    for wrong in (["check-follow-up"], ["ledger", str(path)]):
        with pytest.raises(SystemExit):
            main(wrong)


def test_the_environment_chooses_the_follow_up(
    filled: pd.DataFrame,
    drawn: FollowUp,
    supplement: Supplement,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept, path = tmp_path / "kept.csv", tmp_path / "mine.csv"
    write_follow_up(drawn, kept)
    assert current_follow_up(kept, supplement).kind == "SYNTHETIC"
    assert supplied_by_user(supplement) is None
    path.write_bytes(csv(filled))
    monkeypatch.setenv(ENVIRONMENT, str(path))
    assert current_follow_up(kept, supplement).kind == SUPPLIED
    assert main(["ledger"]) == 0
    assert "computed        figure-s1-a" in capsys.readouterr().out
    path.unlink()
    with pytest.raises(SurvAuditError, match=r"mine\.csv"):
        current_follow_up(kept, supplement)


def test_the_key_of_the_cache_depends_on_the_file(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_key.ENVIRONMENT == ENVIRONMENT
    path = tmp_path / "mine.csv"
    keys = [cache_key.fingerprint(project)]
    monkeypatch.setenv(ENVIRONMENT, str(path))
    for content in ("a", "b"):
        path.write_text(content)
        keys.append(cache_key.fingerprint(project))
    assert len(set(keys)) == 3
    monkeypatch.delenv(ENVIRONMENT)
    assert cache_key.fingerprint(project) == keys[0]


def commands(project: Path, *arguments: str) -> str:
    command = ["make", "--dry-run", "--old-file=.venv/.ready", "book", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout


def test_make_keeps_the_two_books_apart(project: Path) -> None:
    committed, supplied = commands(project), commands(project, "FOLLOW_UP=a b.csv")
    assert "_build/supplied" not in committed
    assert "follow-up" not in committed
    lines = supplied.splitlines()
    check, remove, build = (next(n for n, line in enumerate(lines) if word in line) for word in ("check-", "rm ", "-W"))
    assert check < remove < build
    assert 'check-follow-up "a b.csv"' in lines[check]
    assert set(re.findall(r"_build\S*", lines[remove])) == {
        f"_build/supplied/_build/{part}" for part in ("html", ".doctrees", "jupyter_execute")
    }
    assert "--path-output _build/supplied" in lines[build]


# ------------------------------------------------------------------ the ledger


def by_hand(time: np.ndarray, event: np.ndarray, high: np.ndarray) -> float:
    """The log-rank chi-square by its definition, one event time after the other."""
    difference = variance = 0.0
    for day in np.unique(time[event == 1]):
        at_risk, died = time >= day, (time == day) & (event == 1)
        n, d, n_high = at_risk.sum(), died.sum(), (at_risk & high).sum()
        difference += (died & high).sum() - d * n_high / n
        if n > 1:
            variance += d * n_high / n * (1 - n_high / n) * (n - d) / (n - 1)
    return difference**2 / variance if variance > 0 else 0.0


@pytest.fixture
def supplied(filled: pd.DataFrame, supplement: Supplement, tmp_path: Path) -> Supplied:
    return read(csv(filled), tmp_path, supplement)


def columns(table: pd.DataFrame, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    own = table.dropna(subset=f"{name}_days")
    return own["patient"].to_numpy(), own[f"{name}_days"].to_numpy(int), own[f"{name}_event"].to_numpy(int)


PANELS = {
    "a": ("os", "CART1", "CART+HSCT"),
    "b": ("os", "CART2", "CART+HSCT"),
    "c": ("lfs", "CART1", "CART+HSCT"),
    "d": ("lfs", "CART2", "CART+HSCT"),
    "e": ("os", "CART1", "CART2"),
    "f": ("lfs", "CART1", "CART2"),
}


def test_every_panel_is_computed(supplied: Supplied, supplement: Supplement, claims: dict[str, Claim]) -> None:
    ledger = audit(supplement, claims, supplied)
    table = supplied.follow_up.table
    for letter, (name, first, second) in PANELS.items():
        row = ledger[f"figure-s1-{letter}"]
        patient, time, event = columns(table[table["group"].isin([first, second])], name)
        high = table.set_index("patient").loc[patient, "group"].eq(second).to_numpy()
        assert row.finding.values["chi_square"] == pytest.approx(by_hand(time, event, high), rel=1e-9)
        assert row.verdict is row.expected is Verdict.COMPUTED
        assert row.with_follow_up
        assert f"{second} has {high.sum()}" in row.reason or f"{second} has\n{high.sum()}" in row.reason
        assert f"{first} has {(~high).sum()} patients and {event[~high].sum()} events" in row.reason


def test_the_cut_point_is_sought_by_both_endpoints_and_rules(
    supplied: Supplied, supplement: Supplement, claims: dict[str, Claim]
) -> None:
    ledger = audit(supplement, claims, supplied)
    mrd = supplement.patients.set_index("patient")["mrd_percent"]
    best, at_cut = {}, {}
    for name in ("os", "lfs"):
        patient, time, event = columns(supplied.follow_up.table, name)
        x = mrd.loc[patient].to_numpy()
        cuts = np.unique(x)
        chi2 = [by_hand(time, event, x > cut) for cut in cuts[:-1]]
        place = int(np.argmax(chi2))
        best |= {f"{name}_low": cuts[place], f"{name}_high": cuts[place + 1]}
        at_cut |= {f"{name}_low": by_hand(time, event, x > 65.6), f"{name}_high": by_hand(time, event, x >= 65.6)}
    assert ledger["mrd-cut-point"].finding.values == pytest.approx(best)
    assert ledger["mrd-chi-square"].finding.values == pytest.approx(at_cut, rel=1e-9)
    assert {row.claim.id for row in ledger.unexpected} == {"mrd-cut-point", "mrd-chi-square"}
    assert all(row.with_follow_up for row in ledger.unexpected)


@pytest.mark.parametrize("reading", ["os_low", "os_high", "lfs_low", "lfs_high"])
def test_one_reading_that_fits_reproduces_the_claim(
    supplied: Supplied, supplement: Supplement, claims: dict[str, Claim], reading: str
) -> None:
    """The printed numbers are replaced by what this follow-up gives, one reading at a time."""
    changed = dict(claims)
    # The chi-square first: it is taken at the published cut, which the other claim prints.
    for claim_id, name in (("mrd-chi-square", "chi_square"), ("mrd-cut-point", "percent")):
        value = audit(supplement, claims, supplied)[claim_id].finding.values[reading]
        changed[claim_id] = Claim(**{**vars(claims[claim_id]), "printed": {name: f"{value:.2f}"}})
        rows = {**claims, claim_id: changed[claim_id]}
        assert audit(supplement, rows, supplied)[claim_id].verdict is Verdict.REPRODUCED


def test_rows_that_need_no_follow_up_stay_as_they_are(
    supplied: Supplied, supplement: Supplement, claims: dict[str, Claim]
) -> None:
    before, after = audit(supplement, claims), audit(supplement, claims, supplied)
    changed = [old.claim.id for old, new in zip(before.rows, after.rows, strict=True) if old.reason != new.reason]
    assert changed == [*(f"figure-s1-{letter}" for letter in PANELS), "mrd-cut-point", "mrd-chi-square"]
    assert all(old.verdict is Verdict.NOT_DERIVABLE for old in before.rows if old.claim.id in changed)


def test_every_reading_is_shown(supplied: Supplied, supplement: Supplement, claims: dict[str, Claim]) -> None:
    ledger = audit(supplement, claims, supplied).select("mrd-cut-point", "figure-s1-a")
    assert set(ledger.to_frame()["number"]) == {
        "percent",
        "os_low",
        "os_high",
        "lfs_low",
        "lfs_high",
        "chi_square",
        "p",
    }
    shown = LedgerTable(ledger)._repr_html_()
    assert "LFS, cut high" in shown
    assert "verdict-computed" in shown


def test_a_claim_that_does_not_fit_is_refused(
    supplied: Supplied, supplement: Supplement, claims: dict[str, Claim]
) -> None:
    panel = vars(claims["figure-s1-a"])
    for changes, message in [
        ({"id": "figure-s1-z"}, "no panel"),
        ({"compute": "patient_count"}, "recompute_follow_up"),
    ]:
        with pytest.raises(ClaimError, match=message):
            audit(supplement, {"figure-s1-a": Claim(**{**panel, **changes})}, supplied)
