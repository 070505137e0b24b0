"""Survival curves as papers print them: steps, censoring ticks, numbers at risk under the axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from survaudit.errors import InputError
from survaudit.figures.style import DAYS_PER_MONTH, GROUP_STYLES, INK, GroupStyle, figure_of
from survaudit.survival.curves import KaplanMeier

if TYPE_CHECKING:  # what is drawn of another cohort loads nothing of this paper's
    from survaudit.follow_up.reconstruct import Reconstruction


def draw_curves(axis: Axes, curves: Sequence[KaplanMeier], styles: Sequence[GroupStyle] | None = None) -> None:
    """Draw Kaplan-Meier curves with censoring ticks, and numbers at risk aligned under the axis.

    Parameters
    ----------
    axis : Axes
        Where to draw.
    curves : sequence of KaplanMeier
        Their labels head the rows of numbers at risk.
    styles : sequence of GroupStyle, same length, optional
        Without, those of the groups after which the curves are labelled.
    """
    styles = [GROUP_STYLES[curve.label] for curve in curves] if styles is None else styles
    ticks = nice_months(max(float(curve.times[-1]) for curve in curves) / DAYS_PER_MONTH)
    rows = []
    for curve, style in zip(curves, styles, strict=True):
        months = np.concatenate([[0.0], curve.times / DAYS_PER_MONTH])
        survival = np.concatenate([[1.0], curve.survival])
        label = f"{curve.label} (n = {curve.n}, events {curve.n_events})"
        axis.step(months, survival, where="post", color=style.colour, linestyle=style.line, linewidth=1.8, label=label)
        censored = curve.censored > 0
        axis.plot(months[1:][censored], survival[1:][censored], "|", color=style.colour, markersize=7)
        at_risk = curve.at_risk_at(np.array(ticks) * DAYS_PER_MONTH)
        rows.append((curve.label, style.words, dict(zip(ticks, at_risk, strict=True))))
    axis.set(ylim=(-0.02, 1.02), xlim=(-0.02 * ticks[-1], None), ylabel="Survival", xlabel="Months", xticks=ticks)
    axis.legend(fontsize="small", loc="best")
    write_at_risk(axis, rows)


def write_at_risk(
    axis: Axes, rows: Sequence[tuple[str, str, Mapping[int, int]]], *, shift: float = -1.2, side: str = "right"
) -> None:
    """Write numbers at risk under the months of an axis, at a distance in points from it.

    Parameters
    ----------
    axis : Axes
    rows : sequence of (str, str, mapping of int to int)
        What heads each row, its colour, and month to number at risk.
    shift : float
        Where a head is, from the axis' left edge, in sizes of the letters.
    side : str
        Which of its sides is there.
    """
    size = mpl.rcParams["font.size"]
    place: dict[str, Any] = {"textcoords": "offset points", "va": "top", "fontsize": "small"}
    under = axis.get_xaxis_transform()
    axis.annotate("At risk", (0, 0), (0, -3.6 * size), xycoords="axes fraction", ha="left", **place)
    for row, (head, colour, counts) in enumerate(rows, start=1):
        y = -(3.6 + 1.25 * row) * size  # the first row is under the ticks and the label of the axis
        axis.annotate(head, (0, 0), (shift * size, y), xycoords="axes fraction", ha=side, color=colour, **place)
        for month, count in counts.items():
            axis.annotate(str(int(count)), (month, 0), (0, y), xycoords=under, ha="center", color=colour, **place)


def draw_survival(curves: Sequence[KaplanMeier]) -> Figure:
    """Draw the curves of up to three groups of a public cohort, in the order given."""
    figure, axis = figure_of("PUBLIC DATA", "survival by group", 4.6)
    draw_curves(axis, curves, list(GROUP_STYLES.values())[: len(curves)])
    return figure


def draw_reconstruction(arms: Sequence[Reconstruction]) -> Figure:
    """Draw the curves of reconstructed arms, the clicks as crosses, and the numbers at risk.

    Parameters
    ----------
    arms : sequence of Reconstruction
        Arms of the book, of one endpoint.

    Raises
    ------
    InputError
        If there is none, an arm is not one of the book's, or the endpoints differ.
    """
    endpoints = {one.endpoint for one in arms}
    if len(endpoints) != 1 or not {one.arm for one in arms} <= {*GROUP_STYLES}:
        raise InputError(
            f"arms: found endpoints {sorted(endpoints)} and arms {[one.arm for one in arms]}, expected one endpoint "
            f"and arms among {', '.join(GROUP_STYLES)}; name them as the book does"
        )
    figure, axis = figure_of("RECONSTRUCTED", endpoints.pop(), 4.6)
    draw_curves(axis, [one.curve for one in arms])
    for one in arms:
        months = one.clicks.time_days / DAYS_PER_MONTH
        axis.plot(months, one.clicks.survival, "x", color=INK, markersize=3.5, zorder=3)
    return figure


def nice_months(last: float) -> list[int]:
    """Return four to seven round numbers of months from 0 to the last one shown.

    The last number may lie a day beyond the last month: curves that end within a day of 24 months reach 24.

    Examples
    --------
    >>> nice_months(23.98)
    [0, 6, 12, 18, 24]
    """
    step = next(step for step in (1, 2, 3, 6, 12, 24, 36, 60, 120, 240, 1200) if last / step <= 6)
    return list(range(0, int(last + 1 / DAYS_PER_MONTH) + 1, step))
