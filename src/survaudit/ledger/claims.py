"""The register of published claims: what is printed where, and how exactly.

``data/claims.yml`` holds the register; the precision of a claim follows from its printed digits.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from survaudit.errors import ClaimError


class Verdict(enum.StrEnum):
    """What the recomputation says about a claim."""

    REPRODUCED = "reproduced"
    ROUNDING = "rounding"
    CONTRADICTED = "contradicted"
    UNSUPPORTED = "unsupported"
    AMBIGUOUS = "ambiguous"
    NOT_DERIVABLE = "not derivable"
    OPEN = "open"
    COMPUTED = "computed"


VERDICT_MEANINGS = {
    Verdict.REPRODUCED: "recomputed, and equal to the last printed digit",
    Verdict.ROUNDING: "less than one unit of the last printed digit away",
    Verdict.CONTRADICTED: "recomputed, and different by more than rounding can explain",
    Verdict.UNSUPPORTED: "the numbers may stand, but the inference does not follow from them",
    Verdict.AMBIGUOUS: "the tables can be read in more than one way, and it hangs on the reading",
    Verdict.NOT_DERIVABLE: "nothing in the two supplementary tables determines it",
    Verdict.OPEN: "a later chapter is to settle it",
    Verdict.COMPUTED: "computed from a follow-up that a user supplied; no printed number to set it beside",
}


@dataclass(frozen=True)
class Claim:
    """A published statement, as ``data/claims.yml`` registers it.

    Attributes
    ----------
    id, where, claim : str
        Name; where it is printed; what is claimed, in our words.
    source : {"paper", "reading"}
        Whether the paper says so, or a user of its tables has to assume so (then the wording is ours alone).
    printed : mapping of str to str
        The printed numbers, digit for digit, by name.
    compute : str
        The function of ``recompute`` that recomputes it.
    notebook : str
        The page that settles it.
    expected : Verdict
        The verdict that the tests insist on.
    reason : str
        A template that the recomputed values and facts fill in.
    options : mapping
        What ``compute`` needs beside the tables, such as the arms of a panel.
    expected_with_follow_up, reason_with_follow_up : Verdict and str, optional
        For a claim that only follow-up can settle: the verdict if paper and a supplied follow-up agree,
        and the reason to fill in then.
    """

    id: str
    where: str
    claim: str
    printed: Mapping[str, str]
    compute: str
    notebook: str
    expected: Verdict
    reason: str
    source: str = "paper"
    options: Mapping[str, object] = field(default_factory=dict)
    expected_with_follow_up: Verdict | None = None
    reason_with_follow_up: str = ""

    @property
    def statement(self) -> str:
        """The claim in words, with the numbers as printed."""
        return self.claim.format(**self.printed)


# ---------------------------------------------------------------- printed numbers


def half_unit(printed: str) -> Decimal:
    """Return half a unit of the last printed digit: what rounding can hide.

    Parameters
    ----------
    printed : str
        Digits as they are printed.

    Returns
    -------
    decimal.Decimal
        In the unit of the printed number.

    Raises
    ------
    ClaimError
        If the text is no finite number.

    Examples
    --------
    >>> half_unit("74.7"), half_unit("28")
    (Decimal('0.05'), Decimal('0.5'))
    """
    exponent = _decimal(printed).as_tuple().exponent
    return Decimal(5).scaleb(int(exponent) - 1)


def _decimal(printed: str) -> Decimal:
    try:
        number = Decimal(printed)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ClaimError(f"printed value {printed!r}: expected digits, quoted in claims.yml as they are printed")
    return number


def compare(printed: str, recomputed: float) -> Verdict:
    """Compare a recomputed value with a printed one at the precision in which it is printed.

    Parameters
    ----------
    printed : str
        Digits as they are printed; how many there are sets the precision.
    recomputed : float
        In the same unit.

    Returns
    -------
    Verdict
        REPRODUCED within half a unit of the last printed digit, ROUNDING within less than a whole one, else
        CONTRADICTED.

    Raises
    ------
    ClaimError
        If the printed text is no finite number, or the recomputed value is not finite.

    Examples
    --------
    >>> str(compare("92.6", 100 * 25 / 27)), str(compare("74.7", 100 * 20 / 27))
    ('reproduced', 'contradicted')
    """
    if not math.isfinite(recomputed):
        raise ClaimError(f"recomputed value {recomputed} beside printed {printed}: expected a finite number")
    # Binary fractions miss decimal halves by an ulp; a relative 1e-12 is far below any printed digit.
    slack = Decimal(str(abs(recomputed) * 1e-12))
    distance = abs(Decimal(repr(float(recomputed))) - _decimal(printed))
    if distance <= half_unit(printed) + slack:
        return Verdict.REPRODUCED
    return Verdict.ROUNDING if distance < 2 * half_unit(printed) - slack else Verdict.CONTRADICTED


def fractions_printed_as(printed_percent: str, largest: int) -> list[Fraction]:
    """Return every fraction with a denominator up to ``largest`` whose percentage prints so.

    The check of granularity of Brown and Heathers (2017) for percentages of small groups.

    Parameters
    ----------
    printed_percent : str
        A percentage as it is printed, without its sign.
    largest : int
        Largest denominator to try, such as the number of patients.

    Returns
    -------
    list of fractions.Fraction
        Shares from 0 to 1 in lowest terms, ascending; empty if none prints so.

    Raises
    ------
    ClaimError
        If the text is no finite number.

    Examples
    --------
    >>> fractions_printed_as("92.6", 27)
    [Fraction(25, 27)]
    """
    centre, half = Fraction(printed_percent), Fraction(half_unit(printed_percent))
    found = {
        Fraction(count, total)
        for total in range(1, largest + 1)
        for count in range(total + 1)
        if abs(100 * Fraction(count, total) - centre) <= half
    }
    return sorted(found)


# ---------------------------------------------------------------- the register


def read_claims(path: Path | str) -> dict[str, Claim]:
    """Read the register of claims.

    Parameters
    ----------
    path : path
        The project's ``data/claims.yml``, or a register of the same form.

    Returns
    -------
    dict of str to Claim
        By id, in the order of the file.

    Raises
    ------
    ClaimError
        If the file is not the register: unreadable, a field missing or unknown, an id twice.

    Examples
    --------
    >>> read_claims("data/claims.yml")["mrd-p-value"].printed["p"]
    '0.017'
    """
    try:
        entries = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ClaimError(f"{path}: {error}") from error
    if not isinstance(entries, list):
        raise ClaimError(f"{path}: expected a list of claims")
    claims: dict[str, Claim] = {}
    for place, entry in enumerate(entries, start=1):
        claim = _read_claim(entry, f"{path}, claim {place}")
        if claim.id in claims:
            raise ClaimError(f"{path}, claim {place}: id {claim.id!r} stands twice")
        claims[claim.id] = claim
    return claims


def _read_claim(entry: Any, place: str) -> Claim:
    try:
        expected = [name for name in entry if str(name).startswith("expected")]
        claim = Claim(**{**entry, **{name: Verdict(entry[name]) for name in expected}})
    except (TypeError, KeyError, ValueError) as error:
        raise ClaimError(f"{place}: {error}") from error
    if claim.source not in {"paper", "reading"}:
        raise ClaimError(f"{place}: source {claim.source!r}, expected paper or reading")
    if (claim.expected_with_follow_up is None) != (not claim.reason_with_follow_up):
        raise ClaimError(
            f"{place}: expected_with_follow_up and reason_with_follow_up: found one, expected both or none"
        )
    for printed in claim.printed.values():
        if not isinstance(printed, str):
            raise ClaimError(f"{place}: printed {printed!r} needs quotes, to keep its digits as they are printed")
        _decimal(printed)
    return claim
