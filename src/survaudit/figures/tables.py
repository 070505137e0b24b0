"""The ledger as a reader sees it, beside the tables of `frames`."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import PurePosixPath

from survaudit.figures.frames import FrameTable
from survaudit.ledger.verdicts import Ledger, LedgerRow

__all__ = ["FrameTable", "LedgerTable", "badge", "show_number"]

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
    "os_low": "OS, cut low",
    "os_high": "OS, cut high",
    "lfs_low": "LFS, cut low",
    "lfs_high": "LFS, cut high",
}


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
        numbers = (
            f'<td data-label="Printed">{_numbers(claim.printed)}</td>',
            f'<td data-label="Recomputed">{_numbers(recomputed)}</td>',
        )
        cells = (
            f'<th scope="row"><span class="ledger-where"><code>{escape(claim.id)}</code> · {escape(claim.where)}</span>'
            f'<span class="ledger-claim">{escape(claim.statement)}</span>'
            f'<span class="ledger-reason">{escape(row.reason)}{link}</span></th>',
            *(numbers * self.numbers),
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
