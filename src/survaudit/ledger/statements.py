"""Medians, survivals and P values that a main text prints, as claims that a supplied follow-up settles.

An auditor who has the main text adds them to the register, `data/claims.yml`, as claims whose options tell
what they are of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

import numpy as np
from numpy.typing import NDArray

from survaudit.cohort.endpoints import LFS, OS
from survaudit.cohort.schema import GROUPS
from survaudit.errors import InputError
from survaudit.ledger.claims import Claim, half_unit
from survaudit.survival.curves import Floats

MEDIAN, SURVIVAL, LOG_RANK_P = "median", "survival", "log-rank P"
# How many groups each is of, and in which unit it is printed.
_GROUPS_OF = {MEDIAN: 1, SURVIVAL: 1, LOG_RANK_P: 2}
UNITS = {MEDIAN: "months", SURVIVAL: "per cent", LOG_RANK_P: ""}
# Products of shares miss a printed half by a few units in the last place.
_SLACK = 1e-9


@dataclass(frozen=True)
class Statement:
    """A printed number about follow-up, and all values that agree with it.

    Attributes
    ----------
    id, words : str
        Of the claim.
    says : {"median", "survival", "log-rank P"}
        In months, in per cent at a time, and as it is.
    endpoint : {"OS", "LFS"}
    groups : tuple of str
        One, or the two that the test compares.
    low, high : float
        Both agree: half a unit of the last digit around a printed number, or the bounds that are printed.
    months : float
        The time of a survival; missing for the others.
    invented : bool
        Whether it stands in no paper.
    """

    id: str
    words: str
    says: str
    endpoint: str
    groups: tuple[str, ...]
    low: float
    high: float
    months: float
    invented: bool

    def agrees(self, value: Floats | float) -> NDArray[np.bool_]:
        """Return whether values agree; a missing one never does, and a median that is not reached is infinite."""
        return np.asarray((value >= self.low - _SLACK) & (value <= self.high + _SLACK))


def statements(claims: Mapping[str, Claim]) -> tuple[Statement, ...]:
    """Return those claims of a register that are statements about follow-up.

    The options of such a claim hold ``says`` (median, survival or log-rank P), ``endpoint``, ``groups``, for
    a survival ``months``, and perhaps ``invented``; its printed numbers are ``value``, or ``above``, ``below`` or both.

    Parameters
    ----------
    claims : mapping of str to Claim
        What ``read_claims`` returns.

    Returns
    -------
    tuple of Statement

    Raises
    ------
    InputError
        Naming everything that is wrong with any of them.

    Examples
    --------
    >>> from survaudit.ledger.claims import read_claims
    >>> statements(read_claims("data/claims.yml"))
    ()
    >>> first = statements(read_claims("data/examples/invented_statements.yml"))[0]
    >>> first.says, first.groups, first.low, first.high, first.invented
    ('median', ('CART+HSCT',), 12.0, 24.0, True)
    """
    chosen = [claim for claim in claims.values() if "says" in claim.options]
    if problems := [problem for claim in chosen for problem in _problems(claim)]:
        raise InputError("; ".join(problems))
    return tuple(read_statement(claim) for claim in chosen)


def read_statement(claim: Claim) -> Statement:
    """Return one claim as a statement about follow-up.

    Parameters
    ----------
    claim : Claim
        With the options that ``statements`` names.

    Returns
    -------
    Statement

    Raises
    ------
    InputError
        As ``statements``.

    Examples
    --------
    >>> from survaudit.ledger.claims import read_claims
    >>> claims = read_claims("data/examples/invented_statements.yml")
    >>> second = read_statement(list(claims.values())[1])
    >>> second.says, second.months
    ('survival', 24.0)
    """
    if problems := _problems(claim):
        raise InputError("; ".join(problems))
    options, printed = claim.options, claim.printed
    if "value" in printed:
        value, half = Decimal(printed["value"]), half_unit(printed["value"])
        low, high = float(value - half), float(value + half)
    else:
        low, high = float(printed.get("above", "-inf")), float(printed.get("below", "inf"))
    return Statement(
        id=claim.id,
        words=claim.statement,
        says=str(options["says"]),
        endpoint=str(options["endpoint"]),
        groups=tuple(cast(list[str], options["groups"])),
        low=low,
        high=high,
        months=float(cast(float, options.get("months", "nan"))),
        invented=bool(options.get("invented", False)),
    )


def _problems(claim: Claim) -> list[str]:
    """Return what keeps a claim from being a statement."""
    options, found = claim.options, []
    says, groups, months = options.get("says"), options.get("groups"), options.get("months")
    if says not in _GROUPS_OF:
        found.append(f"says: found {says!r}, expected {' or '.join(_GROUPS_OF)}; name one of them")
    elif isinstance(months, int | float) != (says == SURVIVAL):
        found.append(f"months: found {months!r} with {says}, expected a number with {SURVIVAL} alone; correct it")
    if options.get("endpoint") not in {OS, LFS}:
        found.append(f"endpoint: found {options.get('endpoint')!r}, expected {OS} or {LFS}; name one of them")
    known = isinstance(groups, list) and len(set(groups)) == len(groups) and set(groups) <= set(GROUPS)
    if not known or len(groups) != _GROUPS_OF.get(str(says), len(groups)):  # type: ignore[arg-type]
        wanted = f"{_GROUPS_OF.get(str(says), 'some')} of {', '.join(GROUPS)}"
        found.append(f"groups: found {groups!r}, expected {wanted}, in a list; correct them")
    names = set(claim.printed)
    if not names or (names != {"value"} and not names <= {"above", "below"}):
        found.append(f"printed: found {sorted(names)}, expected value, or above and below; name the number so")
    elif len(names) == 2 and not float(claim.printed["above"]) <= float(claim.printed["below"]):
        found.append(f"printed: found above {claim.printed['above']} and below {claim.printed['below']}; exchange them")
    return [f"claim {claim.id}: {problem}" for problem in found]
