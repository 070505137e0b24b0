"""A reconstructed curve over the clicks that it was read from."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from survaudit.errors import InputError
from survaudit.figures.curves import draw_curves
from survaudit.figures.style import DAYS_PER_MONTH, GROUP_STYLES, INK, KIND_COLOURS
from survaudit.reconstruct import Reconstruction


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
    figure = Figure(figsize=(7.2, 4.6))
    axis = figure.subplots()
    draw_curves(axis, [one.curve for one in arms], [GROUP_STYLES[one.arm] for one in arms])
    for one in arms:
        axis.plot(one.clicks.time_days / DAYS_PER_MONTH, one.clicks.survival, "x", color=INK, markersize=3.5, zorder=3)
    axis.set_title(f"RECONSTRUCTED: {endpoints.pop()}", color=KIND_COLOURS["RECONSTRUCTED"])
    return figure
