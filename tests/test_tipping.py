"""How many relapses after transplantation undo its advantage: against a plain loop with lifelines, and identities."""

from __future__ import annotations

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
from survaudit.follow_up.tipping import DELAYS, Tipping, tipping


@pytest.fixture(scope="module")
def rows(raw_texts: list[str]) -> list[Row]:
    return read_rows(raw_texts)


@pytest.fixture(scope="module")
def cells(supplement: Supplement) -> list[Tipping]:
    return [
        tipping(supplement.cohort, PANELS[letter], prior, np.random.default_rng(8))
        for letter in "CD"
        for prior in PRIORS.values()
    ]


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
    chosen = Assumptions(time_origin=origin)
    read_b = Assumptions(time_origin=origin, cd19_reading=READINGS["b"])
    expected = plain(supplement, rows, letter, read_b, delay, relapsed)
    chi2, more = (np.array(part) for part in zip(*expected, strict=True))
    found = tipping(supplement.cohort, PANELS[letter], PRIORS["wide"], np.random.default_rng(5), draws=5,
                    delays=[delay], assumptions=chosen)  # fmt: skip
    k = len(relapsed)
    assert found.median_chi2[k, 0] == pytest.approx(np.median(chi2), rel=1e-6)
    assert found.worse[k, 0] == pytest.approx(more.mean())
    assert found.significant[k, 0] == pytest.approx(np.mean(~more & (stats.chi2.sf(chi2, 1) < 0.05)))


@pytest.mark.parametrize("k", [1, 9])
def test_some_relapses_are_those_of_as_many_patients(supplement: Supplement, rows: list[Row], k: int) -> None:
    rng = np.random.default_rng(5)
    found = tipping(supplement.cohort, PANELS["C"], PRIORS["wide"], rng, draws=5, delays=[60])
    read_b = Assumptions(cd19_reading=READINGS["b"])
    # The median of five follow-ups is the value of one of them, under one choice of the patients.
    every = [
        chi2 for some in combinations(sorted(TEN), k) for chi2, _ in plain(supplement, rows, "C", read_b, 60, set(some))
    ]
    assert np.isclose(every, found.median_chi2[k, 0], rtol=1e-6).any()


def test_more_relapses_can_only_take_from_the_advantage(cells: list[Tipping]) -> None:
    for found in cells:
        # Each relapse adds an event to CART+HSCT and takes a patient from those at risk later.
        assert (np.diff(found.better, axis=0) <= 0).all()
        assert (np.diff(found.worse, axis=0) >= 0).all()
        assert (np.diff(found.significant, axis=0) <= 0).all()
        assert (found.median_chi2 <= found.median_chi2[0]).all()
        assert (found.significant <= found.better).all()
        assert (found.better + found.worse <= 1).all()


def test_without_a_relapse_the_delay_has_no_say(cells: list[Tipping]) -> None:
    for found in cells:
        assert (found.better[0] == 1).all()
        for part in (found.significant, found.median_chi2):
            assert (part[0] == part[0, 0]).all()


def test_a_relapse_on_the_last_day_leaves_the_direction_as_it_is(supplement: Supplement) -> None:
    found = tipping(supplement.cohort, PANELS["D"], PRIORS["wide"], np.random.default_rng(2), draws=50, delays=[9999])
    assert (found.better == 1).all()


def test_points_by_hand() -> None:
    shares = np.array([[0.9, 0.9, 0.4], [0.5, 0.9, 0.3], [0.49, 0.8, 0.2]])
    worse = np.array([[0.0, 0.0, 0.1], [0.1, 0.0, 0.5], [0.49, 0.1, 0.7]])
    found = Tipping("C", "wide", (3, 2), np.array([1, 2, 3]), shares, 1 - worse, worse, shares, 100)
    points = found.points()
    assert points["delay_days"].tolist() == [1, 2, 3]
    assert points["advantage_lost"].tolist() == [2, pd.NA, 0]
    assert points["reversed"].tolist() == [pd.NA, pd.NA, 1]
    table = found.to_frame()
    assert len(table) == 9
    row = table[(table["relapses"] == 1) & (table["delay_days"] == 3)].iloc[0]
    assert (row["significant"], row["worse"], row["better"]) == (0.3, 0.5, 0.5)


def test_the_same_seed_gives_the_same_cells(supplement: Supplement, cells: list[Tipping]) -> None:
    again = tipping(supplement.cohort, PANELS["C"], PRIORS["wide"], np.random.default_rng(8))
    pd.testing.assert_frame_equal(again.to_frame(), cells[0].to_frame(), check_exact=True)
    assert (again.n, again.draws, tuple(again.delays)) == ((9, 10), 1000, DELAYS)
    assert cells[4].n == (7, 10)


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
