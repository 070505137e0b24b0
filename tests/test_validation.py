"""The page that sets R's values beside ours: nothing left out, and nothing that agrees whatever R says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from survaudit.errors import InputError
from survaudit.figures.validation import FoldedTable, section_tables, summary_table
from survaudit.reference import (
    AGREES,
    DIFFERS,
    EXPLAINED,
    NO_COUNTERPART,
    Ours,
    Rule,
    compare,
    flat,
    read_data,
    read_entries,
)
from survaudit.validation import SECTIONS, Section, Validation, read_section, validate

FILES = ("cutpoint", "gbsg2", "heart", "ipd", "stratified", "survival")


@pytest.fixture(scope="module")
def folder(project: Path) -> Path:
    return project / "data" / "reference"


@pytest.fixture(scope="module")
def found(folder: Path) -> Validation:
    return validate(folder)


def numbers_in(values: Any) -> int:
    """Count numbers, infinities and missing values of a result, and no words."""
    if isinstance(values, dict):
        return sum(map(numbers_in, values.values()))
    if isinstance(values, list):
        words = any(isinstance(each, str) and each != "Inf" for each in values)
        return 0 if words else sum(map(numbers_in, values))
    return int(values is None or isinstance(values, int | float) or values == "Inf")


def test_every_file_of_values_is_on_the_page(folder: Path) -> None:
    assert sorted(path.stem for path in folder.glob("*.json")) == list(FILES)
    assert {section.file for section in SECTIONS} == set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_every_call_is_in_exactly_one_section(folder: Path, file: str) -> None:
    ids = [entry["id"] for entry in read_entries(folder, file)]
    placed = [entry["id"] for section in SECTIONS if section.file == file for entry in read_section(folder, section)]
    assert sorted(placed) == sorted(ids)


def test_every_number_of_r_has_its_place(folder: Path, found: Validation) -> None:
    counted = found.to_frame().groupby("entry")["numbers"].sum().to_dict()
    entries = [entry for section in SECTIONS for entry in read_section(folder, section)]
    assert counted == {entry["id"]: numbers_in(entry["result"]) for entry in entries}
    raw = json.loads((folder / "cutpoint.json").read_text())["entries"]
    total = sum(numbers_in(entry["result"]) for entry in raw)
    assert sum(counted[entry["id"]] for entry in raw) == total > 15_000


def test_nothing_differs_and_what_is_explained_is_what_is_known(found: Validation) -> None:
    frame = found.to_frame()
    differs = frame[frame["verdict"] == DIFFERS]
    assert differs[["entry", "quantity", "r", "ours"]].to_dict("records") == []
    explained = frame[frame["verdict"] == EXPLAINED]
    assert set(explained["entry"].str.extract(r"(Lau94|Lau92|pLausen94|exactGauss|/HL/|check|notable)")[0]) == {
        "Lau94", "Lau92", "pLausen94", "exactGauss", "/HL/", "check", "notable",
    }  # fmt: skip
    assert len(explained) < 0.03 * len(frame)
    compared = frame[frame["verdict"] != NO_COUNTERPART]
    assert compared["numbers"].sum() > 0.8 * frame["numbers"].sum()


def spoiled(values: Any, path: str) -> Any:
    """A copy of a result in which the first number at a path is far from what it was."""
    if not path:
        return [-1e6, *values[1:]] if isinstance(values, list) else -1e6
    if isinstance(values, list):
        place, rest = path.removeprefix("[").split("]", 1)
        changed = {int(place): spoiled(values[int(place)], rest.removeprefix("."))}
        return [changed.get(i, value) for i, value in enumerate(values)]
    # Names of R may hold dots themselves: "n.max", "0.95LCL", "nrisk.hat".
    key = max((key for key in values if path.startswith(key)), key=len)
    return values | {key: spoiled(values[key], path.removeprefix(key).removeprefix("."))}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_a_spoiled_value_shows_as_one_that_differs(folder: Path, section: Section) -> None:
    entries = read_section(folder, section)
    # The first and last of a kind; what R returned is spoiled after ours was computed.
    for entry in {entry["id"]: entry for entry in (entries[0], entries[len(entries) // 2], entries[-1])}.values():
        ours = section.recompute(folder, entry)
        whole = compare("", entry, ours, lambda *_: "")
        quantities = [row.quantity for row in whole if row.verdict != NO_COUNTERPART]
        for quantity in quantities:
            bad = entry | {"result": spoiled(entry["result"], quantity)}
            verdicts = {row.quantity: row.verdict for row in compare("", bad, ours, lambda *_: "")}
            assert [name for name, verdict in verdicts.items() if verdict == DIFFERS] == [quantity]


def test_a_spoiled_file_shows_in_the_summary(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    content = json.loads((folder / "stratified.json").read_text())
    content["chisq"][7] *= 1 + 1e-6
    (tmp_path / "stratified.json").write_text(json.dumps(content))
    only = tuple(section for section in SECTIONS if section.file == "stratified")
    spoilt = validate(tmp_path, only)
    assert spoilt.summary().set_index("rule")["disagree"].tolist() == [0, 25]
    row = spoilt.by_call(only[0].title).iloc[0]
    assert (row["verdict"], row["quantity"], row["r"]) == (DIFFERS, "chisq", content["chisq"][7])


# ------------------------------------------------------------------ rules


def judged(theirs: object, ours: Ours) -> str:
    entry = {"id": "x", "call": "f()", "result": {"value": theirs}}
    return compare("", entry, {"value": ours}, lambda *_: "")[0].verdict


HUNDREDTH = Rule("a hundredth", relative=0.01)


@pytest.mark.parametrize(
    ("theirs", "ours", "verdict"),
    [
        (1.009, Ours(1.0, HUNDREDTH), AGREES),
        (1.011, Ours(1.0, HUNDREDTH), DIFFERS),
        ([1, None, "Inf"], Ours([1.0, np.nan, np.inf], HUNDREDTH), AGREES),
        ([1, None], Ours([1.0, 2.0], HUNDREDTH), DIFFERS),
        ([1, 2], Ours([1.0, np.nan], HUNDREDTH), DIFFERS),
        ([1, "Inf"], Ours([1.0, 5.0], HUNDREDTH), DIFFERS),
        ([1, 2, 3], Ours([1.0, 2.0], HUNDREDTH), DIFFERS),
        (0.5, Ours(0.9, Rule("below", explains=True), 0.0, 0.9), EXPLAINED),
        (0.95, Ours(0.9, Rule("below", explains=True), 0.0, 0.9), DIFFERS),
    ],
)
def test_agreement_is_what_the_rule_says(theirs: object, ours: Ours, verdict: str) -> None:
    assert judged(theirs, ours) == verdict


def test_the_place_that_is_shown_is_the_one_that_is_furthest_apart() -> None:
    entry = {"id": "x", "call": "f()", "result": {"value": [10.0, 20.0, 40.0]}}
    row = compare("", entry, {"value": Ours([10.0, 21.0, 39.5], Rule("two", absolute=2))}, lambda *_: "")[0]
    assert (row.r, row.ours, row.difference, row.relative, row.numbers) == (20.0, 21.0, 1.0, 0.05, 3)


def test_what_r_did_not_return_is_refused() -> None:
    entry = {"id": "x", "call": "f()", "result": {"value": 1}}
    with pytest.raises(InputError, match=r"found values for \['other'\]"):
        compare("", entry, {"other": Ours(1.0, HUNDREDTH)}, lambda *_: "")


def test_a_number_without_counterpart_or_reason_is_refused(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "stratified.json").read_text()) | {"novelty": 1}
    (tmp_path / "stratified.json").write_text(json.dumps(content))
    (tmp_path / "ovarian.csv").write_bytes((folder / "ovarian.csv").read_bytes())
    with pytest.raises(InputError, match="found novelty, expected a counterpart or a reason"):
        validate(tmp_path, tuple(section for section in SECTIONS if section.file == "stratified"))
    with pytest.raises(InputError, match="found no file"):
        read_entries(tmp_path, "heart")


def test_numbers_keep_their_paths_and_words_are_left_out() -> None:
    found = flat({"a": {"b": [[1, 2], [3, None]]}, "names": ["x", "y"], "c": "Inf"})
    assert {path: values.tolist() for path, values in found.items() if path != "a.b[1]"} == {
        "a.b[0]": [1.0, 2.0], "c": [np.inf],
    }  # fmt: skip
    assert np.isnan(found["a.b[1]"][1])


def test_data_cannot_be_changed_for_the_next_reader(folder: Path) -> None:
    read_data(folder, "aml")["time"] = 0
    assert read_data(folder, "aml")["time"].max() > 100


# ------------------------------------------------------------------ tables


def test_tables_show_every_call_and_every_rule(found: Validation) -> None:
    summary = summary_table(found).frame
    assert summary["Section"].nunique() == len(SECTIONS)
    assert summary["Do not agree"].sum() == 0
    folded = section_tables(found)
    frame = found.to_frame()
    compared = frame[frame["verdict"] != NO_COUNTERPART]
    assert sum(len(each.table.frame) for each in folded) == compared["entry"].nunique()
    assert sum(each.table.frame["Numbers"].sum() for each in folded) == compared["numbers"].sum()


def test_a_folded_table_names_what_it_hides() -> None:
    shown = FoldedTable(pd.DataFrame({"a": [1]}), "Curves & tests: 1 calls")._repr_html_()
    assert shown.startswith('<details class="folded-table"><summary>Curves &amp; tests: 1 calls</summary>')
    assert 'tabindex="0"' in shown
