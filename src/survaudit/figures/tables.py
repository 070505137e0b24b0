"""Tables as a reader sees them, without the furniture of pandas: any frame, and the ledger."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from html import escape
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:  # a table of another cohort loads nothing of this paper's
    from survaudit.ledger.verdicts import Ledger, LedgerRow

UNBROKEN = re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b\d[\d.]*e-\d+\b")  # dates, and very small numbers

# Names of numbers as a reader would say them; others are read with their underscores as blanks.
LABELS = {
    "hsct": "CART+HSCT",
    "cart1": "CART1",
    "cart2": "CART2",
    "percent": "%",
    "above": "or above",
    "below": "or below",
    "grade_3_4": "grade 3 or 4",
    "chi_square": "chi-square",
    **{f"{of.lower()}_{side}": f"{of}, cut {side}" for of in ("OS", "LFS") for side in ("low", "high")},
}


class FrameTable:
    """A data frame as a plain HTML table that scrolls by itself where a page is narrow, with its CSV.

    Parameters
    ----------
    frame : pandas.DataFrame
        Shown with its columns as the header; a named index becomes the first column.
    label : str
        What the table holds, for readers who hear it; the CSV is named after it.
    full : pandas.DataFrame, optional
        What the CSV holds where the table shows only a part.
    """

    def __init__(self, frame: pd.DataFrame, label: str, *, full: pd.DataFrame | None = None) -> None:
        self.frame = _flat(frame)
        self.full = self.frame if full is None else _flat(full)
        self.label = label

    def _repr_html_(self) -> str:
        shown = self.frame.apply(_as_shown)
        table = shown.to_html(index=False, border=0, classes="frame-table", justify="unset")
        table = UNBROKEN.sub(r'<span class="unbroken">\g<0></span>', table)  # which a narrow column may not break
        # A region that scrolls must be reachable by keyboard, and have a name.
        frame = f'<div class="table-frame" role="region" tabindex="0" aria-label="{escape(self.label)}">{table}</div>'
        return frame + _download(self.full, self.label)

    def __repr__(self) -> str:
        """Return the table as plain text, for readers without HTML."""
        return self.frame.to_string(index=False)


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    flat = frame.set_axis(list(frame.columns), axis="columns")  # a named column axis would head an empty cell
    return flat.reset_index() if any(flat.index.names) else flat


def _as_shown(column: pd.Series) -> pd.Series:
    """Return the cells of a column as a reader should see them; the CSV keeps every digit.

    What is missing is left empty, and whole numbers have no decimals, whatever type a gap gave them. Up to
    four decimals are the same in all cells; more of them are the source's, or of very different size.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.Series(column.dt.strftime("%Y-%m-%d").fillna(""))
    if not pd.api.types.is_float_dtype(column):
        return column.map(lambda cell: "" if pd.api.types.is_scalar(cell) and pd.isna(cell) else str(cell))
    finite = column[np.isfinite(column)].astype(float)
    decimals = max((len(f"{value:.10f}".rstrip("0").partition(".")[2]) for value in finite), default=0)
    form = f".{decimals}f" if decimals <= 4 else ".6g"
    words = {np.inf: "no end", -np.inf: "no limit"}
    return column.map(lambda cell: "" if pd.isna(cell) else words.get(cell) or f"{cell:{form}}")


def _download(frame: pd.DataFrame, label: str) -> str:
    # The file travels inside the link, so that it is there in a notebook too; the book lays it beside the page.
    name = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
    content = base64.b64encode(frame.to_csv(index=False, lineterminator="\n").encode()).decode()
    link = f'<a download="{name}.csv" href="data:text/csv;base64,{content}">{escape(label)} (CSV)</a>'
    return f'<p class="table-download">{link}</p>'


class LedgerTable:
    """A ledger as an HTML table, one row a claim; on a narrow page each row becomes a card.

    Parameters
    ----------
    ledger : Ledger
    link_pages : bool
        Link each row to the cell that settles it: the page's target ``settles-<id>``.
    anchors : bool
        Make each row a place to link to, ``claim-<id>``.
    """

    def __init__(self, ledger: Ledger, *, link_pages: bool = False, anchors: bool = False) -> None:
        self.ledger = ledger
        self.link_pages = link_pages
        self.anchors = anchors
        # Columns of numbers are left out where no claim has any.
        self.numbers = any(row.claim.printed or row.finding.values for row in ledger.rows)

    def _repr_html_(self) -> str:
        headings = ["What is claimed, and what was found", *(("Printed", "Recomputed") * self.numbers), "Verdict"]
        head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
        body = "".join(self._row(row) for row in self.ledger.rows)
        return f'<table class="ledger"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'

    def __repr__(self) -> str:
        """Return the ledger as plain text, for readers without HTML."""
        return "\n".join(f"{row.claim.id}: {row.verdict}. {row.reason}" for row in self.ledger.rows)

    def _row(self, row: LedgerRow) -> str:
        claim = row.claim
        page = PurePosixPath(claim.notebook).stem
        link = f' <a href="{page}.html#settles-{escape(claim.id)}">Notebook {page[:2]}</a>' if self.link_pages else ""
        recomputed = {name: show_number(value) for name, value in row.finding.values.items()}
        numbers = {"Printed": _numbers(claim.printed), "Recomputed": _numbers(recomputed)} if self.numbers else {}
        cells = (
            f'<th scope="row"><span class="ledger-where"><code>{escape(claim.id)}</code> · {escape(claim.where)}</span>'
            f'<span class="ledger-claim">{escape(claim.statement)}</span>'
            f'<span class="ledger-reason">{escape(row.reason)}{link}</span></th>',
            *(f'<td data-label="{head}">{cell}</td>' for head, cell in numbers.items()),
            f'<td data-label="Verdict">{badge(str(row.verdict))}</td>',
        )
        anchor = f' id="claim-{escape(claim.id)}"' if self.anchors else ""
        return f"<tr{anchor}>{''.join(cells)}</tr>"


def _numbers(numbers: Mapping[str, str]) -> str:
    """Return the numbers of a claim as a list, each with its name if there are several."""
    if not numbers:
        return '<span class="ledger-none">no number</span>'
    # The column says what a single number is, unless it has a unit or a side.
    named = numbers if len(numbers) > 1 else [name for name in numbers if name in ("percent", "above", "below")]
    names = {name: LABELS.get(name, name.replace("_", " ")) for name in named}
    items = [f"<li><b>{escape(text)}</b> {escape(names.get(name, ''))}</li>" for name, text in numbers.items()]
    return f"<ul>{''.join(items)}</ul>"


def show_number(value: float) -> str:
    """Return a recomputed number with more digits than any printed one, and no noise.

    Examples
    --------
    >>> show_number(20), show_number(74.074074), show_number(0.0180633)
    ('20', '74.07', '0.01806')
    """
    if float(value).is_integer():
        return str(int(value))
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.4g}"


def badge(verdict: str) -> str:
    """Return a verdict as a coloured label; its word and mark say the same as its colour."""
    return f'<span class="verdict verdict-{verdict.replace(" ", "-")}">{escape(verdict)}</span>'
