"""The six panels of Supplementary Figure 1: which endpoint, and which two groups."""

from __future__ import annotations

from dataclasses import dataclass

from survaudit.cohort.endpoints import LFS, OS

ENDPOINT_WORDS = {OS: "overall survival", LFS: "leukaemia-free survival"}


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes
    ----------
    letter : str
        As in the published figure.
    endpoint : {"OS", "LFS"}
    groups : (str, str)
        Hazard ratios and differences are of the second to the first, as published: transplantation,
        or the second infusion, against less.
    """

    letter: str
    endpoint: str
    groups: tuple[str, str]

    @property
    def claim(self) -> str:
        """Return the id of the panel's row in the ledger."""
        return f"figure-s1-{self.letter.lower()}"

    @property
    def title(self) -> str:
        """Return the panel in words."""
        return f"{self.letter}: {ENDPOINT_WORDS[self.endpoint]}, {self.groups[0]} against {self.groups[1]}"


PANELS = {
    panel.letter: panel
    for panel in (
        Panel("A", OS, ("CART1", "CART+HSCT")),
        Panel("B", OS, ("CART2", "CART+HSCT")),
        Panel("C", LFS, ("CART1", "CART+HSCT")),
        Panel("D", LFS, ("CART2", "CART+HSCT")),
        Panel("E", OS, ("CART1", "CART2")),
        Panel("F", LFS, ("CART1", "CART2")),
    )
}
