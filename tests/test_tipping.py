"""How many relapses after transplantation undo its advantage: against a plain loop with lifelines, and identities."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test
from plain_follow_up import BOOK, Row, read_rows, zero
from scipy import stats

from survaudit.cohort.assumptions import READINGS, Assumptions
from survaudit.cohort.panels import PANELS
from survaudit.cohort.tables import Supplement
from survaudit.errors import InputError
from survaudit.follow_up.ensemble import PRIORS, draw
from survaudit.follow_up.sensitivity import DELAYS, _least, _tests, tipping


@pytest.fixture(scope="module")
def rows(raw_texts: list[str]) -> list[Row]:
    return read_rows(raw_texts)


def every_cell(
    supplement: Supplement,
    letter: str,
    *,
    prior: str = "wide",
    seed: int = 5,
    draws: int = 5,
    delays: Sequence[int] = DELAYS,
    origin: str = "first infusion",
) -> tuple[np.ndarray, np.ndarray]:
    """Excess of events and chi-square of each cell and draw, as `tipping` has them before it counts."""
    chosen, rng = Assumptions(time_origin=origin, cd19_reading=READINGS["b"]), np.random.default_rng(seed)
    ensemble = draw(supplement.cohort, PRIORS[prior], rng, draws=draws, assumptions=chosen)
    return _tests(supplement.cohort, PANELS[letter], ensemble, rng, delays=delays, assumptions=chosen)


@pytest.fixture(scope="module")
def cells(supplement: Supplement) -> list[tuple[np.ndarray, np.ndarray]]:
    return [every_cell(supplement, letter, prior=prior, seed=8, draws=1000) for letter in "CD" for prior in PRIORS]


def plain(
    supplement: Supplement, rows: list[Row], letter: str, chosen: Assumptions, delay: int, relapsed: set[int]
) -> list[tuple[float, bool]]:
    """Chi-square, and whether CART+HSCT has more events than expected, follow-up by follow-up."""
    own = BOOK | {"time_origin": chosen.time_origin}
    ensemble = draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(5), draws=5, assumptions=chosen)
    other = {"C": "CART1", "D": "CART2"}[letter]
    found = []
    for place, cut_off in enumerate(ensemble.cut_off.astype(object)):
        times: dict[str, list[tuple[int, int]]] = {other: [], "CART+HSCT": []}
        for column, row in enumerate(rows):
            days, event = (part["LFS"][place, column] for part in (ensemble.days, ensemble.event))
            if row["group"] == other and days >= 0:
                times[other].append((days, int(event)))
            elif row["group"] == "CART+HSCT":
                fails = row["patient"] in relapsed
                last = min(row["transplanted"] + timedelta(delay), cut_off) if fails else cut_off
                times["CART+HSCT"].append(((last - zero(row, own)).days, int(fails)))
        (t1, e1), (t2, e2) = (zip(*part, strict=True) for part in times.values())
        with np.errstate(all="ignore"):
            chi2 = logrank_test(t1, t2, e1, e2).test_statistic
        hazard = pd.DataFrame({"t": t1 + t2, "e": e1 + e2, "second": [0] * len(t1) + [1] * len(t2)})
        expected = sum(
            part["e"].sum() * hazard.loc[hazard["t"] >= t, "second"].mean() for t, part in hazard.groupby("t")
        )
        found.append((chi2, sum(e2) > expected))
    return found


TEN = set(range(19, 29))


@pytest.mark.parametrize("letter", ["C", "D"])
@pytest.mark.parametrize("origin", ["first infusion", "first collection"])
@pytest.mark.parametrize(("delay", "relapsed"), [(30, TEN), (365, TEN), (10_000, TEN), (30, set())])
def test_none_and_all_equal_a_plain_loop(
    supplement: Supplement, rows: list[Row], letter: str, origin: str, delay: int, relapsed: set[int]
) -> None:
    read_b = Assumptions(time_origin=origin, cd19_reading=READINGS["b"])
    expected = plain(supplement, rows, letter, read_b, delay, relapsed)
    chi2, more = (np.array(part) for part in zip(*expected, strict=True))
    excess, own = (part[len(relapsed), 0] for part in every_cell(supplement, letter, delays=[delay], origin=origin))
    assert own == pytest.approx(chi2, rel=1e-6)
    assert ((excess > 0) == more).all()


@pytest.mark.parametrize("k", [1, 9])
def test_some_relapses_are_those_of_as_many_patients(supplement: Supplement, rows: list[Row], k: int) -> None:
    _, own = every_cell(supplement, "C", delays=[60])
    read_b = Assumptions(cd19_reading=READINGS["b"])
    every = [
        [chi2 for chi2, _ in plain(supplement, rows, "C", read_b, 60, set(some))]
        for some in combinations(sorted(TEN), k)
    ]
    # Each follow-up has the value of one choice of the patients.
    assert np.isclose(np.array(every), own[k, 0], rtol=1e-6).any(axis=0).all()


def test_more_relapses_can_only_take_from_the_advantage(cells: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for excess, chi2 in cells:
        # Each relapse adds an event to CART+HSCT and takes a patient from those at risk later.
        assert (np.diff((excess < 0).mean(axis=2), axis=0) <= 0).all()
        assert (np.diff((excess > 0).mean(axis=2), axis=0) >= 0).all()
        significant = ((excess < 0) & (stats.chi2.sf(chi2, 1) < 0.05)).mean(axis=2)
        assert (np.diff(significant, axis=0) <= 0).all()


def test_without_a_relapse_the_delay_has_no_say(cells: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for excess, chi2 in cells:
        assert (excess[0] < 0).all()
        assert (chi2[0] == chi2[0, 0]).all()


def test_a_relapse_on_the_last_day_leaves_the_direction_as_it_is(supplement: Supplement) -> None:
    excess, _ = every_cell(supplement, "D", seed=2, draws=50, delays=[9999])
    assert (excess < 0).all()


def test_the_least_number_by_hand() -> None:
    turned = np.array([[False, False, True], [False, False, True], [True, False, False]])
    assert _least(turned).tolist() == [2, pd.NA, 0]


def test_points_count_the_shares(supplement: Supplement) -> None:
    excess, chi2 = every_cell(supplement, "C", seed=8, draws=1000, origin="first collection")
    chosen = Assumptions(time_origin="first collection")
    found = tipping(supplement.cohort, PANELS["C"], PRIORS["wide"], np.random.default_rng(8), assumptions=chosen)
    assert found["delay_days"].tolist() == list(DELAYS)
    assert set(found["panel"] + found["prior"]) == {"Cwide"}
    small, more = (excess < 0) & (stats.chi2.sf(chi2, 1) < 0.05), excess > 0
    for column, row in enumerate(found.itertuples()):
        lost = [k for k in range(11) if small[k, column].sum() < 500]
        turned = [k for k in range(11) if more[k, column].sum() >= 500]
        assert (row.advantage_lost is pd.NA) if not lost else row.advantage_lost == lost[0]
        assert (row.reversed is pd.NA) if not turned else row.reversed == turned[0]
    assert found["reversed"].notna().any()


@pytest.mark.parametrize(
    ("letter", "changed", "message"),
    [
        ("A", {}, "panel: found A"),
        ("F", {}, "panel: found F"),
        ("C", {"delays": [30, 0]}, r"delays: found \[30, 0\]"),
        ("C", {"delays": [30.5]}, "delays"),
        ("C", {"delays": [True]}, "delays"),
        ("C", {"delays": []}, "delays"),
        ("C", {"draws": 0}, "draws"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    supplement: Supplement, letter: str, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        tipping(supplement.cohort, PANELS[letter], PRIORS["wide"], np.random.default_rng(1), **changed)
