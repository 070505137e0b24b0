"""What a paper says in words, put to work: the follow-ups of an ensemble that agree with all of it.

A main text may print medians, survival at a time, or P values. Whoever has it adds them to the register,
`data/claims.yml`, as claims whose options tell what they are of. Nothing is fitted: of many follow-ups
drawn from a prior, those are kept in which every statement comes out, and how many these are is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from survaudit.cohort.endpoints import LFS, OS
from survaudit.cohort.schema import GROUPS
from survaudit.cutpoint._kernels import FloatArray, compiled
from survaudit.errors import InputError
from survaudit.follow_up._many import BoolArray, DayArray, survival_many
from survaudit.follow_up.digitised import DAYS
from survaudit.follow_up.ensemble import Ensemble, compare_many
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


# ---------------------------------------------------------------- in every follow-up


def values_of(ensemble: Ensemble, statement: Statement) -> Floats:
    """Return the number that a statement is about, in every follow-up of an ensemble.

    Parameters
    ----------
    ensemble : Ensemble
        Of any number of follow-ups.
    statement : Statement
        About groups of the ensemble.

    Returns
    -------
    array of shape (draws,)
        In the unit of the statement. A median that is not reached is infinite; survival after the last
        observation is missing, unless the curve has come down to 0.

    Raises
    ------
    InputError
        If a group whose P value is asked for has no patient with the endpoint.

    Examples
    --------
    >>> from survaudit.ledger.claims import read_claims
    >>> from survaudit.cohort.tables import read_supplement
    >>> from survaudit.follow_up.ensemble import PRIORS, draw
    >>> ensemble = draw(read_supplement("data/raw").cohort, PRIORS["wide"], np.random.default_rng(1), draws=100)
    >>> found = statements(read_claims("data/examples/invented_statements.yml"))[2]
    >>> p = values_of(ensemble, found)
    >>> found.says, p.shape, bool(((p >= 0) & (p <= 1)).all())
    ('log-rank P', (100,), True)
    """
    name, groups = statement.endpoint, statement.groups
    if statement.says == LOG_RANK_P:
        return compare_many(ensemble, name, (groups[0], groups[1])).p
    own = ensemble.members(name, groups[0])
    days = np.ascontiguousarray(ensemble.days[name][:, own])
    event = np.ascontiguousarray(ensemble.event[name][:, own])
    if statement.says == MEDIAN:
        return medians_many(days, event) / DAYS["months"]
    day = statement.months * DAYS["months"]
    survival = survival_many(days, event, np.array([int(day)]))[:, 0]
    return np.where((days.max(axis=1) >= day) | (survival == 0), 100 * survival, np.nan)


@compiled
def medians_many(days: DayArray, event: BoolArray) -> FloatArray:
    """Return the median of the Kaplan-Meier curve of each follow-up, as ``kaplan_meier`` does.

    It is the first day on which the curve is below one half; in the middle of a stretch that equals one half,
    if the curve falls after it; infinite where it is not reached.

    Parameters
    ----------
    days : array of int32, shape (draws, n)
        Times in days.
    event : array of bool, shape (draws, n)
        Whether each is an event.

    Returns
    -------
    array of shape (draws,)
        In days.

    Examples
    --------
    >>> days, event = np.array([[2, 4, 4, 6], [5, 6, 7, 8]], np.int32), np.array([[1, 1, 0, 1], [1, 0, 0, 0]], bool)
    >>> medians_many(days, event).tolist()
    [5.0, inf]
    """
    count, n = days.shape
    out = np.full(count, np.inf)
    for b in range(count):
        order = np.argsort(days[b])
        survival, half, i = 1.0, -1, 0
        while i < n:
            day, at_risk, died = days[b, order[i]], n - i, 0
            while i < n and days[b, order[i]] == day:
                died += event[b, order[i]]
                i += 1
            if died == 0:
                continue
            if half >= 0:
                out[b] = (half + day) / 2
                break
            survival *= 1.0 - died / at_risk
            if survival < 0.5 + 1e-8:
                out[b] = day
                if survival < 0.5 - 1e-8:
                    break
                half = day
    return out


@dataclass(frozen=True, eq=False)
class Constrained:
    """The follow-ups of an ensemble that agree with statements.

    Attributes
    ----------
    ensemble : Ensemble
        Those kept. They are independent draws, so their number is the effective one.
    statements : tuple of Statement
    agreeing : tuple of int
        How many follow-ups agree with each statement alone.
    after : tuple of int
        How many agree with it and all before it.
    drawn : int
        How many there were.
    """

    ensemble: Ensemble
    statements: tuple[Statement, ...]
    agreeing: tuple[int, ...]
    after: tuple[int, ...]
    drawn: int
    method: str = "rejection: draws of the prior in which every statement comes out"
    kind: str = "COMPATIBLE"

    @property
    def kept(self) -> int:
        """Return how many follow-ups agree with all statements."""
        return len(self.ensemble)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a statement: id, words, the values that agree, and how many follow-ups do."""
        rows = [
            {
                "statement": one.id,
                "invented": one.invented,
                "words": one.words,
                "low": one.low,
                "high": one.high,
                "unit": UNITS[one.says],
                "agree": agree,
                "and all before": both,
            }
            for one, agree, both in zip(self.statements, self.agreeing, self.after, strict=True)
        ]
        return pd.DataFrame(rows)


def constrain(ensemble: Ensemble, chosen: Sequence[Statement]) -> Constrained:
    """Keep the follow-ups that agree with every statement (rejection sampling; von Neumann, 1951).

    Parameters
    ----------
    ensemble : Ensemble
    chosen : sequence of Statement
        At least one.

    Returns
    -------
    Constrained

    Raises
    ------
    InputError
        If there is no statement, or no follow-up agrees with all; then with how many agree with each.

    Examples
    --------
    >>> from survaudit.ledger.claims import read_claims
    >>> from survaudit.cohort.tables import read_supplement
    >>> from survaudit.follow_up.ensemble import PRIORS, draw
    >>> rng = np.random.default_rng(1)
    >>> ensemble = draw(read_supplement("data/raw").cohort, PRIORS["wide"], rng, draws=2000)
    >>> chosen = statements(read_claims("data/examples/invented_statements.yml"))
    >>> found = constrain(ensemble, chosen[:1])
    >>> found.drawn, found.agreeing[0] == found.kept == len(found.ensemble)
    (2000, True)
    """
    if not chosen:
        raise InputError("statements: found none, expected one or more; add claims with the option `says`")
    masks = np.array([one.agrees(values_of(ensemble, one)) for one in chosen])
    agreeing = tuple(int(count) for count in masks.sum(axis=1))
    together = np.logical_and.accumulate(masks)
    if not together[-1].any():
        told = ", ".join(f"{one.id} {count}" for one, count in zip(chosen, agreeing, strict=True))
        raise InputError(
            f"statements: found no follow-up of {len(ensemble)} that agrees with all (each alone: {told}), "
            "expected some; draw more, try another prior, or ask whether the statements fit the tables"
        )
    after = tuple(int(count) for count in together.sum(axis=1))
    return Constrained(ensemble.select(together[-1]), tuple(chosen), agreeing, after, len(ensemble))
