"""What a drawing must not hide: steps under a frame, bars beyond a cut, words beyond an axis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from lifelines.datasets import load_stanford_heart_transplants
from matplotlib.collections import PolyCollection
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from survaudit.cohort.describe import group_differences
from survaudit.cohort.panels import PANELS
from survaudit.cohort.tables import Supplement, cell_states
from survaudit.cohort.timeline import dated_events, patient_flow, recorded_states
from survaudit.figures import immortal as immortal_figures
from survaudit.figures import patients, timeline
from survaudit.figures.curves import nice_months
from survaudit.figures.cuts import draw_split, draw_split_cohort
from survaudit.figures.panels import draw_bounds
from survaudit.figures.style import DAYS_PER_MONTH, place_patients, wear_kind
from survaudit.immortal.episodes import episodes, simon_makuch
from survaudit.survival.curves import kaplan_meier

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


MEASURES = dict.fromkeys(("age_years", "mrd_percent", "blasts_percent", "transduction_percent"), "words")


def _hearts() -> Figure:
    heart = load_stanford_heart_transplants()
    by = heart.groupby("id")
    time, died, ever = by["stop"].max(), by["event"].max(), by["transplant"].max()
    naive = [kaplan_meier(time[ever == k], died[ever == k], label=name) for k, name in enumerate(("never", "ever"))]
    proper = simon_makuch(episodes(*(heart[name] for name in ("id", "start", "stop", "event", "transplant"))), 30)
    return immortal_figures.draw_simon_makuch(naive, proper, ("waiting", "heart"))


def _rejections() -> Figure:
    rates = pd.DataFrame({"analysis": ["panel A", "landmark"], "kind": ["published", "proper"]})
    return immortal_figures.draw_rejections(rates.assign(least=0.1, base=0.2, most=0.3, permuted=0.15), 0.05)


def _swimmers(supplement: Supplement, *, calendar: bool) -> Figure:
    events, states = dated_events(supplement.treatments), recorded_states(supplement.treatments)
    return timeline.draw_swimmers(events, states, calendar=calendar)


Draw = Callable[[Supplement], Figure]
OF_THE_TABLES: dict[str, Draw] = {
    "cells": lambda of: patients.draw_cell_states(
        {name: cell_states(of, name) for name in of.repairs["table"].unique()}
    ),
    "printed pair": lambda _: patients.draw_chi_square_and_p((5.585, 5.595), (0.0165, 0.0175)),
    "split": lambda of: draw_split_cohort(of.cohort["mrd_percent"], 65.3, "MRD (%)"),
    "distributions": lambda of: patients.draw_distributions(of.cohort, MEASURES),
    "blasts": lambda of: patients.draw_mrd_and_blasts(of.cohort, [2, 17]),
    "differences": lambda of: patients.draw_group_differences(group_differences(of.cohort)),
    "swimmers": lambda of: _swimmers(of, calendar=False),
    "swimmers by the calendar": lambda of: _swimmers(of, calendar=True),
    "flow": lambda of: timeline.draw_flow(patient_flow(of.treatments)),
    "calendar": lambda of: timeline.draw_calendar(dated_events(of.treatments)),
}
OF_OTHERS: dict[str, tuple[str, Draw]] = {
    "hearts": ("PUBLIC DATA", lambda _: _hearts()),
    "rejections": ("SIMULATED", lambda _: _rejections()),
}
NAMED = {name: ("IDENTIFIED", draw) for name, draw in OF_THE_TABLES.items()} | OF_OTHERS


@pytest.mark.parametrize("name", NAMED)
def test_a_figure_carries_its_kind_wherever_it_is_taken(name: str, supplement: Supplement) -> None:
    kind, draw = NAMED[name]
    assert draw(supplement).get_suptitle().startswith(f"{kind}: ")
