"""A table as people keep it, CSV or Excel, as rows of cells; what would be lost on the way is refused."""

from __future__ import annotations

import csv
import io
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import openpyxl

from survaudit.errors import SourceFileError

# The table of 28 patients has about 10,000 bytes; five hundred times that is something else.
MAX_BYTES = 5_000_000
DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Sheet:
    """A header, and the rows below it.

    Attributes
    ----------
    header : tuple of str
        Without blanks around the names, in lower case.
    rows : tuple of (int, tuple)
        Each row with its number in the file, the header's being 1; empty cells are None. In CSV a cell
        is a text, in Excel also a number, a truth value or a date. Empty rows are left out.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[object, ...]], ...]


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file that a user named.

    Raises
    ------
    SourceFileError
        If there is none, or it is empty, too large, or neither CSV nor Excel by its name.
    """
    if path.suffix.lower() not in {".csv", ".xlsx"}:
        raise SourceFileError(
            f"{path}: found the ending {path.suffix!r}, expected .csv or .xlsx; save it as one of them"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceFileError(f"{path}: {error.strerror}; name a file that can be read") from error
    if not 0 < len(content) <= MAX_BYTES:
        raise SourceFileError(f"{path}: found {len(content)} bytes, expected 1 to {MAX_BYTES}; save the table anew")
    return content


def read_sheet(content: bytes, path: Path) -> Sheet:
    r"""Read the bytes of a CSV or Excel file; ``path`` tells which, and is named in errors.

    Raises
    ------
    SourceFileError
        If it cannot be read, or not as one table: several sheets, an unnamed column, a row of another
        length, a formula without its value. All failing rows or cells are listed.

    Examples
    --------
    >>> read_sheet("patient;os_days\n1;12\n".encode("utf-8-sig"), Path("a.csv"))
    Sheet(header=('patient', 'os_days'), rows=((2, ('1', '12')),))
    """
    numbered = _excel_rows(content, path) if path.suffix.lower() == ".xlsx" else _csv_rows(content, path)
    filled = [(number, cells) for number, cells in numbered if any(cell is not None for cell in cells)]
    if not filled:
        raise SourceFileError(f"{path}: found no cell with anything in it, expected a table; save it anew")
    header = filled[0][1]
    while header[-1] is None:  # columns that a program added on the right
        header = header[:-1]
    width, rows = len(header), []
    problems = [f"column {place} has no name" for place, name in enumerate(header, start=1) if name is None]
    for number, cells in filled[1:]:
        if len(cells) < width or any(cell is not None for cell in cells[width:]):
            problems.append(f"row {number} has {len(cells)} cells, where the header has {width}")
        rows.append((number, cells[:width]))
    if problems:
        raise SourceFileError(f"{path}: {'; '.join(problems)}; a cell with the separator in it needs quotes")
    return Sheet(tuple(str(name).strip().lower() for name in header), tuple(rows))


def _text(cell: str) -> str | None:
    return cell.strip() or None


def _csv_rows(content: bytes, path: Path) -> list[tuple[int, tuple[object, ...]]]:
    # Excel's "Unicode text" is UTF-16 with tabs; its "CSV UTF-8" begins with a mark.
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise SourceFileError(
            f"{path}: found a byte at place {error.start} that is not UTF-8; save it as 'CSV UTF-8'"
        ) from error
    first = text.lstrip().split("\n", 1)[0]
    # The separator of whoever's comma is a decimal one is the semicolon; the header tells which it is.
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return [(reader.line_num, tuple(map(_text, cells))) for cells in reader]
    except csv.Error as error:
        raise SourceFileError(f"{path}: {error} in line {reader.line_num}; save it anew as CSV") from error


def _excel_rows(content: bytes, path: Path) -> list[tuple[int, tuple[object, ...]]]:
    try:
        # Once for the values, and once for the formulas that they may come from.
        values, formulas = _sheets(content, data_only=True), _sheets(content, data_only=False)
    except (zipfile.BadZipFile, OSError, ValueError, KeyError, SyntaxError) as error:
        raise SourceFileError(f"{path}: not a readable Excel file ({error}); save it anew as .xlsx") from error
    filled = [title for title, rows in formulas.items() if any(cell is not None for row in rows for cell in row)]
    if len(filled) > 1:
        raise SourceFileError(f"{path}: found tables in {len(filled)} sheets ({', '.join(filled)}), expected one sheet")
    title = filled[0] if filled else next(iter(values), "")
    rows, without = [], []
    for number, (shown, meant) in enumerate(zip(values.get(title, []), formulas.get(title, []), strict=True), start=1):
        cells = tuple(_text(cell) if isinstance(cell, str) else cell for cell in shown)
        pairs = zip(cells, meant, strict=True)
        without += [f"row {number}: {formula}" for cell, formula in pairs if cell is None and _is_filled(formula)]
        rows.append((number, cells))
    if without:
        raise SourceFileError(f"{path}: found formulas without a value ({'; '.join(without)}); paste them as values")
    return rows


def _sheets(content: bytes, *, data_only: bool) -> dict[str, list[tuple[object, ...]]]:
    with warnings.catch_warnings():
        # Of lists to choose from, colours and the like, which this reader does not need.
        warnings.simplefilter("ignore", UserWarning)
        book = openpyxl.load_workbook(io.BytesIO(content), data_only=data_only)
    return {sheet.title: [tuple(row) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets}


def _is_filled(cell: object) -> bool:
    return cell is not None and not (isinstance(cell, str) and not cell.strip())
