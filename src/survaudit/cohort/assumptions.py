"""Every choice that the published tables leave open, in one place, with its reason and alternatives.

An analysis takes an ``Assumptions`` and no other setting of this kind, so that what it rests on can
be listed, and each choice varied in turn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from survaudit.errors import InputError

ENDPOINTS_CHOICE = "endpoints"
CUT_POINT_CHOICE = "cut-point"

INFUSION, COLLECTION = "first infusion", "first collection"
RELAPSE, ANTIGEN_AFTER_HSCT, ANTIGEN_EVERYWHERE = (
    "relapse",
    "antigen status after HSCT only",
    "antigen status everywhere",
)
# The readings by the letters that the book gives them.
READINGS = {"a": RELAPSE, "b": ANTIGEN_AFTER_HSCT, "c": ANTIGEN_EVERYWHERE}
BY_SECOND_COLLECTION, BY_SECOND_INFUSION, BY_PUBLICATION = "second collection", "second infusion", "publication"
EXCLUDED, EVENT_AT_ZERO, EVENT_AT_ASSESSMENT = "excluded", "event at time zero", "event at assessment"
AS_OVERALL_SURVIVAL = "as overall survival"
UNASSESSED, NOT_NAMED = "the patient not assessed", "nobody in particular"
LOW, HIGH = "low", "high"
HYPERGEOMETRIC, PERMUTATION = "hypergeometric", "permutation"


def _choice(value: object, concerns: str, reason: str, *alternatives: object) -> Any:
    metadata = {"concerns": concerns, "reason": reason, "alternatives": alternatives}
    return field(default=value, metadata=metadata)


@dataclass(frozen=True)
class Assumptions:
    """The choices behind an analysis; the defaults are those of the book.

    Attributes
    ----------
    time_origin : {"first infusion", "first collection"}
        The day from which survival counts.
    response_day : int
        Day after the first infusion on which the response was assessed; 0 assumes none.
    cd19_reading : {"relapse", "antigen status after HSCT only", "antigen status everywhere"}
        What "CD19+" in a relapse column tells; ``READINGS`` has them by letter.
    relapse_before : {"second collection", "second infusion", "publication"}
        By when a patient who was infused twice had the first relapse.
    non_responder_lfs : {"excluded", "event at time zero", "event at assessment"}
        How patients who never reached remission enter leukaemia-free survival.
    unassessed_lfs : {"as overall survival", "excluded"}
        How the patient whose response was not assessed enters it.
    crs_death_of : {"the patient not assessed", "nobody in particular"}
        Whose the death of CRS is that the abstract reports.
    crs_death_within_days : int
        Days after the infusion within which the death of CRS came; 0 assumes none.
    xtile_inclusive_side : {"low", "high"}
        On which side of its cut-point X-tile puts a patient who has exactly that value.
    xtile_variance : {"hypergeometric", "permutation"}
        The variance of the log-rank statistic that X-tile printed.

    Raises
    ------
    InputError
        If a value is none of those named, or a number of days is not a whole number from 0 on.

    Examples
    --------
    >>> Assumptions(response_day=14).cd19_reading
    'relapse'
    """

    time_origin: str = _choice(
        INFUSION,
        ENDPOINTS_CHOICE,
        "the paper prints no time origin; every patient has a first infusion, and responses are to it",
        COLLECTION,
    )
    response_day: int = _choice(
        28,
        ENDPOINTS_CHOICE,
        "the table dates no response; day 28 is the usual day of assessment after CAR-T cells; 0 assumes none",
        0,
        14,
        30,
    )
    cd19_reading: str = _choice(
        RELAPSE,
        ENDPOINTS_CHOICE,
        "the column is headed 'Relapse after HSCT', and the same word in the other relapse columns is a relapse",
        ANTIGEN_AFTER_HSCT,
        ANTIGEN_EVERYWHERE,
    )
    relapse_before: str = _choice(
        BY_SECOND_COLLECTION,
        ENDPOINTS_CHOICE,
        "the relapse stands in a column before the second collection, and gives the reason for it",
        BY_SECOND_INFUSION,
        BY_PUBLICATION,
    )
    non_responder_lfs: str = _choice(
        EXCLUDED,
        ENDPOINTS_CHOICE,
        "leukaemia-free survival needs a remission to begin with",
        EVENT_AT_ZERO,
        EVENT_AT_ASSESSMENT,
    )
    unassessed_lfs: str = _choice(
        AS_OVERALL_SURVIVAL,
        ENDPOINTS_CHOICE,
        "without a response there is no remission to end, and death is an event of both endpoints",
        EXCLUDED,
    )
    crs_death_of: str = _choice(
        UNASSESSED,
        ENDPOINTS_CHOICE,
        "the abstract names nobody; of those marked for severe CRS, all others lived to have a response on record",
        NOT_NAMED,
    )
    crs_death_within_days: int = _choice(
        30,
        ENDPOINTS_CHOICE,
        "the death is not dated; CRS comes in the first weeks after the infusion; 0 sets no limit",
        0,
        14,
        60,
    )
    xtile_inclusive_side: str = _choice(
        LOW,
        CUT_POINT_CHOICE,
        "not printed; 'low is x <= c' is the rule of this book",
        HIGH,
    )
    xtile_variance: str = _choice(
        HYPERGEOMETRIC,
        CUT_POINT_CHOICE,
        "not printed; it is what programs call the log-rank chi-square",
        PERMUTATION,
    )

    def __post_init__(self) -> None:
        """Refuse values that no analysis knows, all at once."""
        problems = []
        for choice in dataclasses.fields(self):
            value = getattr(self, choice.name)
            known = (choice.default, *choice.metadata["alternatives"])
            if isinstance(choice.default, int):
                if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                    problems.append(f"{choice.name}: found {value!r}, expected whole days, 0 or more")
            elif value not in known:
                problems.append(f"{choice.name}: found {value!r}, expected one of {', '.join(map(repr, known))}")
        if problems:
            raise InputError("; ".join(problems) + "; the reasons are in Assumptions().to_frame()")

    def to_frame(self) -> pd.DataFrame:
        """Return one row a choice: ``assumption``, ``concerns``, ``value``, ``reason``, ``alternatives``."""
        rows = [
            {
                "assumption": choice.name,
                "concerns": choice.metadata["concerns"],
                "value": getattr(self, choice.name),
                "reason": choice.metadata["reason"],
                "alternatives": tuple(self._others(choice)),
            }
            for choice in dataclasses.fields(self)
        ]
        return pd.DataFrame(rows)

    def _others(self, choice: dataclasses.Field[Any]) -> Iterator[object]:
        for value in (choice.default, *choice.metadata["alternatives"]):
            if value != getattr(self, choice.name):
                yield value

    def one_at_a_time(self, concerns: str = ENDPOINTS_CHOICE) -> Iterator[tuple[str, object, Assumptions]]:
        """Yield each alternative alone, all other choices being as here.

        Parameters
        ----------
        concerns : {"endpoints", "cut-point"}
            Which choices to vary.

        Yields
        ------
        tuple of str, object and Assumptions
            The name of the choice, its other value, and the assumptions with it.

        Examples
        --------
        >>> for name, value, _ in Assumptions().one_at_a_time("cut-point"):
        ...     print(name, value)
        xtile_inclusive_side high
        xtile_variance permutation
        """
        for choice in dataclasses.fields(self):
            if choice.metadata["concerns"] == concerns:
                for value in self._others(choice):
                    changed: dict[str, Any] = {choice.name: value}
                    yield choice.name, value, dataclasses.replace(self, **changed)
