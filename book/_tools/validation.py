"""Set every value of R in ``data/reference`` beside ours, as ``ours.yml`` there says, for the page and its tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from html import escape
from importlib import import_module
from math import comb, nan, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from lifelines.datasets import load_gbsg2, load_lung, load_stanford_heart_transplants
from scipy import stats

from survaudit.errors import InputError
from survaudit.figures.tables import FrameTable

# Whose public functions an expression may name.
MODULES = [
    "survival.curves", "survival.hazards", "cutpoint._ranked", "cutpoint.scan", "cutpoint.scan",
    "cutpoint.corrections", "cutpoint.selection", "immortal.episodes", "follow_up.digitised", "follow_up.reconstruct",
]  # fmt: skip
Floats = np.ndarray[Any, Any]
AGREES, EXPLAINED, DIFFERS, NO_COUNTERPART = "agrees", "explained", "differs", "no counterpart"
# Enough to tell a wrong statistic, and few enough for the page; the tests of the package take more.
REPLICATES = 4_000
MONTH = 30.4375
# What R's integration is asked for unless told otherwise. It is also the tolerance where R states no error: coin asks
# for more, but within points so few that maxstat, with four times as many, states errors of half of this.
ABSEPS = 1e-3
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Ours:
    """Our counterpart of values of R: where R's must lie, and by which rule, if not as the file says."""

    value: Any
    low: Any = None
    high: Any = None
    rule: str = ""


# ---------------------------------------------------------------- what expressions may name


@cache
def _shipped(path: Path) -> pd.DataFrame:
    loaders = {"lung": load_lung, "GBSG2": load_gbsg2}
    frame: pd.DataFrame = loaders.get(path.name, lambda: pd.read_csv(f"{path}.csv", float_precision="round_trip"))()
    return frame.rename(columns={"futime": "time"} | dict.fromkeys(["cens", "fustat", "status"], "event"))


def read(folder: Path, name: str) -> pd.DataFrame:
    """Return a public data set, its times and events by these names."""
    return _shipped(folder / name).copy()


def patients(folder: Path, name: str, covariate: str) -> pd.DataFrame:
    """Return covariate, time and event; patients without the covariate are left out, as R does."""
    frame = read(folder, name)
    x = frame[{"mealcal": "meal.cal", "wtloss": "wt.loss"}.get(covariate, covariate)]
    return pd.DataFrame({"x": x, "time": frame["time"], "event": frame["event"]}).dropna(subset=["x"])


def groups(frame: pd.DataFrame, column: str) -> list[pd.DataFrame]:
    """Return the groups in R's order."""
    return [part for _, part in frame.groupby(column)]


def joined(parts: list[Any], name: str) -> Floats:
    """Return an attribute of several curves, one after another."""
    return np.concatenate([getattr(part, name) for part in parts])


def stepped(curves: list[Any], days: list[Floats], name: str, start: float) -> Floats:
    """Read curves at days."""
    steps = (np.searchsorted(curve.times, at, side="right") for curve, at in zip(curves, days, strict=True))
    return np.concatenate([np.append(start, getattr(c, name))[step] for c, step in zip(curves, steps, strict=True)])


def sizes_of(cohort: Any, low: float, high: float, *, from_above: bool = False) -> Floats:
    """Return the cuts that R takes: maxstat from floor(N p) patients in the low group on, coin from N p on."""
    n, sizes = cohort.n, cohort.candidates()
    least = np.ceil(n * low - 1e-9) if from_above else max(1, np.floor(n * low + 1e-9))
    kept: Floats = sizes[(sizes >= least) & (sizes <= np.floor(n * high + 1e-9))]
    return kept[:-1] if (low, high) == (0, 1) else kept  # there maxstat also drops the last


def _off(p: float, rule: str, as_r: float) -> Ours:
    """Let R differ from our P by what its own way to compute makes of it, and by no more."""
    return Ours(p, as_r * (1 - ROUNDING), as_r * (1 + ROUNDING), rule)


def approximation(p: float, uncapped: float, b: float | None = None) -> Ours:
    """Choose the rule by our P alone; R subtracts the tail beyond ``b``, if any, from one."""
    if p == 1 and uncapped > 1:
        return _off(p, "capped", uncapped)
    if b is not None and p < np.finfo(float).eps / ROUNDING:
        return _off(p, "subtracted", p + 2 * float((1 - stats.norm.cdf(b)) - stats.norm.sf(b)))
    return Ours(p)


def integral(p: float, b: float, cuts: int, stated: float | None) -> Ours:
    """Choose the rule by our P alone: R's error, if it states one, unless P is below what R is asked for."""
    one_cut = float(2 * stats.norm.sf(b))
    if p < ABSEPS:
        # Errors are absolute, and estimated from points that hardly ever cross. Still the first of the nested
        # integrals, the P of one cut, is exact in each point, and points that are missed only make P smaller.
        # Were ours itself beyond Bonferroni's, or below one cut's, nothing of R's should agree with it.
        return Ours(p, one_cut, p if p <= one_cut * cuts else nan, "tail")
    error = ABSEPS if stated is None else stated
    return Ours(p, max(one_cut, p - error), p + error, "unstated" if stated is None else "")


def bound(statistic: float, whole: Floats, sizes: Floats, least: int) -> float:
    """Write out Hothorn and Lausen's bound for steps of one patient, of sums that are at least so large."""
    n, total = whole.size, int(whole.sum())
    sums, spread = np.arange(total + 1), float(n * (whole @ whole) - total**2)
    ways = np.zeros((n + 1, total + 1))
    ways[0, 0] = 1
    for score in whole:
        ways[1:] += np.pad(ways[:-1], ((0, 0), (score, 0)))[:, : total + 1]

    def beyond(m: int, reached: Floats) -> Any:
        return np.abs(reached - m * total / n) > statistic * sqrt(m * (n - m) / (n**2 * (n - 1)) * spread)

    found = 0.0
    for m in sizes.tolist():
        counted = beyond(m, sums) & (sums >= least)
        if m < sizes[-1]:
            # What stays beyond at the next patient, whoever that is, is counted there.
            extreme = np.where(sums < m * total / n, sums + whole.max(), sums)
            counted &= ~((extreme <= total) & beyond(m + 1, extreme))
        found += float(ways[m, counted].sum() / comb(n, m))
    return found


def strict(p: float, at_least: float, above: float) -> Ours:
    """Let R's bound be as much below ours as the two conventions are apart, both written out."""
    return Ours(p) if abs(above / at_least - 1) < ROUNDING else _off(p, "strict", p * above / at_least)


def share(ours: float, theirs: float, replicates: float) -> Ours:
    """Allow four standard errors of the difference of two shares."""
    pooled = (ours * REPLICATES + theirs * replicates) / (REPLICATES + replicates)
    allowed = 4 * sqrt(pooled * (1 - pooled) * (1 / REPLICATES + 1 / replicates)) + 2 / REPLICATES
    return Ours(ours, ours - allowed, ours + allowed)


def quantile(maxima: Floats, level: float, replicates: float) -> Ours:
    """Allow four standard errors of the level, and rounding: small cohorts have few values to take."""
    apart = 4 * sqrt(level * (1 - level) * (1 / REPLICATES + 1 / replicates))
    low, value, high = np.quantile(maxima, [level - apart, level, min(1.0, level + apart)])
    return Ours(value, low * (1 - ROUNDING), high * (1 + ROUNDING))


TERMS: dict[str, Any] = {
    name: each
    for module in (import_module(f"survaudit.{each}") for each in MODULES)
    for name, each in vars(module).items()
    if not name.startswith("_") and getattr(each, "__module__", "") == module.__name__
}
HELPERS = (groups, joined, stepped, sizes_of, approximation, integral, bound, strict, share, quantile, Ours)
BUILTINS = (abs, dict, float, int, len, max, min, sqrt, sum, zip, load_stanford_heart_transplants)
TERMS |= {each.__name__: each for each in (*HELPERS, *BUILTINS)} | {"np": np, "pd": pd, "stats": stats}
TERMS |= {"MONTH": MONTH, "REPLICATES": REPLICATES, "__builtins__": {}}


class Terms(dict[str, Any]):
    """What the expressions of one answer may name; those under ``with`` are evaluated when one first names them."""

    def __init__(self, given: Mapping[str, Any], later: Mapping[str, str]) -> None:
        super().__init__(given)
        self.later = later

    def __missing__(self, name: str) -> Any:
        """Evaluate a name that is asked for the first time."""
        self[name] = self.evaluate(self.later[name])
        return self[name]

    def evaluate(self, expression: str) -> Any:
        """Evaluate an expression of the project's own file, without Python's builtins."""
        return eval(str(expression), self)


# ---------------------------------------------------------------- evaluate and compare


@cache
def read_answers(folder: Path) -> dict[str, Any]:
    """Return rules, reasons and sections of ``ours.yml``."""
    return dict(yaml.safe_load((folder / "ours.yml").read_text(encoding="utf-8")))


def read_entries(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the calls of R in one file, each with ``id``, ``call`` and ``result``."""
    path = folder / f"{name}.json"
    if not path.is_file():
        raise InputError(f"{path}: found no file, expected values computed by R; take it from the repository again")
    content = json.loads(path.read_text(encoding="utf-8"))
    one_call = {"id": name, "call": content.get("meta", {}).get("call"), "result": content}
    return list(content.get("entries", [one_call]))


def answered(folder: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each section with each of its entries, in the order of the page."""
    for section in read_answers(folder)["sections"]:
        for entry in read_entries(folder, section["file"]):
            if any(re.match(answer["ids"], entry["id"]) for answer in section["answers"]):
                yield section, entry


def flat(values: Any, path: str = "") -> dict[str, list[Any]]:
    """Return all numbers of a result by their path in it; infinity is the only text that is a number."""
    parts: Iterable[tuple[str, Any]] = ()
    if isinstance(values, Mapping):
        parts = ((f"{path}.{key}".lstrip("."), each) for key, each in values.items() if key != "meta")
    elif isinstance(values, list) and any(isinstance(each, list | Mapping) for each in values):
        parts = ((f"{path}[{i}]", each) for i, each in enumerate(values))
    else:
        given = values if isinstance(values, list) else [values]
        return {} if any(isinstance(each, str) and each != "Inf" for each in given) else {path: given}
    return {key: numbers for name, each in parts for key, numbers in flat(each, name).items()}


def _floats(values: list[Any]) -> Floats:
    return np.array([nan if each is None else each for each in values], dtype=float)


def evaluate(folder: Path, section: Any, entry: Any) -> tuple[dict[str, list[Any]], dict[str, Ours], set[str]]:
    """Return R's numbers and ours by their path in R's result, and the paths that we read off R's patients."""
    result, ours, added = dict(entry["result"]), dict[str, Ours](), set[str]()

    def argument(name: str, default: float = 0.0) -> float:
        found = re.search(rf"{name} ?([\d.e-]+)", entry["call"])
        return float(found[1]) if found else default

    given = TERMS | {"read": partial(read, folder), "patients": partial(patients, folder), "argument": argument}
    for answer, part in ((each, part) for each in section["answers"] for part in each.get("below", [""])):
        if not (match := re.match(answer["ids"], entry["id"])):
            continue
        row = {path[len(part) :].lstrip("."): each[0] for path, each in flat(result).items() if path.startswith(part)}
        terms = Terms(given | match.groupdict() | {"result": result, "row": row}, answer.get("with", {}))
        for path, expression in answer.get("read off", {}).items():
            result[path] = terms.evaluate(expression)
            added.add(path)
        for path, text in answer.get("values", {}).items():
            if not part or path in row:
                rule, expression = text.split(" ", 1)
                ours |= by_path(terms.evaluate(expression), f"{part}.{path}".lstrip("."), rule)
    return flat(result), ours, added


def by_path(value: Any, path: str, rule: str) -> dict[str, Ours]:
    """Return a counterpart by the paths of `flat`, as lists of the numbers that R has there."""
    each = value if isinstance(value, Ours) else Ours(value)
    parts = (None if part is None else np.asarray(part, object).tolist() for part in (each.value, each.low, each.high))
    values, low, high = ({} if part is None else flat(part, path) for part in parts)
    return {key: Ours(values[key], low.get(key), high.get(key), each.rule or rule) for key in values}


def compare(folder: Path, section: Mapping[str, Any], entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Set all numbers of an entry beside ours: one row a quantity, two where some of its numbers have no counterpart.

    Raises
    ------
    InputError
        If there is a counterpart of something that R did not return, or a quantity has none and no reason.
    """
    theirs, ours, added = evaluate(folder, section, entry)
    if unknown := set(ours) - set(theirs):
        raise InputError(f"{entry['id']}: found values for {sorted(unknown)}, expected only what R returned")
    rows = []
    for path, expected in theirs.items():
        head = {"section": section["title"], "entry": entry["id"], "call": entry["call"], "quantity": path}
        mine = ours.get(path, Ours([None] * len(expected)))
        missing = sum(each is None for each in mine.value)
        if path in ours and missing < len(mine.value):
            judged = judge(_floats(expected), mine, read_answers(folder)["rules"][mine.rule])
            rows.append(head | judged | {"derived": path in added})
        if missing:
            none = dict.fromkeys(("r", "ours", "difference", "relative"), nan) | {"rule": "", "derived": False}
            why = reason(folder, entry["id"], path)
            rows.append(head | none | {"numbers": missing, "verdict": NO_COUNTERPART, "why": why})
    return rows


def reason(folder: Path, entry: str, path: str) -> str:
    """Return why a quantity has no counterpart."""
    name = re.sub(r"\[\d+\]", "", path).removeprefix("results.")
    for ids, names, why in read_answers(folder)["reasons"]:
        if re.match(ids, entry) and re.fullmatch(names, name):
            return str(why)
    raise InputError(f"{entry}: found {path}, expected a counterpart or a reason; give it one in `ours.yml`")


def judge(theirs: Floats, ours: Ours, rule: Mapping[str, Any]) -> dict[str, Any]:
    """Judge one quantity by its rule; of an array, show the place where the two are furthest apart."""
    mine, given = _floats(ours.value), np.array([each is not None for each in ours.value])
    judged = {"numbers": int(given.sum()), "rule": rule["name"], "why": rule.get("why", ""), "verdict": DIFFERS}
    if mine.shape != theirs.shape:
        apart = {"numbers": theirs.size, "r": nan, "ours": nan, "difference": np.inf, "relative": np.inf}
        return judged | apart | {"why": f"R has {theirs.size} numbers, we {mine.size}"}
    slack = rule.get("absolute", 0.0) + rule.get("relative", 0.0) * np.abs(np.where(np.isfinite(mine), mine, 0))
    low = mine - slack if ours.low is None else _floats(ours.low)
    high = mine + slack if ours.high is None else _floats(ours.high)
    same = (mine == theirs) | (np.isnan(mine) & np.isnan(theirs)) | ~given
    within = same | ((low <= theirs) & (theirs <= high))
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0.0, np.abs(mine - theirs))
    difference[np.isnan(difference)] = np.inf  # one of the two is missing
    known = np.isfinite(theirs) & (theirs != 0)
    relative = np.divide(difference, np.abs(theirs), out=np.zeros_like(difference), where=known)
    worst = int(np.argmax(np.where(within, 0, 1e9) + difference))
    if within.all():
        judged["verdict"] = EXPLAINED if rule.get("explains") else AGREES
    judged |= {"r": float(theirs[worst]), "ours": float(mine[worst])}
    return judged | {"difference": float(difference.max()), "relative": float(relative.max())}


def validate(folder: Path) -> pd.DataFrame:
    """Return one row a quantity of a call of R, all of them beside ours."""
    return pd.DataFrame([row for pair in answered(folder) for row in compare(folder, *pair)])


# ---------------------------------------------------------------- as a reader sees it


class FoldedTable(FrameTable):
    """A table behind a line that opens it, so that a page of hundreds of rows stays a page."""

    def _repr_html_(self) -> str:
        summary = f"<summary>{escape(self.label)}</summary>"
        return f'<details class="folded-table">{summary}{super()._repr_html_()}</details>'

    def __repr__(self) -> str:
        """Return the table as plain text, for readers without HTML."""
        return f"{self.label}\n{super().__repr__()}"


def summary_table(rows: pd.DataFrame) -> FrameTable:
    """Return one row a section and rule: calls, numbers, the largest differences, how many do not agree."""
    rows = rows[rows["verdict"] != NO_COUNTERPART]
    rows = rows.assign(differ=rows["numbers"].where(rows["verdict"] == DIFFERS, 0))
    how = {"entry": "nunique", "numbers": "sum", "difference": "max", "relative": "max", "differ": "sum"}
    shown = rows.groupby(["section", "rule"], sort=False).agg(how).reset_index()
    shown = shown.assign(**{name: shown[name].map("{:.2g}".format) for name in ("difference", "relative")})
    heads = ("Section", "Agreed beforehand", "Calls", "Numbers", "Largest difference", "Largest relative")
    return FrameTable(shown.set_axis([*heads, "Do not agree"], axis=1), "Agreement with R by section")


def explained_table(rows: pd.DataFrame) -> FrameTable:
    """Return one row a rule that lets the two differ, with the reason."""
    told = rows.query("why != '' and rule != ''").groupby(["rule", "why", "verdict"], sort=False)["numbers"].sum()
    heads = ["Agreed beforehand", "Why not equal", "Verdict", "Numbers"]
    return FrameTable(told.reset_index().set_axis(heads, axis=1), "Rules that let the two differ")


def reasons_table(rows: pd.DataFrame) -> FrameTable:
    """Return one row a reason for having no counterpart: how many numbers of R have none for it."""
    told = rows[rows["verdict"] == NO_COUNTERPART].groupby(["section", "why"], sort=False)["numbers"].sum()
    heads = ["Section", "Why there is no counterpart", "Numbers"]
    return FrameTable(told.reset_index().set_axis(heads, axis=1), "Values of R without a counterpart")


def section_tables(rows: pd.DataFrame) -> list[FoldedTable]:
    """Return a folded table for each section: one row a call of R, with the quantity that is furthest from R's."""
    rows = rows[rows["verdict"] != NO_COUNTERPART]
    total = rows.groupby(["section", "entry"])["numbers"].transform("sum")
    rows = rows.assign(rank=rows["verdict"].map({DIFFERS: 2, EXPLAINED: 1}).fillna(0), total=total)
    tables = []
    for section, own in rows.groupby("section", sort=False):
        worst = own.sort_values(["rank", "difference"], ascending=False, kind="stable").drop_duplicates("entry")
        worst = worst.set_index("entry").loc[own["entry"].unique()].reset_index()
        for name, form in (("r", "{:.10g}"), ("ours", "{:.10g}"), ("difference", "{:.2g}")):
            worst[name] = worst[name].map(form.format).replace("nan", "NA")
        shown = worst[["call", "total", "quantity", "r", "ours", "difference", "verdict"]]
        shown = shown.set_axis(["Call of R", "Numbers", "Furthest apart", "R", "Ours", "Difference", "Verdict"], axis=1)
        tables.append(FoldedTable(shown, f"{section}: {len(shown)} call{'s' * (len(shown) > 1)}"))
    return tables
