"""The page that sets R's values beside ours: nothing left out, and nothing that agrees whatever R says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import validation
import yaml
from scipy import stats
from validation import (
    AGREES,
    DIFFERS,
    EXPLAINED,
    NO_COUNTERPART,
    FoldedTable,
    Ours,
    answered,
    by_path,
    compare,
    evaluate,
    flat,
    judge,
    read,
    read_answers,
    read_entries,
    section_tables,
    summary_table,
    validate,
)

from survaudit.errors import InputError

FILES = ("cutpoint", "gbsg2", "heart", "ipd", "stratified", "survival")


FOLDER = Path(__file__).resolve().parents[1] / "data" / "reference"
PAIRS = list(answered(FOLDER))
RULES = read_answers(FOLDER)["rules"]
SECTIONS = read_answers(FOLDER)["sections"]


@pytest.fixture(scope="module")
def folder() -> Path:
    return FOLDER


@cache
def rows_of(i: int) -> list[dict[str, Any]]:
    return compare(FOLDER, *PAIRS[i])


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return pd.DataFrame([row for i in range(len(PAIRS)) for row in rows_of(i)])


@pytest.mark.parametrize("i", range(len(PAIRS)), ids=[entry["id"] for _, entry in PAIRS])
def test_a_call_of_r_is_answered(i: int) -> None:
    differs = [row for row in rows_of(i) if row["verdict"] == DIFFERS]
    assert [(row["quantity"], row["r"], row["ours"]) for row in differs] == []


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
    assert {section["file"] for section in SECTIONS} == set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_every_call_is_in_exactly_one_section_and_every_answer_answers_one(file: str) -> None:
    ids = [entry["id"] for entry in read_entries(FOLDER, file)]
    assert sorted(entry["id"] for section, entry in PAIRS if section["file"] == file) == sorted(ids)
    answers = [answer for section in SECTIONS if section["file"] == file for answer in section["answers"]]
    assert [answer["ids"] for answer in answers if not any(re.match(answer["ids"], name) for name in ids)] == []


def test_every_name_and_every_rule_is_used_and_every_reason_given(found: pd.DataFrame) -> None:
    assert {rule["name"] for rule in RULES.values()} == set(found["rule"]) - {""}
    assert {why for *_, why in read_answers(FOLDER)["reasons"]} == set(found.loc[found["rule"] == "", "why"])


def test_every_number_of_r_has_its_place(folder: Path, found: pd.DataFrame) -> None:
    frame = found
    counted = frame[~frame["derived"]].groupby("entry")["numbers"].sum().to_dict()
    entries = [entry for file in FILES for entry in read_entries(folder, file)]
    assert counted == {entry["id"]: numbers_in(entry["result"]) for entry in entries}
    raw = json.loads((folder / "cutpoint.json").read_text())["entries"]
    total = sum(numbers_in(entry["result"]) for entry in raw)
    assert sum(counted[entry["id"]] for entry in raw) == total > 15_000


def test_what_is_read_off_the_patients_of_r_is_no_number_of_r(found: pd.DataFrame) -> None:
    frame = found
    assert set(frame.loc[frame["derived"], "quantity"]) == {"curve"}
    assert set(frame.loc[frame["derived"], "entry"]) == {f"ipd/{arm}{end}" for arm in ARMS for end in ("", "_notable")}


def test_what_is_explained_is_what_is_known(found: pd.DataFrame) -> None:
    frame = found
    explained = frame[frame["verdict"] == EXPLAINED]
    known = "(Lau94|Lau92|pLausen94|exactGauss|Hothorn-Lausen|/HL/|check|notable)"
    assert explained["entry"].str.extract(known)[0].value_counts().to_dict() == {
        "pLausen94": 21, "exactGauss": 9, "Lau94": 9, "Hothorn-Lausen": 3, "/HL/": 3, "notable": 2, "Lau92": 1,
        "check": 1,
    }  # fmt: skip
    compared = frame[frame["verdict"] != NO_COUNTERPART]
    assert compared["numbers"].sum() > 0.8 * frame["numbers"].sum()


def test_reasons_hold_where_they_are_given(folder: Path, found: pd.DataFrame) -> None:
    results = {entry["id"]: entry["result"] for file in FILES for entry in read_entries(folder, file)}
    frame = found
    none = frame[frame["verdict"] == NO_COUNTERPART]
    errors = none[none["quantity"] == "p_error"]
    stated = errors["entry"].map(lambda name: results[name]["p_error"] is not None)
    assert (stated == errors["why"].str.contains("which the rule uses")).all()
    assert stated.sum() == 27
    assert len(errors) == 45  # nine of coin's scores by mid-ranks
    for name in none.loc[none["why"].str.contains("statistics alone"), "entry"]:
        assert results[name]["p"] is None
    # R goes on beyond the end of these curves, and of no others: the group, and its last day before R's.
    means = none[none["quantity"] == "table.rmean"].set_index("entry")["numbers"].to_dict()
    assert means == {f"km/{name}/log-log": 1 for name in
                     ("full/ovarian/rx", "full/lung/sex", "times/GBSG2/horTh", "times/lung/sex")}  # fmt: skip


def test_one_discrepancy_has_one_verdict(found: pd.DataFrame) -> None:
    # coin's P and maxstat's, of one statistic at the same cuts, with and without a stated error.
    frame = found.query("quantity == 'p'").set_index("entry")["verdict"]
    assert frame["scan/coin/GBSG2_estrec/Hothorn-Lausen"] == EXPLAINED
    for name in ("estrec", "progrec", "pnodes", "tsize", "age"):
        theirs = frame[f"scan/maxstat_p/GBSG2_{name}/exactGauss/min0.1_max0.9"]
        assert frame[f"scan/coin/GBSG2_{name}/Hothorn-Lausen"] == theirs


def sampled_tail(b: float, n: int, sizes: np.ndarray, draws: int, rng: np.random.Generator) -> tuple[float, float]:
    """P that any of jointly normal cuts exceeds b, and its error, by sampling paths that are made to exceed it.

    One cut is drawn, its statistic from the tail, and the path through it; a path with k exceedances counts 1/k.
    """
    m, chosen = np.asarray(sizes, float), rng.integers(len(sizes), size=draws)
    low, high = np.minimum.outer(m, m), np.maximum.outer(m, m)
    correlation = np.sqrt(low * (n - high) / (high * (n - low)))
    steps = rng.normal(size=(draws, len(m) + 1)) * np.sqrt(np.diff(m, prepend=0, append=n))
    sums = np.cumsum(steps, axis=1)
    paths = (sums[:, :-1] - sums[:, -1:] * m / n) / np.sqrt(m * (n - m) / n)
    tail = stats.norm.isf(rng.random(draws) * stats.norm.sf(b))
    apart = tail - paths[np.arange(draws), chosen]
    shares = 1 / (np.abs(paths + correlation[chosen] * apart[:, None]) >= b).sum(axis=1)
    one_by_one = 2 * len(m) * stats.norm.sf(b)
    return one_by_one * shares.mean(), one_by_one * shares.std() / np.sqrt(draws)


def test_what_r_misses_in_the_tail_is_there(folder: Path) -> None:
    entries = {entry["id"]: entry for entry in read_entries(folder, "cutpoint")}
    for name in ("estrec", "progrec", "pnodes"):
        for low, high in ((0.05, 0.95), (0.1, 0.9), (0.2, 0.8)):
            entry = entries[f"scan/maxstat_p/GBSG2_{name}/exactGauss/min{low}_max{high}"]
            frame, covariate = read(folder, "GBSG2"), np.sort(read(folder, "GBSG2")[name])
            below = np.flatnonzero(np.diff(covariate)) + 1
            sizes = below[(below >= int(len(frame) * low)) & (below <= int(len(frame) * high))]
            p, error = sampled_tail(entry["result"]["M"], len(frame), sizes, 20_000, np.random.default_rng(8))
            section = next(section for section, each in PAIRS if each["id"] == entry["id"])
            ours = evaluate(folder, section, entry)[1]["p"]
            assert abs(ours.value[0] - p) < 4 * error < 0.1 * p
            assert entry["result"]["p"] + entry["result"]["p_error"] < p - 4 * error or name == "pnodes"


# ------------------------------------------------------------------ what lies just beyond a rule

# Tolerances as typed here, so that a rule that is loosened in the code no longer meets them: from ours, R's result and
# the place of the value, how far R's may lie below ours and above.
RELATIVE = {"1e-8 relative, or 1e-12": (1e-8, 1e-12), "1e-8 relative": (1e-8, 0), "1e-9 relative": (1e-9, 0),
            "1e-8, relative or absolute": (1e-8, 1e-8), "1e-6": (1e-6, 1e-6)}  # fmt: skip
# Where R is off in a known way, how far it may be from where it was.
OFF = {"1e-9 relative, of our P with R's rounding", "1e-9 relative, of our bound as R counts",
       "1e-9 relative, of the formula without a limit"}  # fmt: skip
STATED = {"0.001, where R states no error": 1e-3, "2e-05, where R states no error": 2e-5}
# How long the clicks of the curve stay within half a per cent of one half, and twice half a per cent of its length.
MEDIANS = {"radio": 0.01 * 58.1, "radioplus": 28.4 - 24.6 + 0.01 * 55}
ARMS = {"radio": 213, "radioplus": 211}
DEATHS = "one death in each hundred"


def allowed(rule: str, entry: dict[str, Any], ours: float, r: float) -> tuple[float, float] | None:
    """The lowest and the highest value of R that a rule should allow."""
    result, arm = entry["result"], entry["id"].removesuffix("_notable").removeprefix("ipd/")
    if rule in RELATIVE:
        relative, absolute = RELATIVE[rule]
        around, off = ours, relative * abs(ours) + absolute
    elif rule in OFF:
        around, off = r, 1e-9 * r
    elif rule == "from the P of one cut to ours":
        return 2 * stats.norm.sf(result.get("M", result.get("T"))), ours
    elif rule == "R's error of integration" or rule in STATED:
        around, off = ours, STATED[rule] if rule in STATED else result["p_error"]
    elif rule == "equal":
        around, off = ours, 0.0
    elif rule.startswith(DEATHS):
        around, off = ours if rule == DEATHS else r, 0.01 * ARMS[arm]
    elif rule.startswith("six click errors"):
        around, off = ours, 6 * 0.005
    elif rule.startswith("the time that clicks stay"):
        around, off = ours, MEDIANS[arm]
    else:
        return None
    return around - off, around + off


def chance(entry: dict[str, Any], quantity: str, ours: float, r: float) -> tuple[float, float] | None:
    """Four standard errors of the difference of two simulated shares; None of a quantile."""
    result = entry["result"]
    name = quantity.rpartition(".")[2]
    if re.match("q\\d|crit", name):
        return None
    size = result.get("B", 200_000 if "permvar" in name else 4000)
    pooled = (ours * 4000 + r * size) / (4000 + size)
    off = 4 * np.sqrt(pooled * (1 - pooled) * (1 / 4000 + 1 / size)) + 2 / 4000
    return ours - off, ours + off


def judge_beyond(entry: dict[str, Any], quantity: str, theirs: np.ndarray, mine: Ours) -> list[str]:
    """What is judged wrongly when R's value is put just beyond what a rule allows, and just within."""
    rule = RULES[mine.rule]
    given = np.isfinite(theirs) & np.isfinite(np.array(mine.value, float))
    if not given.any():
        return []
    i = int(np.flatnonzero(given)[-1])
    ours, r = float(mine.value[i]), float(theirs[i])
    simulated = rule["name"] == "four standard errors"
    # The last of the four numbers of a difference of means is its P.
    name = "1e-8 relative" if quantity == "unadjusted[0]" else rule["name"]
    limits = chance(entry, quantity, ours, r) if simulated else allowed(name, entry, ours, r)
    if limits is None:
        assert simulated
        limits = ours * 0.6, ours * 1.6
    wrong = []
    for limit, way in zip(limits, (-1, 1), strict=True):
        step = 0.02 * max(abs(limit - ours), abs(limit - r)) if rule["name"] not in OFF else 0.1e-9 * r
        beyond = limit + way * step if step else np.nextafter(limit, way * np.inf)
        verdicts = []
        for value in (beyond, limit - way * step):
            changed = np.where(np.arange(theirs.size) == i, value, theirs)
            verdicts.append(judge(changed, mine, rule)["verdict"])
        if verdicts[0] != DIFFERS:
            wrong.append(f"{entry['id']} {quantity}: {beyond!r} passes beside {ours!r} by {name}")
        if verdicts[1] == DIFFERS and not simulated:
            wrong.append(f"{entry['id']} {quantity}: {limit - way * step!r} differs from {ours!r} by {name}")
    return wrong


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section["title"])
def test_a_value_of_r_just_beyond_a_rule_differs_and_one_just_within_does_not(section: dict[str, Any]) -> None:
    wrong = []
    for entry in (entry for own, entry in PAIRS if own is section):
        theirs, ours, _ = evaluate(FOLDER, section, entry)
        for quantity, mine in ours.items():
            wrong += judge_beyond(entry, quantity, np.array(theirs[quantity], float), mine)
    assert wrong == []


def scaled(name: str, factor: float) -> Callable[[Any], Any]:
    """Change an attribute of a result by a factor."""
    return lambda result: replace(result, **{name: getattr(result, name) * factor})


def scaled_column(name: str, factor: float) -> Callable[[Any], Any]:
    return lambda model: replace(model, table=model.table.assign(**{name: model.table[name] * factor}))


def times(factor: float) -> Callable[[Any], Any]:
    return lambda value: value * factor


def later(days: float) -> Callable[[Any], Any]:
    """Move all reconstructed deaths and censorings."""
    return lambda found: replace(
        found, follow_up=replace(found.follow_up, time_days=found.follow_up.time_days + days),
    )  # fmt: skip


def fewer(deaths: int) -> Callable[[Any], Any]:
    """Turn the last deaths of a reconstruction, and of its alternatives, into censorings."""

    def without(one: Any) -> Any:
        event = one.event.copy()
        event[np.flatnonzero(event)[-deaths:]] = 0
        return replace(one, event=event)

    return lambda found: replace(
        found, follow_up=without(found.follow_up), alternatives=tuple(map(without, found.alternatives)),
    )  # fmt: skip


# What of ours is spoiled, by how much, and which quantities of which calls must then differ.
SPOILS = [
    ("kaplan_meier", scaled("survival", 1 + 2e-8), "km/full/aml/x", {"surv"}),
    ("kaplan_meier", scaled("median_lower", 1 + 2e-8), "km/full/lung/sex", {"table.0.95LCL"}),
    ("restricted_mean", scaled("estimate", 1 + 2e-8), "km/full/aml/1", {"table.rmean"}),
    ("restricted_mean", scaled("variance", 1 + 5e-8), "km/full/lung/sex", {"table.se(rmean)"}),
    ("restricted_mean", scaled("variance", 1 + 2e-8), "rmst2/aml", {"arm0.rmst_var", "arm1.rmst_var"}),
    ("restricted_mean_difference", scaled("p", 1 + 2e-8), "rmst2/aml", {"unadjusted[0]"}),
    ("log_rank", scaled("p", 1 + 2e-8), "logrank/aml_x$", {"p"}),
    ("log_rank", scaled("p", 1 + 2e-8), "heart/naive_logrank", {"p"}),
    ("cox", scaled_column("coef", 1 + 2e-8), "cox/lung/1", {"coef"}),
    ("cox", scaled_column("p", 1 + 2e-8), "heart/naive_cox_tx", {"p"}),
    ("cox", scaled_column("std_error", 1 + 2e-8), "cox/GBSG2", {"se"}),
    ("firth_cox", scaled_column("coef", 1 + 4e-6), "firth/aml", {"coef"}),
    ("firth_cox", scaled_column("p", 1 + 2e-8), "firth/aml", {"p"}),
    ("proportional_hazards", scaled_column("p", 1 + 2e-8), "coxzph", {f"table[{i}]" for i in range(4)}),
    ("scan_one", scaled("statistic", 1 + 2e-8), "scan/rolr", {"z"}),
    ("scan_one", scaled("cut", 1 + 1e-15), "scan/survdiff/ovarian", {"cut", "cut_at_max"}),
    ("scan_one_permutation_variance", scaled("statistic", 1 + 2e-8), "scan/maxstat/ovarian_age/min0.1", {"M", "stats"}),
    ("scan_one_permutation_variance", scaled("statistic", 1 + 2e-8), "scan/maxstat_p/GBSG2_pnodes/Lau92/min0.1",
     {"M", "p"}),
    ("scan_one_permutation_variance", scaled("statistic", 1 + 1e-2), "scan/maxstat_p/lung_mealcal/exactGauss/min0.2",
     {"M", "p"}),
    ("scan_one_permutation_variance", scaled("statistic", 0.9), "scan/maxstat_p/GBSG2_progrec/exactGauss/min0.1",
     {"M", "p"}),
    ("scan_one_permutation_variance", scaled("statistic", 0.9), "scan/coin/GBSG2_pnodes/Hoth", {"T", "stats", "p"}),
    ("scan_one_permutation_variance", scaled("statistic", 0.9), "scan/maxstat_p/lung_age/condMC/min0.1", {"M", "p"}),
    ("scan_two", scaled("chi2", 1 + 2e-8), "scan3/", {"chisq3", "best.chisq3"}),
    ("scan_stratified", scaled("chi2", 1 + 2e-8), "stratified", {"chisq"}),
    ("scan_stratified", scaled("variance", 1 + 2e-8), "logrank/GBSG2_horTh_strat", {"var[0]", "var[1]"}),
    ("scan_stratified", scaled("p", 1 + 2e-8), "logrank/GBSG2_horTh_strat", {"p"}),
    ("miller_siegmund", times(1 + 2e-9), "formula/pLausen92/b5/eps0.1", {"p"}),
    ("miller_siegmund", times(1 - 2e-9), "scan/maxstat_p/lung_mealcal/Lau92/min0.05", {"p"}),
    ("lausen_schumacher_1994", times(1 + 2e-9), "formula/pLausen94/N28/b5/eps0.1", {"p"}),
    ("lausen_schumacher_1994", times(1 + 2e-9), "scan/maxstat_p/GBSG2_pnodes/Lau94", {"p"}),
    ("lausen_schumacher_1994", times(1 - 2e-9), "formula/pLausen94/N28/b1/eps0.1", {"p"}),
    ("conditional_gaussian", times(0.95), "scan/maxstat_p/ovarian_age/exactGauss/min0.1", {"p"}),
    ("conditional_gaussian", times(0.06), "scan/maxstat_p/GBSG2_progrec/exactGauss/min0.1", {"p"}),
    ("conditional_gaussian", times(4), "scan/coin/GBSG2_progrec/Hoth", {"p"}),
    ("conditional_gaussian", times(1.01), "check/", {f"results[{i}].exactGauss" for i in range(3)}),
    ("hothorn_lausen", scaled("p", 1 + 2e-9), "scan/maxstat_p/ovarian_age/HL", {"p"}),
    ("union_bound", times(1 + 2e-9), "check/", {f"results[{i}].HL_bound" for i in range(3)}),
    ("permuted", times(1.3), "scan/maxstat_p/lung_age/condMC/min0.1", {"p"}),
    ("permuted", times(1.3), "perm_survdiff", {f"null_quantiles.{name}" for name in ("q50", "q90", "q95")}),
    ("permuted", times(0.5), "check/", {"all27.MC_permvar_all27", "results[0].crit95_permvar"}),
    ("mantel_byar", scaled("p", 1 + 2e-8), "heart/mantel_byar", {"p"}),
    ("landmark", lambda found: replace(found, test=scaled("p", 1 + 2e-8)(found.test)), "heart/landmark/30", {"p"}),
    ("simon_makuch", lambda found: tuple(map(scaled("survival", 1 + 2e-8), found)), "heart/simon_makuch$", {"surv"}),
    ("time_dependent_cox", scaled_column("hazard_ratio", 1 + 2e-8), "heart/tdcox_tx/efron", {"hr"}),
    ("reconstruct", later(20), "ipd/radio$", {"median"}),
    ("reconstruct", later(170), "ipd/radioplus$", {"median", "curve"}),
    ("reconstruct", fewer(5), "ipd/radio", {"events"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "ids", "quantities"), SPOILS,
                         ids=[f"{name}-{ids}" for name, _, ids, _ in SPOILS])  # fmt: skip
def test_a_spoiled_value_of_ours_differs(
    monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[Any], Any], ids: str, quantities: set[str]
) -> None:
    pairs = [pair for pair in PAIRS if re.match(ids, pair[1]["id"])]
    own = validation.TERMS[name]
    monkeypatch.setitem(validation.TERMS, name, lambda *given, **named: change(own(*given, **named)))
    assert pairs
    for section, entry in pairs:
        rows = compare(FOLDER, section, entry)
        assert {row["quantity"] for row in rows if row["verdict"] == DIFFERS} >= quantities


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """The values within strata alone, to be spoiled."""
    for name in ("stratified.json", "ovarian.csv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    answers = read_answers(folder) | {"sections": [each for each in SECTIONS if each["file"] == "stratified"]}
    (tmp_path / "ours.yml").write_text(yaml.safe_dump(answers))
    return tmp_path


def test_a_spoiled_file_shows_in_the_tables(copied: Path) -> None:
    content = json.loads((copied / "stratified.json").read_text())
    content["chisq"][7] *= 1 + 1e-6
    (copied / "stratified.json").write_text(json.dumps(content))
    rows = validate(copied)
    assert summary_table(rows).frame["Do not agree"].tolist() == [0, 25]
    row = section_tables(rows)[0].frame.iloc[0]
    assert (row["Verdict"], row["Furthest apart"], row["R"]) == (DIFFERS, "chisq", f"{content['chisq'][7]:.10g}")


# ------------------------------------------------------------------ rules


HUNDREDTH = {"name": "a hundredth", "relative": 0.01}
BELOW = {"name": "below", "explains": True}


@pytest.mark.parametrize(
    ("theirs", "ours", "rule", "verdict"),
    [
        ([1.009], Ours([1.0]), HUNDREDTH, AGREES),
        ([1.011], Ours([1.0]), HUNDREDTH, DIFFERS),
        ([1, np.nan, np.inf], Ours([1.0, np.nan, np.inf]), HUNDREDTH, AGREES),
        ([1, np.nan], Ours([1.0, 2.0]), HUNDREDTH, DIFFERS),
        ([1, 2], Ours([1.0, np.nan]), HUNDREDTH, DIFFERS),
        ([1, np.inf], Ours([1.0, 5.0]), HUNDREDTH, DIFFERS),
        ([1, 2, 3], Ours([1.0, 2.0]), HUNDREDTH, DIFFERS),
        ([0.5], Ours([0.9], [0.0], [0.9]), BELOW, EXPLAINED),
        ([0.95], Ours([0.9], [0.0], [0.9]), BELOW, DIFFERS),
        ([1, 2], Ours([1.0, None]), HUNDREDTH, AGREES),
    ],
)
def test_agreement_is_what_the_rule_says(theirs: list[float], ours: Ours, rule: dict[str, Any], verdict: str) -> None:
    assert judge(np.array(theirs, float), ours, rule)["verdict"] == verdict


def test_the_place_that_is_shown_is_the_one_that_is_furthest_apart() -> None:
    row = judge(np.array([10.0, 20.0, 40.0]), Ours([10.0, 21.0, 39.5]), {"name": "two", "absolute": 2})
    found = [row[name] for name in ("r", "ours", "difference", "relative", "numbers")]
    assert found == [20.0, 21.0, 1.0, 0.05, 3]


def test_counterparts_have_the_paths_of_r() -> None:
    found = by_path(Ours([[1, 2], [3, 4]], [[0, 1], [2, 3]]), "var", "equal")
    assert (found["var[1]"].value, found["var[1]"].low, found["var[1]"].high) == ([3, 4], [2, 3], None)


def test_what_r_did_not_return_is_refused(copied: Path) -> None:
    text = (copied / "ours.yml").read_text()
    (copied / "ours.yml").write_text(text.replace("chisq: close", "other: close"))
    with pytest.raises(InputError, match=r"found values for \['other'\]"):
        validate(copied)


def test_a_number_without_counterpart_or_reason_is_refused(copied: Path) -> None:
    content = json.loads((copied / "stratified.json").read_text()) | {"novelty": 1}
    (copied / "stratified.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="found novelty, expected a counterpart or a reason"):
        validate(copied)
    with pytest.raises(InputError, match="found no file"):
        read_entries(copied, "heart")


def test_an_expression_reaches_none_of_the_builtins() -> None:
    with pytest.raises(NameError, match="open"):
        validation.Terms(validation.TERMS, {}).evaluate("open('x')")


def test_numbers_keep_their_paths_and_words_are_left_out() -> None:
    found = flat({"a": {"b": [[1, 2], [3, None]]}, "names": ["x", "y"], "c": "Inf"})
    assert found == {"a.b[0]": [1, 2], "a.b[1]": [3, None], "c": ["Inf"]}


def test_data_cannot_be_changed_for_the_next_reader(folder: Path) -> None:
    read(folder, "aml")["time"] = 0
    assert read(folder, "aml")["time"].max() > 100


# ------------------------------------------------------------------ tables


def test_tables_show_every_call_and_every_rule(found: pd.DataFrame) -> None:
    summary = summary_table(found).frame
    assert summary["Section"].nunique() == len(SECTIONS)
    assert summary["Do not agree"].sum() == 0
    folded = section_tables(found)
    frame = found
    compared = frame[frame["verdict"] != NO_COUNTERPART]
    assert sum(len(each.frame) for each in folded) == compared["entry"].nunique()
    assert sum(each.frame["Numbers"].sum() for each in folded) == compared["numbers"].sum()


def test_a_folded_table_names_what_it_hides() -> None:
    shown = FoldedTable(pd.DataFrame({"a": [1]}), "Curves & tests: 1 calls")._repr_html_()
    assert shown.startswith('<details class="folded-table"><summary>Curves &amp; tests: 1 calls</summary>')
    assert 'tabindex="0"' in shown
