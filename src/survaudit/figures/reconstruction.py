"""Clicks on curves, what was reconstructed from them, and whose times these could be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from survaudit.errors import InputError
from survaudit.figures.curves import draw_curves
from survaudit.figures.style import DAYS_PER_MONTH, GROUP_STYLES, INK, ink_on, name_kind, wear_kind
from survaudit.follow_up.digitised import Clicks
from survaudit.follow_up.linking import Matchings
from survaudit.follow_up.reconstruct import Reconstruction
from survaudit.survival.curves import KaplanMeier

_KIND, _EXAMPLE = "RECONSTRUCTED", "SYNTHETIC"


def draw_clicks(curves: Sequence[KaplanMeier], clicks: Sequence[Clicks]) -> Figure:
    """Draw the curves of the worked example, and the clicks that were simulated on them as crosses.

    Parameters
    ----------
    curves : sequence of KaplanMeier
        Of leukaemia-free survival, labelled with groups of the book.
    clicks : sequence of Clicks, same length
    """
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    axis = figure.subplots()
    draw_curves(axis, curves, [GROUP_STYLES[curve.label] for curve in curves])
    for one in clicks:
        _cross(axis, one)
    wear_kind(axis, _EXAMPLE)
    name_kind(figure, _EXAMPLE, "LFS, and simulated clicks")
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
    unknown = [one.arm for one in arms if one.arm not in GROUP_STYLES]
    if len(endpoints) != 1 or unknown:
        raise InputError(
            f"arms: found endpoints {sorted(endpoints)} and arms {[one.arm for one in arms]}, expected one endpoint "
            f"and arms among {', '.join(GROUP_STYLES)}; name them as the book does"
        )
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    axis = figure.subplots()
    draw_curves(axis, [one.curve for one in arms], [GROUP_STYLES[one.arm] for one in arms])
    for one in arms:
        _cross(axis, one.clicks)
    wear_kind(axis, _KIND)
    name_kind(figure, _KIND, endpoints.pop())
    return figure


def _cross(axis: Axes, clicks: Clicks) -> None:
    axis.plot(clicks.time_days / DAYS_PER_MONTH, clicks.survival, "x", color=INK, markersize=3.5, zorder=3)


def draw_matchings(found: Matchings) -> Figure:
    """Draw in which share of the feasible matchings each reconstructed time is each patient's.

    Parameters
    ----------
    found : Matchings
    """
    shares = found.to_frame()
    figure = Figure(figsize=(7.2, 0.42 * len(shares) + 1.6), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(shares, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares.to_numpy()):
        if share:
            axis.text(
                column, row, f"{share:.0%}", ha="center", va="center", fontsize="small",
                color=ink_on(image.to_rgba(share)[:3]),
            )  # fmt: skip
    axis.set_xticks(range(len(shares.columns)), [str(patient) for patient in shares.columns])
    axis.set_yticks(range(len(shares)), [f"day {day:.0f}" for day in shares.index])
    axis.set(xlabel=f"Patients of {found.arm}", ylabel=f"Reconstructed {found.endpoint}")
    wear_kind(axis, _KIND)
    figure.colorbar(image, ax=axis, label="Share of the matchings")
    name_kind(figure, _KIND, "whose could each time be?")
    return figure
