"""Any frame as a table on a page, without the furniture of pandas; it knows nothing of the paper."""

from __future__ import annotations

from html import escape

import pandas as pd


class FrameTable:
    """A data frame as a plain HTML table that scrolls by itself where a page is narrow.

    Parameters
    ----------
    frame : pandas.DataFrame
        Shown with its columns as the header; a named index becomes the first column.
    label : str
        What the table holds, for readers who hear it.
    """

    def __init__(self, frame: pd.DataFrame, label: str) -> None:
        flat = frame.set_axis(list(frame.columns), axis="columns")  # a named column axis would head an empty cell
        self.frame = flat.reset_index() if any(flat.index.names) else flat
        self.label = label

    def _repr_html_(self) -> str:
        table = self.frame.to_html(index=False, border=0, classes="frame-table", na_rep="", justify="unset")
        return _scrolling(table, self.label)

    def __repr__(self) -> str:
        """Return the table as plain text, for readers without HTML."""
        return self.frame.to_string(index=False)


def _scrolling(table: str, label: str) -> str:
    # A region that scrolls must be reachable by keyboard, and have a name.
    return f'<div class="table-frame" role="region" tabindex="0" aria-label="{escape(label)}">{table}</div>'
