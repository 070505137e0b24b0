"""The groups must be told apart in grey, in colour blindness, and on a light or a dark page."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from survaudit.cohort.schema import GROUPS
from survaudit.figures.style import ALERT, GROUP_STYLES, INK, KIND_COLOURS, QUIET, ink_on

# How a person without red, green or blue cones sees linear RGB (Machado, Oliveira, Fernandes 2009, severity 1).
BLIND = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour: str) -> np.ndarray:
    values = np.array(to_rgb(colour))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one: float, other: float) -> float:
    light, dark = max(one, other), min(one, other)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def test_figures_and_pages_colour_a_kind_alike(project: Path) -> None:
    light = (project / "book" / "assets" / "survaudit.css").read_text().split("}", 1)[0]
    told = dict(re.findall(r"--sa-(\w+): (#\w+);", light))
    assert {kind: told[kind.lower()] for kind in KIND_COLOURS} == KIND_COLOURS


@pytest.mark.parametrize("colour", [*(style.colour for style in GROUP_STYLES.values()), INK, QUIET, ALERT])
def test_ink_stands_out_on_white(colour: str) -> None:
    assert contrast(luminance(colour), 1.0) >= 3.0  # WCAG 2.2, 1.4.11


@pytest.mark.parametrize(("one", "other"), [*combinations(GROUPS, 2)])
def test_groups_differ_in_grey_and_in_everything_else(one: str, other: str) -> None:
    a, b = GROUP_STYLES[one], GROUP_STYLES[other]
    assert contrast(luminance(a.colour), luminance(b.colour)) >= 1.4
    assert a.line != b.line
    assert a.marker != b.marker
    assert a.hatch != b.hatch


@pytest.mark.parametrize("kind", BLIND)
@pytest.mark.parametrize(("one", "other"), [*combinations(GROUPS, 2)])
def test_groups_differ_in_colour_blindness(kind: str, one: str, other: str) -> None:
    seen = [np.clip(np.array(BLIND[kind]) @ linear(GROUP_STYLES[group].colour), 0, 1) for group in (one, other)]
    encoded = [np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055) for v in seen]
    assert np.linalg.norm(encoded[0] - encoded[1]) >= 0.25


@pytest.mark.parametrize("grey", np.linspace(0, 1, 41).tolist())
def test_ink_is_readable_on_every_grey(grey: float) -> None:
    on = (grey, grey, grey)
    assert contrast(float(linear(ink_on(on))[0]), float(linear(on)[0])) >= 4.5  # WCAG 2.2, 1.4.3


# A text of a finished figure, as matplotlib writes it with letters as paths: the words, then how they are filled.
TEXT = re.compile(r'<g id="text_\d+">\s*<!-- (?P<words>.*?) -->\s*<g(?: style="(?P<style>[^"]*)")?', re.DOTALL)


def test_words_of_every_finished_figure_are_readable(site: Path) -> None:
    """On the white card that every figure has in both themes; white words stand on cells, see ``ink_on``."""
    figures = sorted((site / "_images").glob("*.svg"))
    pale, seen = [], 0
    for figure in figures:
        for text in TEXT.finditer(figure.read_text(encoding="utf-8")):
            style = dict(part.split(": ") for part in (text["style"] or "").split("; ") if part)
            seen += 1
            if text["words"] == "SYNTHETIC" and "opacity" in style:  # the watermark; the caption says it again
                continue
            fill = style.get("fill", "#000000")
            if fill != "#ffffff" and ("opacity" in style or contrast(luminance(fill), 1.0) < 4.5):
                pale.append((figure.name, text["words"], style))
    assert len(figures) > 50
    assert seen > 20 * len(figures)
    assert pale == []
