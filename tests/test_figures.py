"""What a drawing must not hide: steps under a frame, bars beyond a cut, words beyond an axis."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from survaudit.cohort.panels import PANELS
from survaudit.figures.curves import nice_months
from survaudit.figures.cuts import draw_split
from survaudit.figures.intervals import draw_bounds
from survaudit.figures.style import DAYS_PER_MONTH, place_patients, wear_kind

COVARIATES: dict[str, list[float]] = {
    "a few": [0.0, 0.02, 3.0, 9.5, 9.9, 31.4, 65.3, 68.0, 71.9, 96.8],
    "whole": [21, 25, 25, 30, 36, 36, 37, 37, 44, 80],
    "one value low": [0, 0, 0, 1, 2, 5, 5, 9],
}


@pytest.mark.parametrize(("name", "cut"), [("a few", 65.3), ("a few", 0.02), ("whole", 36), ("one value low", 0)])
def test_no_bar_of_a_split_cohort_crosses_the_cut(name: str, cut: float) -> None:
    values = COVARIATES[name]
    axis = Figure().subplots()
    draw_split(axis, values, cut, name)
    sides = [bars for bars in axis.containers if isinstance(bars, BarContainer)]
    low, high = ([bar for bar in bars if bar.get_height()] for bars in sides)
    assert sum(bar.get_height() for bar in low) == sum(value <= cut for value in values)
    assert sum(bar.get_height() for bar in high) == sum(value > cut for value in values)
    assert max(bar.get_x() + bar.get_width() for bar in low) <= cut + 1e-9
    assert min(bar.get_x() for bar in high) >= cut - 1e-9


@pytest.mark.parametrize("width", [1.5, 4.0, 12.0])
def test_the_word_synthetic_stays_within_its_axis(width: float) -> None:
    figure = Figure(figsize=(width, 3.0), layout="constrained")
    axis = figure.subplots()
    wear_kind(axis, "SYNTHETIC")
    figure.draw_without_rendering()
    (word,) = (text for text in axis.get_children() if getattr(text, "get_text", str)() == "SYNTHETIC")
    extent = word.get_window_extent()
    assert extent.width <= axis.bbox.width + 1
    assert extent.height <= axis.bbox.height + 1
    assert extent.width > 0.4 * min(axis.bbox.width, 300)


@pytest.mark.parametrize("last", [300.0, 24.05 * DAYS_PER_MONTH, 2500.0])
def test_the_last_step_of_bounds_is_within_the_frame(last: float) -> None:
    group, other = PANELS["B"].groups
    rows = [(name, "OS", 7, day) for name in (group, other) for day in (0.0, 100.0, last)]
    bounds = pd.DataFrame(rows, columns=["group", "endpoint", "n", "time_days"])[
        ["group", "endpoint", "time_days", "n"]
    ]
    bounds = bounds.assign(table_lower=0.0, table_upper=1.0, lower=0.0, upper=1.0)
    figure = draw_bounds(bounds)
    assert figure.get_suptitle() == f"IDENTIFIED, panel {PANELS['B'].title}"
    for axis in figure.axes:
        assert axis.get_xlim()[1] > 1.03 * last / DAYS_PER_MONTH
        assert any(isinstance(each, PolyCollection) for each in axis.collections)


def test_every_group_has_a_row_for_its_name() -> None:
    axis = Figure().subplots()
    group_of = {1: "CART1", 2: "CART1", 12: "CART2", 19: "CART+HSCT"}
    rows = place_patients(axis, group_of)
    names = {round(text.get_position()[1]): text.get_text() for text in axis.texts}
    assert names == {0: "CART1 (n = 2)", 3: "CART2 (n = 1)", 5: "CART+HSCT (n = 1)"}
    assert not set(names) & set(rows.values())
    assert [*rows] == [int(label.get_text()) for label in axis.get_yticklabels()]


def test_months_reach_the_one_that_a_curve_misses_by_a_day() -> None:
    assert nice_months(730 / DAYS_PER_MONTH) == [0, 6, 12, 18, 24]
    assert nice_months(728 / DAYS_PER_MONTH) == [0, 6, 12, 18]
    assert np.isclose(730 / DAYS_PER_MONTH, 23.98, atol=0.01)
