"""How far a panel's test can go: never exceeded by anything tried, and reached inside the tables."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test
from plain_follow_up import BOOK, Row, faults, read_rows

from survaudit.cohort.assumptions import EVENT_AT_ASSESSMENT, READINGS, Assumptions
from survaudit.cohort.panels import PANELS
from survaudit.cohort.tables import Supplement
from survaudit.errors import InputError
from survaudit.follow_up.ensemble import PRIORS, compare_many, draw
from survaudit.follow_up.extremes import Extreme, Windows, bound, greatest

# As printed in the caption: endpoint and the two groups of each panel.
PRINTED = {
    "A": ("os", "CART1", "CART+HSCT"),
    "B": ("os", "CART2", "CART+HSCT"),
    "C": ("lfs", "CART1", "CART+HSCT"),
    "D": ("lfs", "CART2", "CART+HSCT"),
    "E": ("os", "CART1", "CART2"),
    "F": ("lfs", "CART1", "CART2"),
}
SIDES = [(letter, favours) for letter, (_, *groups) in PRINTED.items() for favours in groups]


@pytest.fixture(scope="module")
def rows(raw_texts: list[str]) -> list[Row]:
    return read_rows(raw_texts)


@pytest.fixture(scope="module")
def found(supplement: Supplement) -> dict[tuple[str, str], Extreme]:
    return {(letter, favours): greatest(supplement.cohort, PANELS[letter], favours) for letter, favours in SIDES}


# ------------------------------------------------------------------ the bound, against trying everything


def signed_root(days: np.ndarray, event: np.ndarray, late: np.ndarray) -> float:
    """Log-rank by the book, event time by event time, positive in favour of the late group; 0 without variance."""
    gap = spread = 0.0
    for day in np.unique(days[event]):
        n, n2 = (days >= day).sum(), ((days >= day) & late).sum()
        d, d2 = ((days == day) & event).sum(), ((days == day) & event & late).sum()
        gap += d * n2 / n - d2
        spread += d * n2 * (n - n2) * (n - d) / (n**2 * (n - 1)) if n > 1 else 0.0
    return gap / np.sqrt(spread) if spread > 0 else 0.0


def greatest_of_all(early: Windows, late: Windows) -> float:
    """The greatest chi-square in favour of the late group, over each follow-up that the windows allow."""
    best, is_late = 0.0, np.arange(len(early.left) + len(late.left)) >= len(early.left)
    for place in range(early.last.shape[1]):
        choices: list[list[tuple[int, bool]]] = []
        for group in (early, late):
            for left, right, known, end in zip(group.left, group.right, group.known, group.last[:, place], strict=True):
                days = [(day, True) for day in range(left + 1, (min(right, end) if known else end) + 1)]
                choices.append(days if known else [*days, (end, False)])
        for one in product(*choices):
            days, event = (np.array(part) for part in zip(*one, strict=True))
            best = max(best, signed_root(days, event, is_late))
    return best**2


def case(rng: np.random.Generator, n: int, unknown: int, origin: np.ndarray, width: int) -> Windows:
    left = rng.integers(0, 3, n)
    known = rng.permutation([True] * (n - unknown) + [False] * unknown)
    return Windows(np.arange(n), left, left + rng.integers(1, width, n), known, np.array([4, 5]) - origin[:, None])


@pytest.mark.parametrize("seed", range(24))
def test_nothing_that_windows_allow_lies_beyond(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, m = ((3, 3), (4, 2), (2, 4), (3, 2))[seed % 4]
    early = case(rng, n, seed % 3 == 0, rng.integers(-1, 1, n), 4)
    late = case(rng, m, seed % 2, rng.integers(-1, 1, m), 4)
    assert bound(early, late)[0] >= greatest_of_all(early, late) - 1e-9


@pytest.mark.parametrize(
    ("n", "m", "known"),
    [(*pair, known) for pair in ((1, 1), (1, 3), (3, 1), (2, 2), (2, 3), (3, 2)) for known in (True, False)]
    + [(3, 3, True), (2, 4, True), (4, 2, True)],
)
def test_with_days_enough_the_bound_is_the_greatest_of_all(n: int, m: int, known: bool) -> None:
    zeros = [np.zeros(size, int) for size in (n, m)]
    sides = [Windows(zero, zero, zero + 5, np.full(zero.shape, known), zero[:, None] + 5) for zero in zeros]
    assert bound(*sides)[0] == pytest.approx(greatest_of_all(*sides), abs=1e-9)


@pytest.mark.parametrize("end", [1, 2, 3])
def test_one_of_the_late_group_must_fail_soon(end: int) -> None:
    """One of the late group fails by day ``end``, so that the early group has no more days than that before it."""
    zero, all_known = np.zeros(3, int), np.ones(3, bool)
    early = Windows(zero, zero, zero + 5, all_known, zero[:, None] + 5)
    late = Windows(zero, zero, np.array([end, 5, 5]), all_known, zero[:, None] + 5)
    exact = greatest_of_all(early, late)
    assert bound(early, late)[0] == pytest.approx(exact, abs=1e-9)
    if end == 1:
        assert exact < greatest_of_all(early, replace(late, right=zero + 5)) - 0.1


def test_without_an_event_apart_nothing_favours_anyone() -> None:
    """Every patient has the event on day 1."""
    zero = np.zeros(2, int)
    one = Windows(zero, zero, zero + 1, zero == 0, zero[:, None] + 1)
    assert bound(one, one) == (0.0, ())


# ------------------------------------------------------------------ the panels


def separated(n: int, m: int) -> float:
    """The greatest chi-square with all n events before any of m, over all patterns of ties, by the book."""
    best = 0.0
    for breaks in product([False, True], repeat=n - 1):
        days = np.concatenate([1 + np.cumsum([0, *breaks]), np.full(m, 100)])
        best = max(best, signed_root(days, np.ones(n + m, bool), np.arange(n + m) >= n))
    return best**2


@pytest.mark.parametrize(
    ("letter", "favours", "n", "m"),
    [
        ("A", "CART+HSCT", 11, 10),
        ("B", "CART2", 10, 7),
        ("C", "CART+HSCT", 9, 10),
        ("D", "CART+HSCT", 7, 10),
        ("E", "CART2", 11, 7),
        ("F", "CART2", 9, 7),
    ],
)
def test_where_groups_can_be_separated_the_best_of_that_is_the_bound(
    found: dict[tuple[str, str], Extreme], letter: str, favours: str, n: int, m: int
) -> None:
    one = found[letter, favours]
    assert one.chi2 == pytest.approx(separated(n, m), abs=1e-9)
    assert all(step[1] == 0 for step in one.pattern)


@pytest.mark.parametrize(("letter", "favours"), SIDES)
def test_the_bound_is_reached_by_a_follow_up_that_agrees_with_the_tables(
    found: dict[tuple[str, str], Extreme], rows: list[Row], letter: str, favours: str
) -> None:
    one = found[letter, favours]
    assert one.attained
    check(one, rows, BOOK)


def check(one: Extreme, rows: list[Row], assumed: dict[str, Any]) -> None:
    """A follow-up has the chi-square told, by another library, and fits the tables, by plain code."""
    endpoint, *groups = PRINTED[one.panel]
    arms = [one.follow_up[one.follow_up["group"] == group] for group in groups]
    times, events = ([arm[name] for arm in arms] for name in ("time_days", "event"))
    assert logrank_test(*times, *events).test_statistic == pytest.approx(one.chi2, abs=1e-6)
    better = arms[groups.index(one.favours)]
    both = one.follow_up
    hazard = sum(
        ((both["time_days"] == day) & (both["event"] == 1)).sum()
        / (both["time_days"] >= day).sum()
        * (better["time_days"] >= day).sum()
        for day in both.loc[both["event"] == 1, "time_days"].unique()
    )
    assert better["event"].sum() < hazard
    assert one.cut_off is not None
    seen = one.follow_up.set_index("patient")
    asked = ("cut-off", *(f"patient {patient}: {endpoint}" for patient in seen.index))
    told = faults(rows, completed(rows, seen, endpoint), one.cut_off.date(), assumed)
    assert [fault for fault in told if fault.startswith(asked)] == []
    assert set(seen.index) == {row["patient"] for row in rows if row["group"] in groups} - left_out(rows, endpoint)


def left_out(rows: list[Row], endpoint: str) -> set[int]:
    return {row["patient"] for row in rows if endpoint == "lfs" and row["response"] == "NR"}


def completed(rows: list[Row], seen: pd.DataFrame, endpoint: str) -> list[dict[str, Any]]:
    """Rows as ``faults`` reads them; only the panel's own endpoint and patients are looked at."""
    told = []
    for row in rows:
        one: dict[str, Any] = {"patient": row["patient"]} | dict.fromkeys(
            ("os_days", "os_event", "lfs_days", "lfs_event"), 0
        )
        if row["patient"] in seen.index:
            values = seen.loc[row["patient"]]
            one |= {f"{endpoint}_days": int(values["time_days"]), f"{endpoint}_event": int(values["event"])}
        told.append(one)
    return told


def test_no_drawn_follow_up_lies_beyond(supplement: Supplement, found: dict[tuple[str, str], Extreme]) -> None:
    for prior in PRIORS.values():
        ensemble = draw(supplement.cohort, prior, np.random.default_rng(77), draws=5000)
        for letter, panel in PANELS.items():
            drawn = compare_many(ensemble, panel.endpoint, panel.groups)
            first, second = (found[letter, favours].chi2 for favours in panel.groups)
            assert drawn.chi2[drawn.excess > 0].max(initial=0) <= first + 1e-9
            assert drawn.chi2[drawn.excess < 0].max(initial=0) <= second + 1e-9


@pytest.mark.parametrize("letter", ["b", "c"])
@pytest.mark.parametrize("favours", PRINTED["D"][1:])
def test_other_readings_are_kept_to(supplement: Supplement, rows: list[Row], letter: str, favours: str) -> None:
    chosen = Assumptions(cd19_reading=READINGS[letter])
    one = greatest(supplement.cohort, PANELS["D"], favours, chosen)
    ensemble = draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(5), draws=5000, assumptions=chosen)
    drawn = compare_many(ensemble, "LFS", PANELS["D"].groups)
    side = drawn.excess > 0 if favours == PANELS["D"].groups[0] else drawn.excess < 0
    assert drawn.chi2[side].max(initial=0) <= one.chi2 + 1e-9
    if one.attained:
        check(one, rows, BOOK | {"cd19_reading": READINGS[letter]})
    else:
        assert one.follow_up.empty
        assert one.cut_off is None


def test_a_bound_that_no_follow_up_reaches_is_told_as_one(supplement: Supplement) -> None:
    """Two non-responders fail on day 28 alone, so that the best pattern, with seven on the first day, does not fit."""
    chosen = Assumptions(non_responder_lfs=EVENT_AT_ASSESSMENT)
    one = greatest(supplement.cohort, PANELS["C"], "CART+HSCT", chosen)
    assert one.chi2 == pytest.approx(separated(11, 10), abs=1e-9)
    assert (one.attained, one.cut_off, len(one.follow_up)) == (False, None, 0)


def test_a_group_of_another_panel_is_refused(supplement: Supplement) -> None:
    with pytest.raises(InputError, match="favours: found 'CART2', expected CART1 or CART\\+HSCT"):
        greatest(supplement.cohort, PANELS["A"], "CART2")
