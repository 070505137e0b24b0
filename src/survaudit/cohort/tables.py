"""The two supplementary tables as tidy, validated frames, from text or from file.

``read_supplement`` checks the bytes of each file, ``parse`` turns its text into a frame: cells are
found and repaired by ``cells``, read here by one reader a column, and judged by ``schema``.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from survaudit.cohort.cells import Cell, RawRow, clean_header, clean_row, split_cells
from survaudit.cohort.schema import (
    COMPARE,
    NONE_REFRACTORY,
    NOT_APPLICABLE,
    PATIENTS,
    SYMBOL_MEANINGS,
    TREATMENTS,
    WHOLE_ROW,
    failing_cells,
    quote,
)
from survaudit.errors import CellFailure, SourceFileError, TableError

# The files have about 2,500 bytes each; a hundred times that is certainly something else.
MAX_BYTES = 250_000
RAW_FILES = ("supplementary_table_1.txt", "supplementary_table_2.txt")
REPAIR_COLUMNS = ["table", "row", "column", "raw", "clean", "reason"]


@dataclass(frozen=True)
class TidyTable:
    """One table of the supplement.

    Attributes
    ----------
    name : str
        "Supplementary Table 1" or "Supplementary Table 2".
    frame : pandas.DataFrame, shape (28, 13)
        One row a patient, as ``schema.PATIENTS`` or ``schema.TREATMENTS`` describes it.
    repairs : pandas.DataFrame
        Every cell that was changed or interpreted: ``table``, ``row`` (0 is the header),
        ``column``, ``raw``, ``clean``, ``reason``.
    """

    name: str
    frame: pd.DataFrame
    repairs: pd.DataFrame


@dataclass(frozen=True)
class Supplement:
    """Both tables of the supplement, and the log of all repairs."""

    patients: pd.DataFrame
    treatments: pd.DataFrame
    repairs: pd.DataFrame

    @property
    def cohort(self) -> pd.DataFrame:
        """Return the two tables joined by patient, shape (28, 25)."""
        return self.patients.merge(self.treatments, on="patient", validate="one_to_one")


# ---------------------------------------------------------------- readers: clean text to a value


class _UnreadableError(Exception):
    """A reader's word for what its column expects."""


def _whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise _UnreadableError("a whole number")
    return int(text)


def _relapses(text: str) -> int | None:
    return None if text == NONE_REFRACTORY else _whole(text)


def _decimal(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,15})?", text):
        raise _UnreadableError("a decimal number")
    return float(text)


def _yes_no(text: str) -> bool:
    if text not in {"Y", "N"}:
        raise _UnreadableError("Y or N")
    return text == "Y"


def _day(text: str) -> pd.Timestamp:
    match = re.fullmatch(r"((?:19|20)[0-9]{2})/([0-9]{1,2})/([0-9]{1,2})", text)
    try:
        if match:
            return pd.Timestamp(dt.date(*map(int, match.groups())))
    except ValueError:  # there is no such day
        pass
    raise _UnreadableError("a day of the calendar, as year/month/day")


def _optional_day(text: str) -> pd.Timestamp | None:
    return None if text == NOT_APPLICABLE else _day(text)


def _diagnosis(text: str, part: int) -> str:
    match = re.fullmatch(r"([^()]+) \(([^()]+)\)", text)
    if not match:
        raise _UnreadableError("a diagnosis, then its status in brackets")
    return match[part]


@dataclass(frozen=True)
class _Layout:
    """One table: its schema, and how the text of each tidy column is read."""

    schema: pa.DataFrameSchema
    readers: dict[str, Callable[[str], object]]

    @property
    def name(self) -> str:
        return str(self.schema.name)

    @property
    def header_of(self) -> dict[str, str]:
        """The repaired header from which each tidy column is read."""
        return {name: (column.metadata or {})["header"] for name, column in self.schema.columns.items()}

    def fed_with(self, column: str) -> list[str]:
        """Return the tidy columns that are read from the same cell as this one."""
        return [name for name, header in self.header_of.items() if header == self.header_of.get(column)]

    @property
    def headers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.header_of.values()))


_TABLE_1 = _Layout(
    PATIENTS,
    {
        "patient": _whole,
        "diagnosis": lambda text: _diagnosis(text, 1),
        "disease_status": lambda text: _diagnosis(text, 2),
        "sex": str,
        "age_years": _whole,
        "complex_karyotype": _yes_no,
        "mrd_percent": _decimal,
        "blasts_percent": _decimal,
        "n_previous_therapies": _whole,
        "n_relapses": _relapses,
        "transduction_percent": _decimal,
        "dose_1e6_per_kg": _decimal,
        "severe_crs": _yes_no,
    },
)

_TABLE_2 = _Layout(
    TREATMENTS,
    {
        "patient": _whole,
        "group": str,
        "collection_1_date": _day,
        "infusion_1_date": _day,
        "response_1": str,
        "relapse_1": str,
        "collection_2_date": _optional_day,
        "infusion_2_date": _optional_day,
        "response_2": str,
        "relapse_2": str,
        "hsct_date": _optional_day,
        "response_hsct": str,
        "relapse_hsct": str,
    },
)

# ---------------------------------------------------------------- parsing


def parse(text: str) -> TidyTable:
    """Parse the text of either supplementary table; its header tells which one it is.

    Parameters
    ----------
    text : str
        A table as published: a cell a line, after a tab; an empty line between rows.

    Returns
    -------
    TidyTable
        The validated frame and the log of repairs.

    Raises
    ------
    TableError
        Listing every failing cell: unreadable, impossible, missing, extra or contradictory.

    Examples
    --------
    >>> parse("")
    Traceback (most recent call last):
    ...
    survaudit.errors.TableError: 1 cell failed validation; nothing was written
      supplement, row (all), column (all): found '', expected a header and 28 rows; ...
    """
    rows = split_cells(text) if len(text) <= MAX_BYTES else []
    if not rows:
        place = ("supplement", "(all)", "(all)")
        raise TableError([CellFailure(*place, quote(text), "a header and 28 rows", "use the published text")])
    header = clean_header(rows[0].cells)
    layout = _recognise(header)
    cells, values, failures = list(header), {}, []
    for number, raw in enumerate(rows[1:], start=1):
        row, values[number], found = _read_row(layout, number, raw)
        cells += row
        failures += found
    frame = pd.DataFrame.from_dict(values, orient="index", columns=list(layout.readers), dtype=object)
    unreadable = {(int(f.row), name) for f in failures for name in [f.column, *layout.fed_with(f.column)]}
    failures += failing_cells(frame, layout.schema, unreadable)
    if failures:
        raise TableError([_with_line(failure, rows) for failure in failures])
    tidy = layout.schema.validate(frame.reset_index(drop=True))
    return TidyTable(layout.name, tidy, _repair_log(layout.name, cells))


def _recognise(header: list[Cell]) -> _Layout:
    """Return the layout whose headers these are; refuse a header that differs in any cell."""
    found = tuple(cell.clean for cell in header)
    layout = max((_TABLE_1, _TABLE_2), key=lambda table: len(set(table.headers) & set(found)))
    pairs = itertools.zip_longest(found, layout.headers, fillvalue="no cell")
    failures = [
        CellFailure(layout.name, "header (line 1)", f"position {place}", quote(cell), quote(expected), COMPARE)
        for place, (cell, expected) in enumerate(pairs, start=1)
        if cell != expected
    ]
    if failures:
        raise TableError(failures)
    return layout


def _read_row(layout: _Layout, number: int, raw: RawRow) -> tuple[list[Cell], dict[str, object], list[CellFailure]]:
    """Return a row's cells, its values by tidy column (None where unreadable) and its failures."""
    values: dict[str, object] = dict.fromkeys(layout.readers)
    if len(raw.cells) != len(layout.headers):
        found, expected = f"{len(raw.cells)} cells", f"{len(layout.headers)} cells"
        remedy = "restore the missing or remove the extra cell"
        return [], values, [CellFailure(layout.name, str(number), WHOLE_ROW, found, expected, remedy)]
    row = clean_row(number, layout.headers, raw.cells)
    failures: dict[str, CellFailure] = {}  # by header: one cell may feed two columns, and fails once
    for name, reader in layout.readers.items():
        cell = row[layout.header_of[name]]
        try:
            values[name] = reader(cell.clean)
        except _UnreadableError as reason:
            failure = CellFailure(layout.name, str(number), name, quote(cell.raw), str(reason), COMPARE)
            failures.setdefault(cell.column, failure)
    return list(row.values()), values, list(failures.values())


def _with_line(failure: CellFailure, rows: list[RawRow]) -> CellFailure:
    """Add to a failure the line of the text on which its row starts."""
    if not failure.row.isdigit():
        return failure
    return replace(failure, row=f"{failure.row} (line {rows[int(failure.row)].line})")


def _repair_log(table: str, cells: Iterable[Cell]) -> pd.DataFrame:
    log = [(table, c.row, c.column, c.raw, c.clean, "; ".join(c.reasons)) for c in cells if c.reasons]
    return pd.DataFrame(log, columns=REPAIR_COLUMNS)


def cell_states(supplement: Supplement, table: str) -> pd.DataFrame:
    """Say of every cell of a table what became of it.

    Parameters
    ----------
    supplement : Supplement
        Both tables and their repairs.
    table : {"Supplementary Table 1", "Supplementary Table 2"}
        Which table.

    Returns
    -------
    pandas.DataFrame, shape (28, 12) or (28, 13)
        By row and printed column: "as printed", "layout or spelling repaired", or the meaning that
        a symbol has in its place.

    Examples
    --------
    >>> states = cell_states(read_supplement("data/raw"), "Supplementary Table 2")
    >>> states.shape, states.loc[1, "Date of second infusion"]
    ((28, 13), 'not applicable')
    """
    layout = _TABLE_1 if table == _TABLE_1.name else _TABLE_2
    rows = range(1, len(supplement.patients) + 1)
    states = pd.DataFrame("as printed", index=rows, columns=list(layout.headers))
    repairs = supplement.repairs.query("table == @table and row > 0")
    for row, column, clean in repairs[["row", "column", "clean"]].itertuples(index=False):
        states.loc[row, column] = clean if clean in SYMBOL_MEANINGS else "layout or spelling repaired"
    return states


# ---------------------------------------------------------------- files


def read_bytes_checked(path: Path, sha256: str) -> bytes:
    """Return a file's bytes, having made sure that they are the ones its manifest names.

    Parameters
    ----------
    path : pathlib.Path
        The file, of 1 to 250,000 bytes.
    sha256 : str
        The hash that it must have, in hexadecimal digits.

    Returns
    -------
    bytes

    Raises
    ------
    SourceFileError
        If the file is missing, empty, too large, or has another hash.

    Examples
    --------
    >>> read_bytes_checked(Path("data/raw/supplementary_table_1.txt"), sha256="0")
    Traceback (most recent call last):
    ...
    survaudit.errors.SourceFileError: data/raw/supplementary_table_1.txt: sha256 is ..., MANIFEST.csv says 0; ...
    """
    if not path.is_file():
        raise SourceFileError(f"{path}: no such file; restore it from the repository")
    size = path.stat().st_size
    if not 0 < size <= MAX_BYTES:
        raise SourceFileError(f"{path}: {size} bytes, expected 1 to {MAX_BYTES}; restore it from the repository")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise SourceFileError(
            f"{path}: sha256 is {found}, MANIFEST.csv says {sha256}; restore the published bytes from the repository"
        )
    return content


def read_manifest(raw_dir: Path) -> dict[str, str]:
    """Return the sha256 of each raw file, by file name, from ``MANIFEST.csv``.

    Parameters
    ----------
    raw_dir : pathlib.Path
        The folder of the published files, with ``MANIFEST.csv``.

    Returns
    -------
    dict of str to str

    Raises
    ------
    SourceFileError
        If there is no readable manifest with the columns ``file`` and ``sha256``, or a file has no line in it.

    Examples
    --------
    >>> sorted(read_manifest(Path("data/raw")))
    ['supplementary_table_1.txt', 'supplementary_table_2.txt']
    """
    path = raw_dir / "MANIFEST.csv"
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            manifest = {row["file"]: row["sha256"] for row in csv.DictReader(stream)}
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise SourceFileError(f"{path}: not a readable manifest with columns file and sha256 ({error})") from error
    absent = [name for name in RAW_FILES if name not in manifest]
    if absent:
        raise SourceFileError(f"{path}: no line for {', '.join(absent)}; restore it from the repository")
    return manifest


def read_table(path: Path, sha256: str) -> TidyTable:
    """Read one table from a file whose hash is known, and parse it.

    Parameters
    ----------
    path : pathlib.Path
        A table as published.
    sha256 : str
        The hash that the file must have, in hexadecimal digits.

    Returns
    -------
    TidyTable

    Raises
    ------
    SourceFileError
        If the bytes are not the published ones, or not UTF-8.
    TableError
        If a cell fails validation.

    Examples
    --------
    >>> name = "supplementary_table_1.txt"
    >>> read_table(Path("data/raw") / name, read_manifest(Path("data/raw"))[name]).frame.shape
    (28, 13)
    """
    content = read_bytes_checked(path, sha256)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SourceFileError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    return parse(text)


def read_supplement(raw_dir: Path | str) -> Supplement:
    """Read both supplementary tables from the folder that holds them and their manifest.

    Parameters
    ----------
    raw_dir : path
        The project's ``data/raw``.

    Returns
    -------
    Supplement
        ``patients`` (Table 1), ``treatments`` (Table 2), each of shape (28, 13), and ``repairs``.

    Raises
    ------
    SourceFileError
        If a file is missing or not the published bytes.
    TableError
        If a cell fails validation.

    Examples
    --------
    >>> read_supplement("data/raw").patients["mrd_percent"].max()
    np.float64(96.9932)
    """
    folder = Path(raw_dir)
    manifest = read_manifest(folder)
    first, second = (read_table(folder / name, manifest[name]) for name in RAW_FILES)
    repairs = pd.concat([first.repairs, second.repairs], ignore_index=True)
    return Supplement(first.frame, second.frame, repairs)


TIDY_FILES = ("patients.csv", "treatments.csv", "repairs.csv")


def write_tidy(supplement: Supplement, tidy_dir: Path | str) -> list[Path]:
    """Write the frames as CSV so that they read back unchanged; return the paths written.

    Parameters
    ----------
    supplement : Supplement
        Both tables and their repairs.
    tidy_dir : path
        A folder, which is made if there is none; files of these names are replaced.

    Returns
    -------
    list of pathlib.Path

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     [path.name for path in write_tidy(read_supplement("data/raw"), folder)]
    ['patients.csv', 'treatments.csv', 'repairs.csv']
    """
    folder = Path(tidy_dir)
    folder.mkdir(parents=True, exist_ok=True)
    frames = (supplement.patients, supplement.treatments, supplement.repairs)
    paths = [folder / name for name in TIDY_FILES]
    for path, frame in zip(paths, frames, strict=True):
        frame.to_csv(path, index=False, lineterminator="\n", date_format="%Y-%m-%d")
    return paths


def read_tidy(tidy_dir: Path | str) -> Supplement:
    """Read the frames that ``write_tidy`` wrote, validated and typed as before.

    Parameters
    ----------
    tidy_dir : path
        The project's ``data/tidy``, or another folder with these files.

    Returns
    -------
    Supplement

    Raises
    ------
    SourceFileError
        If a file is missing or does not fit its schema.

    Examples
    --------
    >>> read_tidy("data/tidy").cohort.shape
    (28, 25)
    """
    folder = Path(tidy_dir)
    try:
        # Only an empty cell is missing; "NA" would be a word of the source.
        first, second, repairs = (
            pd.read_csv(folder / name, keep_default_na=False, na_values=[""], float_precision="round_trip")
            for name in TIDY_FILES
        )
        return Supplement(PATIENTS.validate(first), TREATMENTS.validate(second), repairs)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pa.errors.SchemaError) as error:
        raise SourceFileError(f"{folder}: {error}; write the files anew with 'make data'") from error
