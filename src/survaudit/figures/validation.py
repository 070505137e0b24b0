"""The comparison with R as a reader sees it: a summary, and behind each section its calls."""

from __future__ import annotations

from html import escape
from math import isnan

import pandas as pd

from survaudit.figures.tables import FrameTable
from survaudit.validation import Validation


def show_value(value: float) -> str:
    """Return a value with ten digits, or R's words for one that is none.

    Examples
    --------
    >>> show_value(0.1 + 0.2), show_value(213.0), show_value(float("nan"))
    ('0.3', '213', 'NA')
    """
    return "NA" if isnan(value) else f"{value:.10g}"


def show_difference(value: float) -> str:
    """Return a difference with the two digits that matter.

    Examples
    --------
    >>> show_difference(0.0), show_difference(3.3306e-16)
    ('0', '3.3e-16')
    """
    return f"{value:.2g}"


class FoldedTable:
    """A table behind a line that opens it, so that a page of hundreds of rows stays a page.

    Parameters
    ----------
    frame : pandas.DataFrame
        As in ``FrameTable``.
    label : str
        The line that opens the table.
    """

    def __init__(self, frame: pd.DataFrame, label: str) -> None:
        self.table = FrameTable(frame, label)

    def _repr_html_(self) -> str:
        summary = f"<summary>{escape(self.table.label)}</summary>"
        return f'<details class="folded-table">{summary}{self.table._repr_html_()}</details>'

    def __repr__(self) -> str:
        """Return the table as plain text, for readers without HTML."""
        return f"{self.table.label}\n{self.table!r}"


def summary_table(found: Validation) -> FrameTable:
    """Return one row a section and rule of agreement."""
    frame = found.summary()
    shown = pd.DataFrame(
        {
            "Section": frame["section"],
            "Agreed beforehand": frame["rule"],
            "Calls": frame["calls"],
            "Numbers": frame["numbers"],
            "Largest difference": frame["difference"].map(show_difference),
            "Largest relative": frame["relative"].map(show_difference),
            "Do not agree": frame["disagree"],
        }
    )
    return FrameTable(shown, "Agreement with R by section")


def explained_table(found: Validation) -> FrameTable:
    """Return one row a rule that lets the two differ, with the reason."""
    frame = found.to_frame().query("why != '' and rule != ''")
    groups = frame.groupby(["rule", "why", "verdict"], sort=False).agg(numbers=("numbers", "sum"))
    names = {"rule": "Agreed beforehand", "why": "Why not equal", "verdict": "Verdict", "numbers": "Numbers"}
    return FrameTable(groups.reset_index().rename(columns=names), "Rules that let the two differ")


def reasons_table(found: Validation) -> FrameTable:
    """Return one row a reason for having no counterpart."""
    names = {"section": "Section", "why": "Why there is no counterpart", "numbers": "Numbers"}
    return FrameTable(found.without_counterpart().rename(columns=names), "Values of R without a counterpart")


def section_tables(found: Validation) -> list[FoldedTable]:
    """Return a folded table for each section, one row a call of R."""
    tables = []
    for section in found.to_frame()["section"].unique():
        frame = found.by_call(section)
        shown = pd.DataFrame(
            {
                "Call of R": frame["call"],
                "Numbers": frame["numbers"],
                "Furthest apart": frame["quantity"],
                "R": frame["r"].map(show_value),
                "Ours": frame["ours"].map(show_value),
                "Difference": frame["difference"].map(show_difference),
                "Verdict": frame["verdict"],
            }
        ).reset_index(drop=True)
        tables.append(FoldedTable(shown, f"{section}: {len(shown)} call{'s' * (len(shown) > 1)}"))
    return tables
