"""Curves reconstructed from clicks, with the clicks on them."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from survaudit.errors import InputError
from survaudit.figures.curves import draw_curves
from survaudit.figures.style import DAYS_PER_MONTH, GROUP_STYLES, INK, name_kind, wear_kind
from survaudit.follow_up.reconstruct import Reconstruction

_KIND = "RECONSTRUCTED"


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
        months = one.clicks.time_days / DAYS_PER_MONTH
        axis.plot(months, one.clicks.survival, "x", color=INK, markersize=3.5, zorder=3)
    wear_kind(axis, _KIND)
    name_kind(figure, _KIND, endpoints.pop())
    return figure
