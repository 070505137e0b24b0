"""A follow-up that a user brings: read, checked against the tables, and set against the assumptions.

What contradicts a cell of the tables is an error, and all errors are told at once. What contradicts an
assumption of the book is a finding: the true dates may well refute one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd

from survaudit.cohort.assumptions import INFUSION, Assumptions
from survaudit.cohort.endpoints import ASSUMPTION, LFS, OS, End, Interval, endpoints
from survaudit.cohort.schema import NOT_ASSESSED, REMISSIONS, WHOLE_ROW, quote
from survaudit.cohort.tables import Supplement
from survaudit.errors import CellFailure, SourceFileError, TableError
from survaudit.follow_up._spreadsheet import Sheet, read_bytes, read_sheet
from survaudit.follow_up.complete import COLUMNS, SUPPLIED, FollowUp, read_synthetic

# The environment variable that names the user's file; `make book FOLLOW_UP=file` sets it.
ENVIRONMENT = "SURVAUDIT_FOLLOW_UP"

ENTRIES = ("os_days", "os_date", "os_event", "lfs_days", "lfs_date", "lfs_event", "source")
BOUNDS = ("os_after", "os_by", "lfs_after", "lfs_by")
# What the template tells; a user may keep these columns or drop them.
TOLD = ("group", *BOUNDS, "what_the_tables_tell")


@dataclass(frozen=True)
class Refutation:
    """An assumption of the book that a supplied time or event contradicts.

    Attributes
    ----------
    patient : int
    endpoint : {"OS", "LFS"}
    value : str
        Column and value of the file.
    assumption : str
        Its name in ``Assumptions``; several, joined by commas, where the bound rests on all of them.
    sentence : str
        The contradiction in words.
    """

    patient: int
    endpoint: str
    value: str
    assumption: str
    sentence: str


@dataclass(frozen=True, eq=False)
class Supplied:
    """A user's follow-up that agrees with every cell of the tables.

    Attributes
    ----------
    follow_up : FollowUp
        Of kind SUPPLIED, in whole days from the first infusion, whatever the file counts in.
    findings : tuple of Refutation
        What it says against the assumptions, patient by patient.
    file, sha256 : str
        Name and hash of the file, to tell which one a result is from.
    """

    follow_up: FollowUp
    findings: tuple[Refutation, ...]
    file: str
    sha256: str

    def to_frame(self) -> pd.DataFrame:
        """Return one row a finding; none where the follow-up agrees with every assumption."""
        columns = list(Refutation.__dataclass_fields__)
        return pd.DataFrame([asdict(finding) for finding in self.findings], columns=columns)


# ---------------------------------------------------------------- single cells


class _UnreadableError(Exception):
    """A cell is not of the kind that its column holds."""

    def __init__(self, expected: str, remedy: str) -> None:
        super().__init__(expected)
        self.expected, self.remedy = expected, remedy


def _whole(value: object) -> int:
    """Read a whole number, as a program may have written it: ``12``, ``12.0`` or ``12,0``."""
    if isinstance(value, str):
        found = re.fullmatch(r"([+-]?[0-9]+)(?:[.,](0+))?", value)
        if found and len(found[2] or "") == 3:
            raise _UnreadableError("a whole number", "write it without a point or comma: it may mean thousands")
        if found:
            return int(found[1])
    elif isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer():
        return int(value)
    raise _UnreadableError("a whole number", "write digits, or leave the cell empty where nothing is known")


def _event(value: object) -> int:
    try:
        number = _whole(value)
    except _UnreadableError:
        number = -1
    if number not in {0, 1}:
        raise _UnreadableError("0 or 1", "write 1 for an event, 0 for a patient followed to that day without one")
    return number


def _day(value: object) -> dt.date:
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date()
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:  # such as the 30th of February
            pass
    raise _UnreadableError("a date as 2021-03-31, or an Excel date without a time", "write year, month, day")


_READERS: Mapping[str, Callable[[object], object]] = {
    "days": _whole,
    "date": _day,
    "event": _event,
    "source": str,
}


@dataclass(frozen=True)
class _Entry:
    """One row of the file: its place there, and what could be read of it."""

    place: str
    patient: int
    values: Mapping[str, object]
    unreadable: frozenset[str]


@dataclass(frozen=True)
class _Outcome:
    """What the file says of one patient and endpoint; ``column`` is where the time stands."""

    endpoint: str
    column: str
    days: int
    event: int

    @property
    def event_column(self) -> str:
        return f"{self.endpoint.lower()}_event"

    def against(self, left: End, right: End) -> Iterator[tuple[End, str, int, str]]:
        """Yield each end that this contradicts, with the column, its value, and what it would have been."""
        if self.days < left.day + self.event:  # an event comes after L; without one, L at least was reached
            yield left, self.column, self.days, f"{left.day + self.event:g} or more"
        if math.isfinite(right.day) and not self.event:
            yield right, self.event_column, self.event, "1"
        elif self.days > right.day:
            yield right, self.column, self.days, f"{right.day:g} or less"


# ---------------------------------------------------------------- the whole file


class _Check:
    """A file held against the cohort; ``failures`` gathers all that is wrong."""

    def __init__(self, supplement: Supplement, assumptions: Assumptions, file: str, today: dt.date) -> None:
        # Days in the file count from the first infusion, whatever the analysis counts from.
        self.assumptions = replace(assumptions, time_origin=INFUSION)
        self.file, self.today = file, today
        self.rows = {int(row["patient"]): row for _, row in supplement.cohort.iterrows()}
        found = endpoints(supplement.cohort, self.assumptions)
        self.intervals = {(i.patient, name): i for name, part in found.items() for i in part.intervals}
        self.failures: list[CellFailure] = []

    def fail(self, place: str, column: str, value: object, expected: str, remedy: str) -> None:
        shown = "nothing" if value is None else value.isoformat() if isinstance(value, dt.date) else value
        shown = quote(shown) if isinstance(shown, str) and value is not None else str(shown)
        self.failures.append(CellFailure(self.file, place, column, shown, expected, remedy))

    # ------------------------------------------------------------ who is in the file

    def entries(self, sheet: Sheet) -> list[_Entry]:
        """Return the rows that belong to a patient, each patient's first; note all others as failures."""
        entries: dict[int, _Entry] = {}
        for number, cells in sheet.rows:
            row = dict(zip(sheet.header, cells, strict=True))
            try:
                patient = _whole(row["patient"])
            except _UnreadableError as reason:
                self.fail(
                    str(number), "patient", row["patient"], reason.expected, "number the patient as the tables do"
                )
                continue
            if patient not in self.rows:
                known = f"one of {min(self.rows)} to {max(self.rows)}"
                self.fail(str(number), "patient", patient, known, "number the patient as the tables do")
            elif patient in entries:
                self.fail(str(number), "patient", patient, f"each once; see row {entries[patient].place}", "keep one")
            else:
                entries[patient] = self._entry(f"{number} (patient {patient})", patient, row)
        for patient in sorted(set(self.rows) - set(entries)):
            self.fail(f"of patient {patient}", WHOLE_ROW, None, "a row for every patient", "add the patient")
        return list(entries.values())

    def _entry(self, place: str, patient: int, row: dict[str, object]) -> _Entry:
        values: dict[str, object] = {}
        unreadable = set()
        for column in ENTRIES:
            cell = row.get(column)
            try:
                values[column] = None if cell is None else _READERS[column.rpartition("_")[2]](cell)
            except _UnreadableError as reason:
                unreadable.add(column)
                self.fail(place, column, cell, reason.expected, reason.remedy)
        if values["source"] is None:
            self.fail(place, "source", None, "where the times come from", "name the register, the file or the letter")
        self._told(place, patient, row)
        return _Entry(place, patient, values, frozenset(unreadable))

    def _told(self, place: str, patient: int, row: dict[str, object]) -> None:
        """Hold what the template told against the cohort: a row may have been shifted, or a column misread."""
        told = _told(self.rows[patient], self.intervals)
        for column in ("group", *BOUNDS):
            if column in row and _plain(row[column]) != _plain(told[column]):
                remedy = "leave the template's columns as they are, and fill in the others"
                self.fail(place, column, row[column], "nothing" if told[column] is None else str(told[column]), remedy)

    # ------------------------------------------------------------ what it says of them

    def outcome(self, entry: _Entry, endpoint: str) -> _Outcome | None:
        """Return a patient's time and event, unless missing or unreadable, which are failures where needed."""
        name = endpoint.lower()
        columns = [f"{name}_{part}" for part in ("days", "date", "event")]
        if entry.unreadable & set(columns):
            return None
        days, date, event = (entry.values[column] for column in columns)
        may_lack = endpoint == LFS and self.rows[entry.patient]["response_1"] not in REMISSIONS
        if days is None and date is None and event is None and may_lack:
            return None
        if event is None:
            self.fail(entry.place, columns[2], None, "0 or 1", "say whether the event came")
        counted = self._days(entry, date)
        if days is None and counted is None:
            self.fail(entry.place, columns[0], None, f"days, or a date in {columns[1]}", "fill in one of the two")
        elif None not in (days, counted) and days != counted:
            expected = f"{counted}, the days from the first infusion to {columns[1]}"
            self.fail(entry.place, columns[0], days, expected, "keep the one that is right")
        elif isinstance(event, int):
            column, time = (columns[0], days) if days is not None else (columns[1], counted)
            assert isinstance(time, int)
            return _Outcome(endpoint, column, time, event)
        return None

    def _days(self, entry: _Entry, date: object) -> int | None:
        return (date - self._infused(entry)).days if isinstance(date, dt.date) else None

    def _infused(self, entry: _Entry) -> dt.date:
        infused: dt.date = self.rows[entry.patient]["infusion_1_date"].date()
        return infused

    def check(self, entry: _Entry, overall: _Outcome | None, free: _Outcome | None) -> None:
        """Note whatever is impossible by itself, or contradicts a cell of the tables."""
        for outcome in filter(None, (overall, free)):
            if outcome.days < 0:
                self.fail(entry.place, outcome.column, outcome.days, "0 or more", "count from the first infusion")
                continue
            if self._infused(entry) + dt.timedelta(days=outcome.days) > self.today:
                expected = f"a day up to {self.today}, and not in the future"
                self.fail(entry.place, outcome.column, outcome.days, expected, "correct the time")
            interval = self.intervals.get((entry.patient, outcome.endpoint))
            if interval is not None:
                self._against_cells(entry, outcome, interval)
        if overall and free and free.days > overall.days:
            expected = f"{overall.days} or less, which is overall survival"
            self.fail(entry.place, free.column, free.days, expected, "relapse or death comes at death at the latest")
        if overall and free and overall.event and not free.event:
            self.fail(entry.place, free.event_column, 0, "1, since the patient died", "death is an event of LFS too")

    def _against_cells(self, entry: _Entry, outcome: _Outcome, interval: Interval) -> None:
        for end, column, value, expected in outcome.against(interval.table_left, interval.table_right):
            because = f"{expected}, because {end.words} ({'; '.join(end.sources)})"
            self.fail(entry.place, column, value, because, "correct it, or ask where the file and the tables part")

    def findings(self, entry: _Entry, outcome: _Outcome | None, endpoint: str) -> Iterator[Refutation]:
        """Yield what a patient's outcome says against the assumptions."""
        who = f"Patient {entry.patient} ({self.rows[entry.patient]['group']}), {endpoint}"
        interval = self.intervals.get((entry.patient, endpoint))
        if (interval is None) != (outcome is None):
            assessed = self.rows[entry.patient]["response_1"] != NOT_ASSESSED
            name = "non_responder_lfs" if assessed else "unassessed_lfs"
            chosen = getattr(self.assumptions, name)
            says = f"the file has {'no' if outcome is None else 'a'} time, where the book assumes: {chosen}"
            yield Refutation(entry.patient, endpoint, f"{endpoint.lower()}_days", name, f"{who}: {says}.")
        elif interval is not None and outcome is not None:
            # An end that the tables make would have been an error, so that these are assumed ones.
            for end, column, value, _ in outcome.against(interval.left, interval.right):
                names = [source.split()[1].rstrip(":") for source in end.sources if source.startswith(ASSUMPTION)]
                what = "the event" if outcome.event else "follow-up without an event, ending"
                says = f"the file has {what} on day {outcome.days}, where the book assumes: {end.words}"
                yield Refutation(entry.patient, endpoint, f"{column} = {value}", ", ".join(names), f"{who}: {says}.")


def _check_columns(sheet: Sheet, path: Path) -> None:
    """Refuse a header that is not the table's, naming all that is wrong with it."""
    header = set(sheet.header)
    wanted = [
        ("patient",),
        ("os_days", "os_date"),
        ("os_event",),
        ("lfs_days", "lfs_date"),
        ("lfs_event",),
        ("source",),
    ]
    problems = [f"no column {' or '.join(names)}" for names in wanted if header.isdisjoint(names)]
    problems += [f"{name} stands {count} times" for name, count in Counter(sheet.header).items() if count > 1]
    problems += [f"{name} is unknown" for name in sheet.header if name not in {"patient", *ENTRIES, *TOLD}]
    if problems:
        known = ", ".join(["patient", *ENTRIES])
        remedy = "'make follow-up-template' writes a table with them"
        raise SourceFileError(
            f"{path}: found columns that do not fit ({'; '.join(problems)}), expected {known}; {remedy}"
        )


def read_supplied(
    path: Path | str, supplement: Supplement, assumptions: Assumptions | None = None, today: dt.date | None = None
) -> Supplied:
    """Read a user's follow-up, CSV or Excel, and check it against the tables.

    One row a patient, with ``patient``, ``os_days`` or ``os_date``, ``os_event``, ``lfs_days`` or
    ``lfs_date``, ``lfs_event`` and ``source``. Days are whole and count from the first infusion; dates
    are ISO, or Excel's. Only patients who are not known to have reached remission may lack LFS. The
    template's columns of bounds may stay; what they tell is held against the tables too.

    Parameters
    ----------
    path : path
        A file that ends in .csv or .xlsx.
    supplement : Supplement
        Both tables, to hold the file against.
    assumptions : Assumptions, optional
        The book's if not given.
    today : datetime.date, optional
        No time may lie after it; the present day if not given.

    Returns
    -------
    Supplied

    Raises
    ------
    SourceFileError
        If the file cannot be read as one table with these columns.
    TableError
        If cells are unreadable, impossible or against the tables: all of them.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from survaudit.cohort.tables import read_supplement
    >>> table = read_synthetic("data/synthetic/figure_s1.csv").table
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mine.csv"
    ...     table.to_csv(path, index=False)
    ...     found = read_supplied(path, read_supplement("data/raw"))
    >>> found.follow_up.kind, len(found.findings), found.file
    ('SUPPLIED', 0, 'mine.csv')
    """
    path = Path(path)
    content = read_bytes(path)
    sheet = read_sheet(content, path)
    _check_columns(sheet, path)
    check = _Check(supplement, assumptions or Assumptions(), path.name, today or dt.date.today())
    entries = check.entries(sheet)
    outcomes = [(entry, check.outcome(entry, OS), check.outcome(entry, LFS)) for entry in entries]
    for entry, overall, free in outcomes:
        check.check(entry, overall, free)
    if check.failures:
        raise TableError(sorted(check.failures, key=lambda failure: int(re.findall(r"[0-9]+", failure.row)[0])))
    outcomes.sort(key=lambda row: row[0].patient)
    pairs = [(entry, outcome, name) for entry, *both in outcomes for name, outcome in zip((OS, LFS), both, strict=True)]
    findings = tuple(finding for pair in pairs for finding in check.findings(*pair))
    return Supplied(_follow_up(check.rows, outcomes), findings, path.name, hashlib.sha256(content).hexdigest())


def _follow_up(
    cohort: Mapping[int, pd.Series], outcomes: list[tuple[_Entry, _Outcome | None, _Outcome | None]]
) -> FollowUp:
    rows = [
        (
            entry.patient,
            str(cohort[entry.patient]["group"]),
            *(part for outcome in both for part in ((outcome.days, outcome.event) if outcome else (None, None))),
            entry.values["source"],
        )
        for entry, *both in outcomes
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return FollowUp(SUPPLIED, table.astype(dict.fromkeys(COLUMNS[2:6], "Int64")))


# ---------------------------------------------------------------- what a build uses


def supplied_by_user(supplement: Supplement, assumptions: Assumptions | None = None) -> Supplied | None:
    """Return the follow-up of the file that ``SURVAUDIT_FOLLOW_UP`` names; None if it names none.

    Parameters
    ----------
    supplement : Supplement
        Both tables, to hold the file against.
    assumptions : Assumptions, optional
        The book's if not given.

    Returns
    -------
    Supplied or None

    Raises
    ------
    SourceFileError, TableError
        As ``read_supplied``.
    """
    path = os.environ.get(ENVIRONMENT)
    return read_supplied(path, supplement, assumptions) if path else None


def current_follow_up(
    synthetic: Path | str, supplement: Supplement, assumptions: Assumptions | None = None
) -> FollowUp:
    """Return the user's follow-up if there is one, else the SYNTHETIC one that is kept in a file.

    Parameters
    ----------
    synthetic : path
        What ``follow_up.write_follow_up`` wrote.
    supplement : Supplement
        Both tables, to hold the file against.
    assumptions : Assumptions, optional
        The book's if not given.

    Returns
    -------
    FollowUp
        In days; its ``kind`` tells which it is.

    Raises
    ------
    SourceFileError, TableError
        As ``read_supplied``, or as ``follow_up.read_synthetic``.
    """
    supplied = supplied_by_user(supplement, assumptions)
    return supplied.follow_up if supplied else read_synthetic(synthetic)


# ---------------------------------------------------------------- the template


def _told(row: pd.Series, intervals: Mapping[tuple[int, str], Interval]) -> dict[str, object]:
    """Return what the template tells of one patient; bounds are those of the tables alone."""
    told: dict[str, object] = dict.fromkeys(TOLD)
    told["group"] = str(row["group"])
    sentences = []
    for name in (OS, LFS):
        interval = intervals.get((int(row["patient"]), name))
        if interval is None:
            sentences.append(f"Patient {row['patient']}, {name}: not in remission, so that it may stay empty.")
            continue
        sentences.append(interval.sentence)
        told[f"{name.lower()}_after"] = int(interval.table_left.day)
        right = interval.table_right.day
        told[f"{name.lower()}_by"] = int(right) if math.isfinite(right) else None
    told[TOLD[-1]] = " ".join(sentences)
    return told


def _plain(cell: object) -> str:
    """Return a cell of the template so that a spreadsheet's ``32.0`` is its ``32``."""
    try:
        return str(_whole(cell))
    except _UnreadableError:
        return "" if cell is None else str(cell)


def template(supplement: Supplement, assumptions: Assumptions | None = None) -> pd.DataFrame:
    """Return the table that a user fills in: every patient, empty cells, and what the tables tell.

    Parameters
    ----------
    supplement : Supplement
        Both tables.
    assumptions : Assumptions, optional
        The book's if not given.

    Returns
    -------
    pandas.DataFrame, shape (28, 14)
        ``patient``, ``group``, the empty columns, then ``os_after`` and ``os_by``, ``lfs_after`` and
        ``lfs_by``: by the tables alone an event came after the one day and by the other (empty where nothing
        bounds it); and the same in words, together with what follows from assumptions.

    Raises
    ------
    InputError
        If assumptions contradict the dates of a patient.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> table = template(read_supplement("data/raw")).set_index("patient")
    >>> table.loc[12, ["os_after", "lfs_after", "lfs_by"]].astype(int).tolist()
    [134, 0, 1953]
    """
    chosen = replace(assumptions or Assumptions(), time_origin=INFUSION)
    found = endpoints(supplement.cohort, chosen)
    intervals = {(i.patient, name): i for name, part in found.items() for i in part.intervals}
    told = [_told(row, intervals) for _, row in supplement.cohort.iterrows()]
    frame = pd.DataFrame({"patient": supplement.cohort["patient"].to_numpy(), "group": [row["group"] for row in told]})
    frame = frame.assign(**dict.fromkeys(ENTRIES))
    for column in TOLD[1:]:
        frame[column] = pd.Series([row[column] for row in told], dtype="Int64" if column in BOUNDS else "string")
    return frame


def write_template(supplement: Supplement, path: Path | str, assumptions: Assumptions | None = None) -> Path:
    """Write the template as CSV or Excel; never over a file, which may be filled in already.

    Parameters
    ----------
    supplement : Supplement
        Both tables.
    path : path
        A new file that ends in .csv or .xlsx.
    assumptions : Assumptions, optional
        The book's if not given.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    SourceFileError
        If the file exists, cannot be written, or is neither CSV nor Excel by its name.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from survaudit.cohort.tables import read_supplement
    >>> with TemporaryDirectory() as folder:
    ...     path = write_template(read_supplement("data/raw"), Path(folder) / "mine.csv")
    ...     pd.read_csv(path).shape
    (28, 14)
    """
    path = Path(path)
    frame = template(supplement, assumptions)
    try:
        if path.exists():
            raise SourceFileError(f"{path}: it exists, and may be filled in; name another file with OUT=")
        if path.suffix == ".csv":
            path.write_bytes(frame.to_csv(index=False, lineterminator="\n").encode())
        elif path.suffix == ".xlsx":
            frame.to_excel(path, index=False)
        else:
            raise SourceFileError(f"{path}: found the ending {path.suffix!r}, expected .csv or .xlsx; name such a file")
    except OSError as error:
        raise SourceFileError(f"{path}: {error.strerror}; name a file in a folder that exists, with OUT=") from error
    return path
