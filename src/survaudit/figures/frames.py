"""Any frame as a table on a page, without the furniture of pandas; it knows nothing of the paper."""

from __future__ import annotations

import base64
import re
from html import escape

import numpy as np
import pandas as pd

UNBROKEN = re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b\d[\d.]*e-\d+\b")  # dates, and very small numbers


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
        return _scrolling(table, self.label) + _download(self.full, self.label)

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
        days: pd.Series = column.dt.strftime("%Y-%m-%d").fillna("")
        return days
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


def _scrolling(table: str, label: str) -> str:
    # A region that scrolls must be reachable by keyboard, and have a name.
    return f'<div class="table-frame" role="region" tabindex="0" aria-label="{escape(label)}">{table}</div>'
