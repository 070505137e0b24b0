"""Every error that survaudit raises on bad input, each telling what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class SurvAuditError(ValueError):
    """Base of all errors that come from input, so that a caller can catch them together."""


class InputError(SurvAuditError):
    """An argument of an analysis is not what the analysis can work on."""


class SourceFileError(SurvAuditError):
    """A file is missing, unreadable, or not the bytes that its manifest promises."""


class ClaimError(SurvAuditError):
    """The register of published claims is malformed, or asks for something that does not exist."""


@dataclass(frozen=True)
class CellFailure:
    """One cell that cannot be what it says, and what its place should hold."""

    table: str
    row: str
    column: str
    value: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        """Return the failure as one line: place, value found, value expected, remedy."""
        place = f"{self.table}, row {self.row}, column {self.column}"
        return f"{place}: found {self.value}, expected {self.expected}; {self.remedy}"


class TableError(SurvAuditError):
    """A table failed validation; all of its failing cells are listed at once.

    Attributes
    ----------
    failures : tuple of CellFailure
        Every failing cell, in table order.
    """

    def __init__(self, failures: Sequence[CellFailure]) -> None:
        self.failures = tuple(failures)
        count = len(self.failures)
        heading = f"{count} cell{'s' if count != 1 else ''} failed validation; nothing was written"
        super().__init__("\n  ".join([heading, *map(str, self.failures)]))
