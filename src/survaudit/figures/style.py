"""One style for all figures: colours, lines and the way they reach the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text


@dataclass(frozen=True)
class GroupStyle:
    """How a treatment group looks everywhere: colour, line, marker, hatch, and the colour of words on it."""

    colour: str
    line: str
    marker: str
    hatch: str
    words: str


# Three lightnesses far enough apart to tell in grey, and hues that stay apart in colour blindness
# (after Paul Tol's high-contrast scheme); line, marker and hatch repeat the difference without colour.
# Letters are thinner than lines: on white, words need a darker shade of the last one.
GROUP_STYLES = {
    "CART1": GroupStyle("#004488", "-", "o", "", "#004488"),
    "CART2": GroupStyle("#b3415a", "--", "s", "///", "#b3415a"),
    "CART+HSCT": GroupStyle("#b57f00", "-.", "D", "...", "#8a6100"),
}

# Days in code, months on axes: the convention of the whole book.
DAYS_PER_MONTH = 30.4375

# The kinds of survival figure, as the page on how to read the book colours them. What shows no patient of the paper,
# PUBLIC DATA or SIMULATED, has none of these kinds, and says so in grey.
KIND_COLOURS = {
    "IDENTIFIED": "#0b5394",
    "COMPATIBLE": "#1a6b5c",
    "SYNTHETIC": "#a1201a",
    "RECONSTRUCTED": "#7a5200",
    "SUPPLIED": "#4a2a86",
}

INK = "#1b1b1b"
QUIET = "#5f6670"
FAINT = "#d5d9de"
HATCH = "#8d959e"
ALERT = "#b3261e"

_SETTINGS: dict[Any, Any] = {
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    "savefig.bbox": "tight",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "font.size": 10,
    **dict.fromkeys(("axes.titlesize", "figure.titlesize"), 11),
    **dict.fromkeys(("axes.titleweight", "figure.titleweight"), "bold"),
    "axes.titlelocation": "left",
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
    **dict.fromkeys(("axes.labelcolor", "text.color", "xtick.color", "ytick.color"), INK),
    "axes.edgecolor": QUIET,
    "grid.color": FAINT,
    **dict.fromkeys(("grid.linewidth", "hatch.linewidth"), 0.6),
    # Byte-identical files: no random ids, no date.
    "svg.hashsalt": "survaudit",
    "svg.fonttype": "path",
}


def ink_on(colour: Any) -> str:
    """Return the ink, dark or white, that is easier to read on a colour (WCAG 2.2, contrast ratio)."""
    values = np.array(to_rgb(colour))
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    # Where both are equally easy, (L + 0.05) / 0.05 is 1.05 / (L + 0.05) for black.
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


class _Watermark(Text):
    """A word across an axis, as large as fits into it: how wide the axis is, only a finished layout knows."""

    def draw(self, renderer: RendererBase) -> None:
        room, own = self.axes.bbox, self.get_window_extent(renderer)  # type: ignore[union-attr]
        fits = 0.94 * min(room.width / own.width, room.height / own.height)
        self.set_fontsize(min(34.0, float(self.get_fontsize()) * fits))
        super().draw(renderer)


def wear_kind(axis: Axes, kind: str) -> None:
    """Give an axis the frame of its kind; across a SYNTHETIC one, write the word."""
    axis.spines[:].set_visible(True)
    axis.spines[:].set(color=KIND_COLOURS[kind], linewidth=1.6)
    if kind == "SYNTHETIC":
        word = _Watermark(0.5, 0.5, kind, ha="center", va="center", rotation=24, fontsize=34, fontweight="bold")
        word.set(color=KIND_COLOURS[kind], alpha=0.16, zorder=0, transform=axis.transAxes, in_layout=False)
        axis.add_artist(word)  # which clips it to the axis, too


def figure_of(
    kind: str, words: str, height: float, *grid: int, joint: str = ": ", width: float = 7.2, **how: Any
) -> tuple[Figure, Any]:
    """Return an empty figure as wide as the page, with its kind over its left edge, and its axes.

    Axes wear their kind, unless it is IDENTIFIED: a table drawn as it is printed needs no frame.

    Parameters
    ----------
    kind, words, joint : str
        What the title says, in the colour of the kind; the joint stands between the two.
    height, width : float
        In inches.
    *grid, **how
        As for ``Figure.subplots``.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(f"{kind}{joint}{words}", color=KIND_COLOURS.get(kind, QUIET), x=0.02, ha="left")
    axes = figure.subplots(*grid, **how)
    if kind in KIND_COLOURS and kind != "IDENTIFIED":
        for axis in np.ravel(axes):
            wear_kind(axis, kind)
    return figure, axes


def marked(label: str, marker: str, **look: Any) -> Line2D:
    """Return an entry of a legend: a mark without a line."""
    return Line2D([], [], color="none", marker=marker, label=label, **look)


def place_patients(axis: Axes, group_of: Mapping[int, str]) -> dict[int, int]:
    """Give each patient a row of an axis, with a row above each group for its name, and return the rows.

    Parameters
    ----------
    axis : Axes
    group_of : mapping of int to str
        Patient to group, in the order of a group's rows, from the top.
    """
    groups = [group for group in GROUP_STYLES if group in group_of.values()]
    order = sorted(group_of, key=lambda patient: groups.index(group_of[patient]))
    rows = {patient: row + 1 + groups.index(group_of[patient]) for row, patient in enumerate(order)}
    for name in groups:
        own = [rows[patient] for patient, group in group_of.items() if group == name]
        label = axis.text(0.012, own[0] - 1, f"{name} (n = {len(own)})", color=GROUP_STYLES[name].words, va="center")
        label.set(fontweight="bold", transform=axis.get_yaxis_transform())
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})  # no line of the axis strikes it through
    axis.set_yticks(list(rows.values()), [str(patient) for patient in rows], fontsize=8.5)
    axis.set(ylim=(max(rows.values()) + 0.9, -0.7), ylabel="Patient")
    return rows


def use_book_style() -> None:
    """Set the book's style, and have notebooks show figures as vector graphics without a date."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats  # noqa: PLC0415 - only in notebooks

    mpl.rcParams.update(_SETTINGS)
    pd.set_option("display.max_colwidth", None)  # a reader wants the whole sentence
    set_matplotlib_formats("svg", metadata={"Date": None}, bbox_inches="tight")
