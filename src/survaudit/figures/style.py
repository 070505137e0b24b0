"""One style for all figures: colours, lines and the way they reach the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb


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

# The kinds of survival figure, as the page on how to read the book colours them.
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
    "figure.figsize": (7.2, 4.2),
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "savefig.bbox": "tight",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
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


def wear_kind(axis: Axes, kind: str) -> None:
    """Give an axis the frame of its kind; across a SYNTHETIC one, write the word."""
    axis.spines[:].set_visible(True)
    axis.spines[:].set(color=KIND_COLOURS[kind], linewidth=1.6)
    if kind == "SYNTHETIC":
        axis.text(
            0.5, 0.5, kind, transform=axis.transAxes, ha="center", va="center", rotation=24, fontsize=34,
            fontweight="bold", color=KIND_COLOURS[kind], alpha=0.16, zorder=0,
        )  # fmt: skip


def use_book_style() -> None:
    """Set the book's style, and have notebooks show figures as vector graphics without a date."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats  # noqa: PLC0415 - only in notebooks

    mpl.rcParams.update(_SETTINGS)
    pd.set_option("display.max_colwidth", None)  # a reader wants the whole sentence
    set_matplotlib_formats("svg", metadata={"Date": None}, bbox_inches="tight")
