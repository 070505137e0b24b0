"""Statements of a main text: read whole or refused, and settled by a supplied follow-up."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test

from survaudit.cohort.tables import Supplement
from survaudit.errors import ClaimError, InputError
from survaudit.follow_up.complete import SUPPLIED, FollowUp
from survaudit.follow_up.ensemble import PRIORS, Ensemble, draw
from survaudit.follow_up.supplied import Supplied
from survaudit.ledger.claims import Claim, Verdict, read_claims
from survaudit.ledger.statements import statements
from survaudit.ledger.verdicts import Ledger, audit

MONTH = 30.4375
PROJECT = Path(__file__).resolve().parents[1]
EXAMPLE = PROJECT / "data" / "examples" / "invented_statements.yml"


@pytest.fixture(scope="module")
def ensemble(supplement: Supplement) -> Ensemble:
    return draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(7), draws=400)


@pytest.fixture(scope="module")
def invented() -> dict[str, Claim]:
    return read_claims(EXAMPLE)


def claim(invented: dict[str, Claim], printed: dict[str, str], **options: object) -> dict[str, Claim]:
    first = next(iter(invented.values()))
    return {"one": replace(first, id="one", claim="One.", printed=printed, options=options)}


def fraction_curve(patients: list[tuple[int, bool]]) -> list[tuple[int, Fraction]]:
    """Every day with a death, and the curve from it on, in fractions."""
    steps, level = [], Fraction(1)
    for day in sorted({day for day, died in patients if died}):
        at_risk = sum(other >= day for other, _ in patients)
        level *= Fraction(at_risk - sum(one == (day, True) for one in patients), at_risk)
        steps.append((day, level))
    return steps


def fraction_median(patients: list[tuple[int, bool]]) -> float:
    """The first day below one half, or the middle of the stretch at one half if the curve falls after it."""
    steps = fraction_curve(patients)
    for place, (day, level) in enumerate(steps):
        if level == Fraction(1, 2) and place + 1 < len(steps):
            return (day + steps[place + 1][0]) / 2
        if level <= Fraction(1, 2):
            return float(day)
    return float("inf")


def rows_of(ensemble: Ensemble, place: int, endpoint: str, group: str) -> list[tuple[int, bool]]:
    """One group of one follow-up, by its table."""
    table = ensemble.follow_up(place, "test").endpoint(endpoint)
    own = table[table["group"] == group]
    return [(int(day), bool(event)) for day, event in zip(own["time_days"], own["event"], strict=True)]


@pytest.mark.parametrize(
    ("printed", "inside", "outside"),
    [
        ({"value": "12.5"}, [12.45, 12.5, 12.55], [12.44, 12.56]),
        ({"value": "12"}, [11.5, 12.5], [11.49, 12.51]),
        ({"above": "36"}, [36, 100, np.inf], [35.99]),
        ({"below": "36"}, [0, 36], [36.01, np.inf]),
        ({"above": "6", "below": "12"}, [6, 12], [5.99, 12.01]),
    ],
)
def test_what_agrees_follows_from_the_print(
    invented: dict[str, Claim], printed: dict[str, str], inside: list[float], outside: list[float]
) -> None:
    (said,) = statements(claim(invented, printed, says="median", endpoint="OS", groups=["CART1"]))
    assert said.agrees(np.array(inside)).all()
    assert not said.agrees(np.array([*outside, np.nan])).any()


# ------------------------------------------------------------------ reading them


def test_every_problem_of_every_statement_is_told_at_once(invented: dict[str, Claim]) -> None:
    bad = claim(invented, {"n": "1"}, says="mean", endpoint="PFS", groups=["CART3"])
    worse = claim(invented, {}, says="median", endpoint="OS", groups=["CART1", "CART2"], months=12)
    turned = claim(invented, {"above": "9", "below": "3"}, says="survival", endpoint="OS", groups=["CART1"])
    with pytest.raises(InputError) as error:
        statements({"a": bad["one"], "b": replace(worse["one"], id="two"), "c": replace(turned["one"], id="three")})
    told = str(error.value)
    for part in (
        "one: says: found 'mean'",
        "one: endpoint: found 'PFS'",
        "one: groups: found ['CART3']",
        "one: printed: found ['n']",
        "two: months: found 12",
        "two: groups: found ['CART1', 'CART2'], expected 1 of",
        "two: printed: found []",
        "three: months: found None",
        "three: printed: found above 9 and below 3",
    ):
        assert f"claim {part}" in told


def test_the_example_is_marked_as_invented_wherever_it_is_read(invented: dict[str, Claim]) -> None:
    assert all(one.invented for one in statements(invented))
    for one in invented.values():
        assert one.claim.startswith("INVENTED")
        assert "invented" in one.where
    assert EXAMPLE.read_text().startswith("# INVENTED")


# ------------------------------------------------------------------ in the ledger


def all_come_out(ensemble: Ensemble, place: int) -> bool:
    """Whether the three invented statements hold in one follow-up, by plain counting."""
    median = fraction_median(rows_of(ensemble, place, "LFS", "CART+HSCT"))
    alive = [level for day, level in fraction_curve(rows_of(ensemble, place, "OS", "CART1")) if day <= 24 * MONTH]
    (first, died), (second, fell) = (
        zip(*rows_of(ensemble, place, "LFS", group), strict=True) for group in ("CART1", "CART+HSCT")
    )
    longest = max(day for day, _ in rows_of(ensemble, place, "OS", "CART1"))
    low = bool(alive) and alive[-1] <= Fraction(1, 2) and (longest >= 24 * MONTH or alive[-1] == 0)
    return 12 * MONTH <= median <= 24 * MONTH and low and logrank_test(first, second, died, fell).p_value <= 0.05


def judged(supplement: Supplement, claims: dict[str, Claim], table: pd.DataFrame) -> Ledger:
    return audit(supplement, claims, Supplied(FollowUp(SUPPLIED, table), (), "test", "0"))


def test_without_follow_up_statements_are_not_derivable(supplement: Supplement, invented: dict[str, Claim]) -> None:
    ledger = audit(supplement, invented)
    assert {row.verdict for row in ledger.rows} == {Verdict.NOT_DERIVABLE}
    assert ledger.unexpected == []


def test_a_supplied_follow_up_settles_statements(
    supplement: Supplement, ensemble: Ensemble, invented: dict[str, Claim]
) -> None:
    inside = next(place for place in range(400) if all_come_out(ensemble, place))
    table = ensemble.follow_up(inside, "test").table
    assert {row.verdict for row in judged(supplement, invented, table).rows} == {Verdict.REPRODUCED}
    outside = next(place for place in range(400) if fraction_median(rows_of(ensemble, place, "LFS", "CART+HSCT")) < 300)
    ledger = judged(supplement, invented, ensemble.follow_up(outside, "test").table)
    assert ledger["invented-median-lfs"].verdict is Verdict.CONTRADICTED
    median = fraction_median(rows_of(ensemble, outside, "LFS", "CART+HSCT")) / MONTH
    assert f"{median:.4g} months" in ledger["invented-median-lfs"].reason


def test_a_printed_value_is_compared_at_its_own_precision(
    supplement: Supplement, ensemble: Ensemble, invented: dict[str, Claim]
) -> None:
    table = ensemble.follow_up(0, "test").table
    median = fraction_median(rows_of(ensemble, 0, "LFS", "CART+HSCT")) / MONTH
    options = {"says": "median", "endpoint": "LFS", "groups": ["CART+HSCT"]}
    for printed, verdict in ((f"{median:.1f}", Verdict.REPRODUCED), (f"{median + 1:.1f}", Verdict.CONTRADICTED)):
        ledger = judged(supplement, claim(invented, {"value": printed}, **options), table)
        assert ledger["one"].verdict is verdict
    late = {"says": "survival", "endpoint": "OS", "groups": ["CART+HSCT"], "months": 600}
    beyond = table.assign(os_days=table["os_days"], os_event=0)
    assert judged(supplement, claim(invented, {"value": "50"}, **late), beyond)["one"].verdict is Verdict.NOT_DERIVABLE
    never = claim(invented, {"value": "50"}, says="median", endpoint="OS", groups=["CART+HSCT"])
    assert judged(supplement, never, beyond)["one"].verdict is Verdict.CONTRADICTED
    with pytest.raises((InputError, ClaimError), match="says"):
        judged(supplement, claim(invented, {"value": "50"}, says="mean", endpoint="OS", groups=["CART1"]), table)
