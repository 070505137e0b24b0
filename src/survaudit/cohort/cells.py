"""From the published text of a table to clean cells, with a reason for every change.

``split_cells`` finds the cells; the repairs undo what layout and spelling did to them; the
interpretations give ``/``, ``-`` and ``NA`` the meaning that they have in their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from survaudit.cohort.schema import (
    NO_RELAPSE_RECORDED,
    NONE_REFRACTORY,
    NOT_APPLICABLE,
    NOT_ASSESSED,
    NOT_REPORTED,
    REMISSIONS,
)

FULL_WIDTH_SPACE = "\u3000"


@dataclass(frozen=True)
class RawRow:
    """The cells of one row as published, and the line of the text on which the row starts."""

    line: int
    cells: tuple[str, ...]


@dataclass
class Cell:
    """A cell on its way from raw to clean text, gathering the reason of each change.

    Attributes
    ----------
    row : int
        Number of the row in its table; 0 is the header.
    column : str
        The printed header, or the position where the cell is a header itself.
    raw, clean : str
        The text as published, and as it will be read.
    reasons : list of str
        Why ``clean`` differs from ``raw``; empty if it does not.
    """

    row: int
    column: str
    raw: str
    clean: str = field(init=False)
    reasons: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start from the raw text and undo what the layout of the document did to it."""
        self.clean = self.raw
        self.become(self.clean.replace("\n", ""), "cell broken over two lines: joined")
        self.become(self.clean.strip(FULL_WIDTH_SPACE), "full-width space (U+3000) removed")
        self.become(self.clean.strip(" "), "blanks around the value removed")

    def become(self, clean: str, reason: str) -> None:
        """Replace the clean text, and note the reason if that changes it."""
        if clean != self.clean:
            self.clean = clean
            self.reasons.append(reason)


def split_cells(text: str) -> list[RawRow]:
    r"""Split the text of a table into rows of raw cells.

    A cell starts with a tab; a line without one continues the cell above it; an empty line ends
    a row.

    Parameters
    ----------
    text : str
        As published.

    Returns
    -------
    list of RawRow
        The header first; ``line`` counts from 1.

    Examples
    --------
    >>> split_cells("\tNo.\n\tGroup\n\n\t20\n\tCART+\nHSCT\n")[1]
    RawRow(line=4, cells=('20', 'CART+\nHSCT'))
    """
    rows: list[RawRow] = []
    cells: list[str] = []
    start = 1
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if not line:
            if cells:
                rows.append(RawRow(start, tuple(cells)))
            cells, start = [], number + 1
        elif line.startswith("\t") or not cells:
            cells.append(line.removeprefix("\t"))
        else:
            cells[-1] += "\n" + line
    return rows


_HEADER_REPAIRS = {
    "Response afer HSCT": ("Response after HSCT", "misspelling: 'afer' read as 'after'"),
    "Total CAR-T cells infused (×106/kg)": (
        "Total CAR-T cells infused (×10^6/kg)",
        "the exponent lost its superscript: '106' read as '10^6'",
    ),
    "BM blasts": ("BM blasts (%)", "no unit is printed: read as per cent"),
}


def clean_header(cells: tuple[str, ...]) -> list[Cell]:
    """Return the header's cells with misspelling, lost superscript and missing unit repaired.

    Parameters
    ----------
    cells : tuple of str
        The raw cells of the header.

    Returns
    -------
    list of Cell
        In their order; each with the reasons of its changes.

    Examples
    --------
    >>> [cell.clean for cell in clean_header(("No.", "BM blasts"))]
    ['No.', 'BM blasts (%)']
    """
    header = [Cell(0, f"position {place}", raw) for place, raw in enumerate(cells, start=1)]
    for cell in header:
        cell.become(*_HEADER_REPAIRS.get(cell.clean, (cell.clean, "")))
    return header


def clean_row(row: int, headers: tuple[str, ...], cells: tuple[str, ...]) -> dict[str, Cell]:
    """Return a row's cells by printed header, repaired and with its symbols interpreted.

    Parameters
    ----------
    row : int
        Number of the row, from 1.
    headers, cells : tuple of str, same length
        The repaired headers of the table, and the raw cells of the row.

    Returns
    -------
    dict of str to Cell

    Examples
    --------
    >>> clean_row(20, ("Diagnosis",), ("B-ALL (refactory)",))["Diagnosis"].reasons
    ["misspelling: 'refactory' read as 'refractory'"]
    """
    by_header = {header: Cell(row, header, raw) for header, raw in zip(headers, cells, strict=True)}
    for header, cell in by_header.items():
        if header == "Diagnosis":
            cell.become(cell.clean.replace("refactory", "refractory"), "misspelling: 'refactory' read as 'refractory'")
        elif cell.clean == "-":
            _interpret_dash(cell, by_header)
        elif cell.clean == "NA" and header == "Response after first infusion":
            cell.become(NOT_ASSESSED, "NA: the response was not assessed")
        elif cell.clean == "/":
            _interpret_slash(cell, by_header)
    return by_header


def _interpret_dash(cell: Cell, row: Mapping[str, Cell]) -> None:
    """Give a dash its meaning: no relapse can be counted where the disease never remitted."""
    if cell.column == "Number of relapses" and "refractory" in row["Diagnosis"].clean:
        cell.become(NONE_REFRACTORY, "-: no relapse because the disease was refractory")


def _interpret_slash(cell: Cell, row: Mapping[str, Cell]) -> None:
    """Give a slash the meaning that it has in this column, group and response.

    The same sign says that a treatment was not given, that an
    outcome was not reported, and that a patient in remission had no relapse recorded.
    """
    header = cell.column
    group = row["Group"].clean if "Group" in row else ""
    if header == "Relapse after first infusion":
        if row["Response after first infusion"].clean in REMISSIONS:
            cell.become(NO_RELAPSE_RECORDED, "/: in remission, with no relapse recorded")
        else:
            cell.become(NOT_APPLICABLE, "/: no remission recorded, so none to relapse from")
    elif header in {"Response after reinfusion", "Relapse after reinfusion"} and group == "CART2":
        cell.become(NOT_REPORTED, "/: infused a second time, but the outcome is not reported")
    elif header.startswith("Date of second") or header.endswith("after reinfusion"):
        cell.become(NOT_APPLICABLE, "/: no second infusion")
    elif header in {"Date of BMT", "Response after HSCT", "Relapse after HSCT"}:
        cell.become(NOT_APPLICABLE, "/: no transplantation")
