"""The follow-ups at the ends of what the tables allow: allowed, as extreme as told, and found again."""

from __future__ import annotations

import re
from datetime import date
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test
from plain_follow_up import BOOK, Row, faults, read_rows
from scipy import stats

from survaudit.cohort.assumptions import READINGS, Assumptions
from survaudit.cohort.panels import PANELS
from survaudit.cohort.tables import Supplement
from survaudit.errors import InputError
from survaudit.follow_up.complete import read_synthetic, write_follow_up
from survaudit.follow_up.completions import (
    FIRST,
    LEAST,
    NEVER,
    SECOND,
    AttainableRange,
    Extreme,
    Windows,
    attainable_range,
    extreme,
    structured_starts,
    write_extremes,
)
from survaudit.follow_up.ensemble import PRIORS, compare_many, draw
from survaudit.survival.curves import log_rank

NAMES = [f"{letter}-{end}" for letter in PANELS for end in ("least", "greatest", "opposite")]
# As printed in the caption: endpoint and the two groups of each panel.
PRINTED = {
    "A": ("os", "CART1", "CART+HSCT"),
    "B": ("os", "CART2", "CART+HSCT"),
    "C": ("lfs", "CART1", "CART+HSCT"),
    "D": ("lfs", "CART2", "CART+HSCT"),
    "E": ("os", "CART1", "CART2"),
    "F": ("lfs", "CART1", "CART2"),
}


@pytest.fixture(scope="module")
def rows(raw_texts: list[str]) -> list[Row]:
    return read_rows(raw_texts)


@pytest.fixture(scope="module")
def folder(project: Path) -> Path:
    return project / "data" / "synthetic" / "extremes"


@pytest.fixture(scope="module")
def ranges(supplement: Supplement) -> dict[str, AttainableRange]:
    return {letter: attainable_range(supplement.cohort, panel) for letter, panel in PANELS.items()}


@pytest.fixture(scope="module")
def found(ranges: dict[str, AttainableRange]) -> dict[str, Extreme]:
    return {name: one for part in ranges.values() for name, one in part.files.items()}


def plain_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{key: None if pd.isna(value) else value for key, value in row.items()} for row in table.to_dict("records")]


def arms(path: Path) -> list[pd.DataFrame]:
    """The two groups of a file's panel, read by plain pandas."""
    endpoint, *groups = PRINTED[path.name[0]]
    frame = pd.read_csv(path).rename(columns={f"{endpoint}_days": "days", f"{endpoint}_event": "event"})
    return [frame.loc[frame["group"] == group, ["days", "event"]].dropna().astype(float) for group in groups]


# ------------------------------------------------------------------ what is kept


@pytest.mark.parametrize("name", NAMES)
def test_a_kept_follow_up_agrees_with_the_tables(folder: Path, rows: list[Row], name: str) -> None:
    follow_up = read_synthetic(folder / f"{name}.csv")
    (source,) = follow_up.table["source"].unique()
    told = re.search(r"observed to (\d+)-(\d+)-(\d+)", source)
    assert told, source
    cut_off = date(*map(int, told.groups()))
    assert date(2020, 8, 1) <= cut_off
    assert faults(rows, plain_rows(follow_up.table), cut_off, BOOK) == []
    assert f"panel {name[0]}, " in source


@pytest.mark.parametrize("name", NAMES)
def test_the_chi_square_of_a_kept_follow_up_is_the_one_told(folder: Path, found: dict[str, Extreme], name: str) -> None:
    first, second = arms(folder / f"{name}.csv")
    both = pd.concat([first, second])
    test = log_rank(both["days"], both["event"], ["1"] * len(first) + ["2"] * len(second))
    theirs = logrank_test(first["days"], second["days"], first["event"], second["event"])
    one = found[name]
    assert one.chi2 == pytest.approx(test.chi2, abs=1e-9)
    assert one.chi2 == pytest.approx(theirs.test_statistic, abs=1e-6)
    assert one.p == pytest.approx(stats.chi2.sf(one.chi2, 1))
    assert one.df == 1
    assert one.n == (len(first), len(second))
    assert one.events == (first["event"].sum(), second["event"].sum())
    fewer = test.observed < test.expected
    if one.goal != LEAST:
        (better,) = (group for group, less in zip(PRINTED[name[0]][1:], fewer, strict=True) if less)
        assert one.favours == better == PANELS[name[0]].groups[one.goal == SECOND]


def test_every_file_is_found_again_byte_for_byte(
    supplement: Supplement, found: dict[str, Extreme], folder: Path, tmp_path: Path
) -> None:
    assert sorted(NAMES) == sorted(path.stem for path in folder.iterdir())
    for name, one in found.items():
        write_follow_up(one.follow_up, tmp_path / f"{name}.csv")
        assert (tmp_path / f"{name}.csv").read_bytes() == (folder / f"{name}.csv").read_bytes(), "run `make synthetic`"
    for path in islice(write_extremes(supplement.cohort, tmp_path / "again"), 3):
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_no_drawn_follow_up_lies_outside_the_range(supplement: Supplement, ranges: dict[str, AttainableRange]) -> None:
    """With a seed that the search did not see."""
    for prior in PRIORS.values():
        ensemble = draw(supplement.cohort, prior, np.random.default_rng(77), draws=20_000)
        for letter, panel in PANELS.items():
            drawn = compare_many(ensemble, panel.endpoint, panel.groups)
            part = ranges[letter]
            assert part.least.chi2 <= drawn.chi2.min() + 1e-6
            assert drawn.chi2[drawn.excess > 0].max(initial=0) <= part.first.chi2 + 1e-6
            assert drawn.chi2[drawn.excess < 0].max(initial=0) <= part.second.chi2 + 1e-6


def test_another_seed_finds_the_same_ends(supplement: Supplement, ranges: dict[str, AttainableRange]) -> None:
    for letter, panel in PANELS.items():
        other = attainable_range(supplement.cohort, panel, seed=3, draws=10)
        assert other.first.chi2 == pytest.approx(ranges[letter].first.chi2)
        assert other.second.chi2 == pytest.approx(ranges[letter].second.chi2)
        assert other.least.chi2 < 1e-4


@pytest.mark.parametrize("letter", ["b", "c"])
def test_other_readings_are_kept_to(supplement: Supplement, rows: list[Row], letter: str) -> None:
    chosen = Assumptions(cd19_reading=READINGS[letter])
    part = attainable_range(supplement.cohort, PANELS["D"], draws=3, assumptions=chosen)
    for one in part.files.values():
        seen = plain_rows(one.follow_up.table)
        assert faults(rows, seen, one.cut_off.date(), BOOK | {"cd19_reading": READINGS[letter]}) == []


def test_the_table_has_a_row_a_file(ranges: dict[str, AttainableRange]) -> None:
    table = pd.concat([part.to_frame() for part in ranges.values()])
    assert table["file"].tolist() == NAMES
    assert table["kind"].eq("SYNTHETIC").all()
    assert table["bound"].str.startswith("inner").all()
    by_file = table.set_index("file")["chi2"]
    for letter in PANELS:
        assert by_file[f"{letter}-least"] < by_file[f"{letter}-opposite"] <= by_file[f"{letter}-greatest"]


# ------------------------------------------------------------------ the search, against trying everything


def signed_root(days: np.ndarray, event: np.ndarray, second: np.ndarray) -> float:
    """Log-rank by the book, event time by event time; 0 without variance."""
    gap = spread = 0.0
    for day in np.unique(days[event]):
        n, n2 = (days >= day).sum(), ((days >= day) & second).sum()
        d, d2 = ((days == day) & event).sum(), ((days == day) & event & second).sum()
        gap += d2 - d * n2 / n
        spread += d * n2 * (n - n2) * (n - d) / (n**2 * (n - 1)) if n > 1 else 0.0
    return gap / np.sqrt(spread) if spread > 0 else 0.0


def everything(case: Windows) -> np.ndarray:
    """The signed root of each follow-up that the windows allow, without the project's code."""
    found = []
    for cut_off in case.cut_offs:
        choices: list[list[tuple[int, bool]]] = []
        for left, right, known, origin in zip(case.left, case.right, case.known, case.origin, strict=True):
            end = int(cut_off - origin)
            days: list[tuple[int, bool]] = [(day, True) for day in range(left + 1, min(right, end) + 1)]
            choices.append(days if known else [*days, (end, False)])
        for one in product(*choices):
            days, event = (np.array(part) for part in zip(*one, strict=True))
            found.append(signed_root(days, event, case.second))
    return np.array(found)


def small_case(seed: int) -> Windows:
    """Three patients against three, each with a few days, two or three of them without a recorded event."""
    rng = np.random.default_rng(seed)
    left, origin = rng.integers(0, 3, 6), rng.integers(-1, 1, 6)
    return Windows(
        second=np.arange(6) >= 3,
        left=left,
        right=left + rng.integers(1, 4, 6),
        known=rng.permutation([True] * 4 + [False] * 2),
        origin=origin,
        cut_offs=np.array([4, 5]),
    )


@pytest.mark.parametrize("seed", range(6))
def test_the_search_finds_what_trying_everything_finds(seed: int) -> None:
    case = small_case(seed)
    roots = everything(case)
    rng = np.random.default_rng(9)
    cut_off, wanted = structured_starts(case)
    cut_off = np.concatenate([cut_off, rng.choice(case.cut_offs, 20)])
    drawn = np.where(rng.random((20, 6)) < 0.3, NEVER, rng.integers(1, 7, (20, 6)))
    wanted = np.concatenate([wanted, np.maximum(drawn, case.left + 1)])
    expected = {LEAST: (roots**2).min(), FIRST: roots.max(), SECOND: roots.min()}
    for goal, value in expected.items():
        last, days, event = extreme(case, cut_off, wanted, goal)
        root = signed_root(days, event, case.second)
        assert (root**2 if goal == LEAST else root) == pytest.approx(value, abs=1e-6)
        assert last in case.cut_offs


def test_without_variance_nothing_is_compared() -> None:
    """Every patient has the event on day 1, so that all ends are one, with chi-square 0."""
    one = np.ones(4, int)
    case = Windows(np.array([False, False, True, True]), 0 * one, one, one > 0, 0 * one, np.array([3]))
    for goal in (LEAST, FIRST, SECOND):
        _, days, event = extreme(case, *structured_starts(case), goal)
        assert days.tolist() == [1] * 4
        assert event.all()
        assert case.score(np.array([3]), days[None].astype(int), goal).tolist() == [0.0]
        test = log_rank(days, event, case.second)
        assert (test.chi2, test.df, test.p) == (0.0, 0, 1.0)


def test_a_real_comparison_goes_before_an_empty_one() -> None:
    """Chi-square is 0 with nobody failing, and with one failure of each group on the same day."""
    none = np.zeros(4, int)
    case = Windows(np.array([False, True, False, True]), none, none + NEVER, none > 0, none, np.array([5]))
    _, _, event = extreme(case, np.array([5, 5]), np.array([[NEVER] * 4, [2, 2, NEVER, NEVER]]), LEAST)
    assert event.sum() == 2


def test_an_unknown_goal_is_refused() -> None:
    case = small_case(0)
    with pytest.raises(InputError, match="goal: found 'most'"):
        extreme(case, *structured_starts(case), "most")
