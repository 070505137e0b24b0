"""The audit of another cohort needs nothing of this paper, and agrees with R on its models."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lifelines.datasets import load_gbsg2

from survaudit.cutpoint.scan import scan_stratified
from survaudit.figures.curves import draw_survival
from survaudit.survival.curves import kaplan_meier
from survaudit.survival.hazards import cox

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "notebooks" / "13_another_paper.md"
R = {
    entry["id"]: entry["result"]
    for entry in json.loads((PROJECT / "data" / "reference" / "gbsg2.json").read_text())["entries"]
}


def imports() -> list[str]:
    return re.findall(r"^(?:from|import) .+$", PAGE.read_text(), flags=re.MULTILINE)


def test_the_page_imports_nothing_of_the_paper() -> None:
    assert any(line.startswith("from survaudit.cutpoint import") for line in imports())
    assert [line for line in imports() if "survaudit.cohort" in line] == []


def test_nor_does_anything_that_it_imports() -> None:
    code = "\n".join([*imports(), "print(*(name for name in sys.modules if name.startswith('survaudit')))"])
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    loaded = told.stdout.split()
    assert {"survaudit.survival.curves", "survaudit.figures.tables"} <= set(loaded)
    assert [name for name in loaded if name.startswith("survaudit.cohort")] == []


def test_the_adjusted_model_is_that_of_r() -> None:
    trial, theirs = load_gbsg2(), R["cox/GBSG2/8/efron"]
    covariates = {
        "horTh": (trial["horTh"] == "yes").astype(int),
        "age": trial["age"],
        "menostat": (trial["menostat"] == "Post").astype(int),
        "tsize": trial["tsize"],
        "tgrade": trial["tgrade"].map({"I": 1, "II": 2, "III": 3}),
        "pnodes": trial["pnodes"],
        "progrec": trial["progrec"],
        "estrec": trial["estrec"],
    }
    table = cox(trial["time"], trial["cens"], covariates).table
    np.testing.assert_allclose(table["coef"], theirs["coef"], rtol=1e-6)
    np.testing.assert_allclose(table["std_error"], theirs["se"], rtol=1e-6)
    np.testing.assert_allclose(table["lower"], theirs["hr_lower"], rtol=1e-6)


def test_hormones_within_strata_are_those_of_r() -> None:
    trial, theirs = load_gbsg2(), R["logrank/GBSG2_horTh_strat"]
    hormones = (trial["horTh"] == "yes").astype(int)
    found = scan_stratified(hormones, trial["time"], trial["cens"], trial["menostat"] + trial["tgrade"])
    assert found.chi2[0] == pytest.approx(theirs["chisq"], rel=1e-10)
    assert found.excess[0] == pytest.approx(theirs["observed"][1] - theirs["expected"][1], rel=1e-10)


def test_curves_of_any_cohort_keep_their_names() -> None:
    curves = [kaplan_meier([1, 2, 3], [1, 0, 1], label=name) for name in ("one", "two")]
    figure = draw_survival(curves)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert [label.split(" ")[0] for label in labels] == ["one", "two"]
