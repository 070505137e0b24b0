"""The groups must be told apart in grey, in colour blindness, and on a light or a dark page."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from survaudit.cohort.schema import GROUPS
from survaudit.figures.style import ALERT, GROUP_STYLES, INK, KIND_COLOURS, QUIET

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
