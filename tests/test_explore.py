"""The pages that a reader can move: their data, the statistics in the browser, and what moving them shows."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from playwright.sync_api import Browser, Page, sync_playwright
from scipy import stats
from test_browser import FLAGS, OVERFLOW, PHONES, THEMES, barriers, listed, reading

from survaudit import cutpoint, selection, survival
from survaudit.errors import InputError
from survaudit.explore import EveryCut, every_cut
from survaudit.figures.explore import Cohort, CutExplorer

CUT, NULLS = "notebooks/14_explore_a_cut.html", "notebooks/14_explore_nulls.html"
ASSETS = Path(__file__).resolve().parents[1] / "book" / "assets"
SMALL = [3, 1, 4, 1.5, 9, 2.6], [50, 40, 31, 22, 13, 4], [1, 1, 0, 1, 1, 1]


def ties(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A cohort with ties in the covariate and in time."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 12, n).astype(float), rng.integers(1, 20, n).astype(float), rng.integers(0, 2, n)


@pytest.fixture(scope="module")
def example() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The worked example, read without the code under test."""
    follow_up = pd.read_csv("data/synthetic/figure_s2.csv")
    rows = follow_up.merge(pd.read_csv("data/tidy/patients.csv"), on="patient")
    return tuple(rows[name].to_numpy(float) for name in ("mrd_percent", "lfs_days", "lfs_event"))


# ------------------------------------------------------------------ every cut


def plain_chi2(x: np.ndarray, time: np.ndarray, event: np.ndarray, cut: float) -> float:
    difference = variance = 0.0
    for day in set(time[event == 1]):
        at_risk, dead = time >= day, (time == day) & (event == 1)
        n, ours, d = at_risk.sum(), (at_risk & (x > cut)).sum(), dead.sum()
        difference += (dead & (x > cut)).sum() - d * ours / n
        variance += d * ours / n * (1 - ours / n) * (n - d) / max(n - 1, 1)
    return float(difference**2 / variance) if variance > 0 else 0.0


def test_corrected_p_is_the_share_of_all_orders_whose_best_cut_does_as_well() -> None:
    x, time, event = (np.array(column, dtype=float) for column in SMALL)
    found = every_cut(x, time, event, rng=np.random.default_rng(1), replicates=20_000)
    cuts = sorted(x)[:-1]
    own = [plain_chi2(x, time, event, cut) for cut in cuts]
    assert found.scan.chi2 == pytest.approx(own, abs=1e-12)
    orders = (np.array(order) for order in permutations(x))
    maxima = np.array([max(plain_chi2(order, time, event, cut) for cut in cuts) for order in orders])
    exact = np.array([np.mean(maxima >= chi2 - 1e-9) for chi2 in own])
    assert np.all(np.abs(found.corrected - exact) <= 4 * np.sqrt(exact * (1 - exact) / 20_000) + 1e-4)


def test_corrected_p_of_the_best_cut_is_its_permutation_test() -> None:
    columns = ties(3)
    found = every_cut(*columns, rng=np.random.default_rng(8), min_group=4)
    test = selection.permutation_test(*columns, rng=np.random.default_rng(8), min_group=4)
    assert found.corrected[found.best] == test.p
    assert found.to_frame()["corrected_p"].min() == test.p


@pytest.mark.parametrize("replicates", [10, 19, 20, 1000])
def test_a_chi_square_above_the_critical_one_is_small_after_correction(replicates: int) -> None:
    x, time, event = ties(5)
    found = every_cut(x, time, event, rng=np.random.default_rng(2), replicates=replicates)
    strong = every_cut(
        np.arange(40.0), np.arange(40.0), np.ones(40), rng=np.random.default_rng(2), replicates=replicates
    )
    for every in (found, strong):
        clear = np.abs(every.scan.chi2 - every.critical) > 1e-6
        small = every.corrected[clear] <= 0.05
        assert np.array_equal(small, (every.scan.chi2[clear] > every.critical))
    assert (strong.corrected <= 0.05).any() == (replicates >= 19)


def test_curves_are_those_of_the_two_sides() -> None:
    x, time, event = ties(7)
    found = every_cut(x, time, event, rng=np.random.default_rng(1), replicates=1)
    for cut, pair in zip(found.scan.cut, found.curves, strict=True):
        for side, curve in zip((x <= cut, x > cut), pair, strict=True):
            fitted = KaplanMeierFitter().fit(time[side], event[side])
            assert curve.survival == pytest.approx(np.atleast_1d(fitted.predict(curve.times)), abs=1e-12)
            assert (curve.n, curve.n_events) == (side.sum(), event[side].sum())


def test_no_permutations_are_refused() -> None:
    with pytest.raises(InputError, match="replicates: found 0"):
        every_cut(*SMALL, rng=np.random.default_rng(1), replicates=0)


# ------------------------------------------------------------------ the data of a page


def cohort(every: EveryCut, kind: str) -> Cohort:
    return Cohort(every, "A cohort", kind, "x", " units", "Survival")


def island(html: str) -> dict:
    return json.loads(BeautifulSoup(html, "html.parser").find("script").string)


def test_the_data_tell_each_cut() -> None:
    x, days, event = ties(11)
    time = 40 * days  # some months
    every = every_cut(x, time, event, rng=np.random.default_rng(1), replicates=99)
    (data,) = island(CutExplorer([cohort(every, "SYNTHETIC")])._repr_html_())["cohorts"]
    assert data["cut"] == sorted(set(x))[:-1]
    assert sum(data["count"]) == len(x)
    for place, cut in enumerate(data["cut"]):
        low = x <= cut
        assert sum(data["count_low"][place]) == data["n_low"][place] == low.sum()
        assert data["events_high"][place] == event[~low].sum()
        for side, curve in zip((low, ~low), data["curves"][place], strict=True):
            at_risk = [(time[side] >= month * 30.4375).sum() for month in data["months"]]
            assert curve["at_risk"] == at_risk
            assert curve["day"] == sorted(set(time[side & (event == 1)]))
            assert curve["censored"] == sorted(set(time[side & (event == 0)]))
            fitted = KaplanMeierFitter().fit(time[side], event[side])
            assert curve["survival"] == pytest.approx(np.atleast_1d(fitted.predict(curve["day"])), abs=6e-5)


def test_the_data_are_the_same_bytes_twice_and_stay_in_their_script() -> None:
    pages = [
        CutExplorer(
            [Cohort(every_cut(*ties(1), rng=np.random.default_rng(1)), "</script>", "PUBLIC DATA", "x", "", "S")]
        )._repr_html_()
        for _ in range(2)
    ]
    assert pages[0] == pages[1]
    assert pages[0].count("</script>") == 1
    assert island(pages[0])["cohorts"][0]["title"] == "</script>"


# ------------------------------------------------------------------ in the browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if executable is None:
        pytest.skip("no Chromium on this machine: install it (`apt-get install chromium` on Debian) to test the pages")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Browser, site: Path) -> Iterator[Callable[[str], Page]]:
    """Open a page from disk; at the end, nothing may have gone wrong on it."""
    with reading(chromium, site.as_uri()) as reader:
        yield reader.open
        assert not reader.problems, listed(reader.problems)


def mulberry32(seed: int) -> Iterator[float]:
    """Tommy Ettinger's generator, in whole numbers modulo 2^32."""
    mask = 0xFFFFFFFF
    while True:
        seed = (seed + 0x6D2B79F5) & mask
        t = ((seed ^ seed >> 15) * (seed | 1)) & mask
        t ^= (t + (t ^ t >> 7) * (t | 61)) & mask
        yield ((t ^ t >> 14) & mask) / 2**32


def plain_null(numbers: Iterator[float], n: int, censoring: float) -> tuple[list[float], list[float], list[int]]:
    drawn = [(next(numbers), next(numbers), next(numbers)) for _ in range(n)]
    x, time = [a for a, _, _ in drawn], [-365.25 * math.log(1 - b) for _, b, _ in drawn]
    return x, time, [int(c >= censoring) for _, _, c in drawn]


pytest_browser = pytest.mark.browser


@pytest_browser
@pytest.mark.parametrize(("seed", "censoring"), [(1, 0.0), (2, 0.6), (4294967295, 0.4)])
def test_the_browser_draws_the_cohorts_of_the_seed(opened: Callable[[str], Page], seed: int, censoring: float) -> None:
    call = "([seed, censoring]) => survaudit.nullCohort(survaudit.mulberry32(seed), 28, censoring)"
    found = opened(NULLS).evaluate(call, [seed, censoring])
    x, time, event = plain_null(mulberry32(seed), 28, censoring)
    assert found["x"] == x
    assert found["time"] == pytest.approx(time, rel=1e-14)
    assert found["event"] == event


@pytest_browser
def test_the_browser_scans_as_the_module_does(opened: Callable[[str], Page]) -> None:
    cohorts = [ties(seed) for seed in range(8)]
    cohorts += [tuple(map(np.array, plain_null(mulberry32(seed), 28, 0.4))) for seed in range(20)]
    page = opened(NULLS)
    for least in (1, 4):
        for x, time, event in cohorts:
            columns = {"x": x.tolist(), "time": time.tolist(), "event": event.tolist()}
            call = (
                "([c, least]) => { const rows = survaudit.scanOne(c, least); return [rows, survaudit.bestOf(rows)]; }"
            )
            rows, best = page.evaluate(call, [columns, least])
            scan = cutpoint.scan_one(x, time, event, min_group=least)
            assert [row["cut"] for row in rows] == scan.cut.tolist()
            assert [row["nLow"] for row in rows] == scan.n_low.tolist()
            assert [row["statistic"] for row in rows] == pytest.approx(scan.statistic, abs=1e-9, rel=1e-9)
            assert [row["chi2"] for row in rows] == pytest.approx(scan.chi2, abs=1e-9, rel=1e-9)
            assert rows[best]["cut"] == scan.best.cut


@pytest_browser
def test_the_browser_estimates_curves_as_the_module_does(opened: Callable[[str], Page]) -> None:
    page = opened(NULLS)
    for seed in range(6):
        x, time, event = ties(seed)
        columns = {"x": x.tolist(), "time": time.tolist(), "event": event.tolist()}
        own, asked = np.flatnonzero(x > 5), [0, 4, 5, 30]
        call = "([c, own, asked]) => survaudit.kaplanMeier(c, own, asked)"
        found = page.evaluate(call, [columns, own.tolist(), asked])
        curve = survival.kaplan_meier(time[own], event[own])
        assert found["day"] == curve.times[curve.events > 0].tolist()
        assert found["survival"] == pytest.approx(curve.survival[curve.events > 0], abs=1e-12)
        assert found["at_risk"] == curve.at_risk_at(asked).tolist()
        assert found["last"] == curve.last_day
        assert sorted(set(found["censored"])) == curve.times[curve.censored > 0].tolist()


def said(page: Page) -> str:
    return page.locator(".explore-said").inner_text()


def show_p(p: float) -> str:
    if p < 0.001:
        return "below 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def path_of(page: Page, place: int) -> str:
    return page.locator(".explore-panels svg").last.locator("path[fill=none]").nth(place).get_attribute("d")


def check_cut(page: Page, columns: tuple[np.ndarray, ...], place: int) -> None:
    """Hold what the page says and draws of one cut against lifelines."""
    x, time, event = columns
    cut = sorted(set(x))[place]
    low = x <= cut
    test = logrank_test(time[low], time[~low], event[low], event[~low])
    text = said(page)
    assert f"Cut {cut:g}%, {low.sum()} against {(~low).sum()} patients" in text
    assert f"chi-square {test.test_statistic:.2f}, naive P {show_p(test.p_value)}, corrected P " in text
    assert page.get_by_label("Cut of MRD").get_attribute("aria-valuetext") == f"{cut:g}%"
    shown = page.locator(".explore-card strong").all_inner_texts()
    assert shown[0] == show_p(test.p_value)
    assert text.rstrip(".").split("corrected P ")[1].split(". ")[0] == shown[1]
    histogram, curves = page.locator(".explore-panels svg").all()[1:]
    assert {f"low, n = {low.sum()}", f"high, n = {(~low).sum()}"} <= set(histogram.locator("text").all_text_contents())
    for row, side in enumerate((low, ~low)):
        assert path_of(page, row).count("V") == len(set(time[side & (event == 1)]))
        at_risk = [int((time[side] >= month * 30.4375).sum()) for month in range(0, 31, 6)]
        name = ("low", "high")[row]
        texts = curves.locator("text").all_text_contents()
        start = texts.index(name) + 1
        assert [int(text) for text in texts[start : start + len(at_risk)]] == at_risk


@pytest_browser
def test_the_keyboard_moves_the_cut_and_everything_follows(
    opened: Callable[[str], Page], example: tuple[np.ndarray, ...]
) -> None:
    page = opened(CUT)
    cuts = sorted(set(example[0]))[:-1]
    best = cuts.index(65.6)
    assert said(page).endswith("This is the best cut of all.")
    check_cut(page, example, best)
    page.get_by_label("Cut of MRD").focus()
    before = page.locator(".explore-panels").first.inner_html()
    page.keyboard.press("ArrowLeft")
    check_cut(page, example, best - 1)
    assert page.locator(".explore-panels").first.inner_html() != before
    page.keyboard.press("Home")
    check_cut(page, example, 0)
    page.get_by_role("button", name="Lower cut").click()
    check_cut(page, example, 0)
    page.get_by_role("button", name="Higher cut").click()
    check_cut(page, example, 1)
    page.get_by_label("Cut of MRD").focus()
    page.keyboard.press("End")
    check_cut(page, example, len(cuts) - 1)
    page.get_by_role("button", name="Best cut").click()
    check_cut(page, example, best)


@pytest_browser
def test_a_finger_moves_the_cut(chromium: Browser, site: Path, example: tuple[np.ndarray, ...]) -> None:
    context = chromium.new_context(viewport=PHONES[0], has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"{site.as_uri()}/{CUT}")
    cuts = sorted(set(example[0]))[:-1]
    slider, drawing = page.get_by_label("Cut of MRD"), page.locator(".explore-click")
    slider.tap()  # in its middle
    check_cut(page, example, (len(cuts) - 1) // 2)
    drawing.tap(position={"x": 47, "y": 100})
    check_cut(page, example, 0)
    for control in (slider, page.get_by_role("button", name="Best cut")):
        assert control.bounding_box()["height"] >= 44
    context.close()


@pytest_browser
def test_each_cohort_says_its_kind_and_only_the_synthetic_one_has_the_word_across(
    opened: Callable[[str], Page],
) -> None:
    page = opened(CUT)
    home = page.locator(".explore")
    across = page.locator(".explore-panels svg text[fill-opacity]")
    assert across.all_text_contents() == ["SYNTHETIC"] * 3
    page.get_by_label("Breast cancer").check()
    assert across.count() == 0
    for kind, title in (("PUBLIC DATA", "Breast cancer"), ("SYNTHETIC", "Worked example")):
        page.get_by_role("radio", name=title).check()
        assert home.locator(".explore-kind strong").inner_text() == kind
        labels = [svg.get_attribute("aria-label") for svg in home.locator("svg").all()]
        assert all(label.startswith(f"{kind}.") and len(label.split()) >= 15 for label in labels)


@pytest_browser
def test_in_the_supplied_book_nothing_says_synthetic(chromium: Browser, tmp_path: Path) -> None:
    every = every_cut(*ties(2), rng=np.random.default_rng(1), replicates=99)
    body = CutExplorer([cohort(every, "SUPPLIED")])._repr_html_()
    script = (ASSETS / "explore.js").read_text(encoding="utf-8")
    (tmp_path / "page.html").write_text(
        f"<!DOCTYPE html><body>{body}<script>{script}</script></body>", encoding="utf-8"
    )
    with reading(chromium, tmp_path.as_uri()) as reader:
        home = reader.open("page.html").locator(".explore")
        assert "SYNTHETIC" not in home.inner_html()
        assert home.locator(".explore-kind strong").inner_text() == "SUPPLIED"
        assert home.locator('svg rect[stroke="#4a2a86"]').count() == 3
        assert not reader.problems, listed(reader.problems)


@pytest_browser
def test_null_cohorts_are_counted_as_the_module_counts_them(opened: Callable[[str], Page]) -> None:
    page = opened(NULLS)
    limit = float(stats.chi2.isf(0.05, 1))
    table = BeautifulSoup(page.content(), "html.parser").find(attrs={"aria-label": re.compile("How often a best cut")})
    rows = [[cell.get_text() for cell in row.find_all("td")] for row in table.find("tbody").find_all("tr")]
    expected = {(float(row[0]), int(row[1])): row[2:] for row in rows}
    for least, censoring, seed in ((1, 0.0, 1), (5, 0.4, 7)):
        page.get_by_label("Least patients a side").select_option(str(least))
        page.get_by_label("Censored").select_option(str(censoring).removesuffix(".0"))
        page.get_by_label("Seed").fill(str(seed))
        page.get_by_label("Seed").blur()
        page.get_by_role("button", name="Start again").click()
        page.get_by_role("button", name="Draw 100").click()
        page.get_by_role("button", name="Draw a cohort").click()
        numbers = mulberry32(seed)
        drawn = [plain_null(numbers, 28, censoring) for _ in range(102)]
        best = np.array([cutpoint.scan_one(*columns, min_group=least).best.chi2 for columns in drawn])
        counts = [int((best >= 5.59).sum()), int((best >= limit).sum())]
        assert page.locator(".explore-card strong").all_inner_texts() == [f"{count} of 102" for count in counts]
        assert f"chi-square of {best[-1]:.2f}" in said(page)
        for words, share in zip(
            page.locator(".explore-card span").all_inner_texts(), expected[censoring, least], strict=True
        ):
            told = float(re.search(r"Expected: ([\d.]+)%", words)[1])
            assert told == pytest.approx(100 * float(share), abs=0.1001)


@pytest_browser
@pytest.mark.parametrize("name", [CUT, NULLS])
def test_moved_pages_have_no_barrier_and_fit_a_phone(chromium: Browser, site: Path, name: str) -> None:
    with reading(chromium, site.as_uri(), PHONES[1]) as reader:
        page = reader.open(name)
        if name == CUT:
            page.get_by_label("Breast cancer").check()
            page.get_by_role("button", name="Lower cut").click()
        else:
            page.get_by_role("button", name="Draw 1,000").click()
        found = [barrier for theme in THEMES for barrier in (reader.take(theme), *barriers(page))[1:]]
        found += page.evaluate(OVERFLOW)
        for control in page.locator(".explore :is(button, input, select)").all():
            control.focus()
        assert not found + reader.problems, listed(found + reader.problems)


@pytest_browser
def test_focus_is_seen(opened: Callable[[str], Page]) -> None:
    page = opened(CUT)
    page.get_by_role("radio", name="Worked example").focus()
    for _ in range(4):
        page.keyboard.press("Tab")
        style = page.evaluate(
            "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])(getComputedStyle(document.activeElement))"
        )
        assert page.evaluate("document.activeElement.closest('.explore') !== null")
        assert style == ["solid", "3px"]


@pytest_browser
@pytest.mark.parametrize(("name", "rows"), [(CUT, 27), (NULLS, 24)])
def test_without_javascript_a_figure_and_a_table_stand_there(
    chromium: Browser, site: Path, name: str, rows: int
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.as_uri()}/{name}")
    assert page.locator(".explore").get_attribute("hidden") is not None
    assert page.locator(".explore :is(input, button)").count() == 0
    assert page.locator(".explore-note").is_visible()
    for image in page.locator("article img").all():
        assert image.is_visible()
    for summary in page.locator("article details > summary", has_text="The data behind").all():
        summary.click()
    tables = [table.locator("tbody tr").count() for table in page.locator(".table-frame:visible").all()]
    assert rows in tables
    context.close()


def test_the_script_is_loaded_by_its_pages_only(site: Path) -> None:
    pages = [path for path in site.rglob("*.html") if "_static" not in path.relative_to(site).parts]
    with_script = {
        path.relative_to(site).as_posix()
        for path in pages
        if re.search(r'<script[^>]+explore\.js"', path.read_text(encoding="utf-8"))
    }
    assert with_script == {CUT, NULLS}


def test_the_script_names_no_other_host() -> None:
    names = re.findall(r"\w+://[^\"'\s)]+", (ASSETS / "explore.js").read_text() + (ASSETS / "explore.css").read_text())
    assert set(names) == {"http://www.w3.org/2000/svg"}  # the name of SVG, which nobody asks for
