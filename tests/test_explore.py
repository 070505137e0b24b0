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
from playwright.sync_api import Browser, CDPSession, Page, expect, sync_playwright
from scipy import stats
from test_browser import FLAGS, OVERFLOW, PHONES, barriers_in_both_themes, listed, reading

from survaudit.cutpoint import scan as cutpoint
from survaudit.cutpoint import selection
from survaudit.cutpoint.selection import EveryCut, every_cut
from survaudit.errors import InputError
from survaudit.figures.explore import Cohort, CutExplorer, NullExplorer, draw_null_cohort
from survaudit.survival import curves as survival

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
    every = every_cut(x, time, event, rng=np.random.default_rng(1), replicates=99, min_group=3)
    (data,) = island(CutExplorer([cohort(every, "SYNTHETIC")])._repr_html_())["cohorts"]
    assert data["least"] == 3
    assert data["cut"] == [cut for cut in sorted(set(x)) if 3 <= (x <= cut).sum() <= len(x) - 3]
    for place, cut in enumerate(data["cut"]):
        low = x <= cut
        bins = data["bins"][place]
        assert sum(bins["low"]) == data["n_low"][place] == low.sum()
        assert sum(bins["high"]) == data["n_high"][place] == (~low).sum()
        assert max(bins["low"] + bins["high"]) <= data["most"]
        for end, few, many in zip(bins["edges"][1:], bins["low"], bins["high"], strict=True):
            assert not (many if end <= cut else few), "no bar lies on the other side of the cut"
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


def test_the_figure_of_invented_cohorts_says_so_in_the_picture() -> None:
    scan = cutpoint.scan_one(*ties(1))
    curve = survival.kaplan_meier(*ties(1)[1:])
    assert draw_null_cohort(scan, (curve, curve), [1.0, 2.0], 5.59).get_suptitle().startswith("SIMULATED: ")


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
    return f"{p:#.2g}"


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
    assert page.get_by_label("Cut of MRD").input_value() == str(place)
    assert page.locator(".explore-slider").inner_text().endswith(f"{cut:g}%, cut {place + 1} of {len(set(x)) - 1}")
    shown = page.locator(".explore-card strong").all_inner_texts()
    assert shown[0] == show_p(test.p_value)
    assert text.rstrip(".").split("corrected P ")[1].split(". ")[0] == shown[1]
    histogram, curves = page.locator(".explore-panels svg").all()[1:]
    sides = {f"low (at most {cut:g}%), n = {low.sum()}", f"high (above {cut:g}%), n = {(~low).sum()}"}
    assert sides <= set(histogram.locator("text").all_text_contents())
    assert all(side in histogram.get_attribute("aria-label") for side in sides)
    heard = curves.get_attribute("aria-label")
    assert "At risk at 0, 6, 12, 18, 24, 30 months: " in heard
    for row, side in enumerate((low, ~low)):
        assert path_of(page, row).count("V") == len(set(time[side & (event == 1)]))
        at_risk = [int((time[side] >= month * 30.4375).sum()) for month in range(0, 31, 6)]
        name = ("low", "high")[row]
        texts = curves.locator("text").all_text_contents()
        start = texts.index(name) + 1
        assert [int(text) for text in texts[start : start + len(at_risk)]] == at_risk
        assert f"{name} {', '.join(map(str, at_risk))}" in heard.split("months: ")[1]


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


def swipe(touch: CDPSession, page: Page, start: tuple[float, float], step: tuple[float, float]) -> None:
    """Lay a finger on the screen, move it ten steps, and take it off."""
    for i in range(11):
        point = {"x": start[0] + i * step[0], "y": start[1] + i * step[1]}
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove" if i else "touchStart", "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(300)


@pytest_browser
def test_a_finger_that_scrolls_over_the_slider_leaves_the_cut(
    chromium: Browser, site: Path, example: tuple[np.ndarray, ...]
) -> None:
    context = chromium.new_context(viewport=PHONES[0], has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"{site.as_uri()}/{CUT}")
    best = sorted(set(example[0])).index(65.6)
    # Where the slider stays in sight above what it moves.
    page.evaluate("document.querySelector('.explore-cards').scrollIntoView({block: 'center', behavior: 'instant'})")
    box, before = page.get_by_label("Cut of MRD").bounding_box(), page.evaluate("window.scrollY")
    assert 0 < box["y"] < 200
    touch = context.new_cdp_session(page)
    middle = box["y"] + box["height"] / 2
    swipe(touch, page, (80, middle), (0, 20))
    assert page.evaluate("window.scrollY") < before
    check_cut(page, example, best)
    box = page.get_by_label("Cut of MRD").bounding_box()
    swipe(touch, page, (320, box["y"] + box["height"] / 2), (-29, 0))
    check_cut(page, example, 0)
    context.close()


@pytest_browser
def test_who_comes_back_finds_controls_and_page_of_one_mind(
    opened: Callable[[str], Page], example: tuple[np.ndarray, ...]
) -> None:
    page = opened(CUT)
    page.get_by_label("Breast cancer").check()
    page.get_by_label("Cut of age").press("End")
    opened(NULLS)
    page.get_by_label("Least patients a side").select_option("6")
    page.get_by_label("Censored").select_option("0.6")
    page.get_by_label("Seed").fill("77")
    page.get_by_label("Seed").blur()
    page.go_back()
    expect(page.get_by_role("radio", name="Worked example")).to_be_checked()
    check_cut(page, example, sorted(set(example[0])).index(65.6))
    page.go_forward()
    expect(page.locator(".explore-kind strong")).to_have_text("SIMULATED")
    controls = page.locator(".explore :is(input, select)")
    assert [control.input_value() for control in controls.all()] == ["1", "0", "1"]
    x, time, event = map(np.array, plain_null(mulberry32(1), 28, 0.0))
    assert f"chi-square of {cutpoint.scan_one(x, time, event).best.chi2:.2f}" in said(page)


@pytest_browser
def test_drawings_follow_the_width_of_their_place_and_a_click_finds_its_cut(
    opened: Callable[[str], Page], example: tuple[np.ndarray, ...]
) -> None:
    page = opened(CUT)
    place, drawing = page.locator(".explore-panels").first, page.locator(".explore-click")
    page.evaluate("document.querySelector('.explore').style.width = '420px'")  # no window is resized
    width = place.evaluate("place => place.clientWidth")
    assert width < 420
    expect(drawing).to_have_attribute("width", str(width))
    # And while a drawing is still shown smaller than it was drawn, as on paper or before the next frame:
    drawing.evaluate("drawing => { drawing.style.width = '250px'; }")
    page.get_by_label("Cut of MRD").evaluate("slider => { slider.value = 0; }")
    ring = drawing.locator("circle[r='10']").bounding_box()
    box = drawing.bounding_box()
    assert box["width"] == pytest.approx(250, abs=1)
    drawing.click(
        position={"x": ring["x"] + ring["width"] / 2 - box["x"], "y": ring["y"] + ring["height"] / 2 - box["y"]}
    )
    check_cut(page, example, sorted(set(example[0])).index(65.6))


@pytest_browser
def test_a_screen_reader_hears_the_cut_where_the_slider_comes_to_rest(opened: Callable[[str], Page]) -> None:
    page = opened(CUT)
    heard = page.locator(".explore [aria-live]")
    assert page.locator(".explore-said").get_attribute("aria-live") is None
    page.wait_for_timeout(800)
    assert heard.text_content() == ""  # nothing was done yet
    page.evaluate(
        "window.changes = 0; new MutationObserver(() => { window.changes += 1; })"
        ".observe(document.querySelector('.explore [aria-live]'), {childList: true, subtree: true})"
    )
    slider = page.get_by_label("Cut of MRD")
    slider.focus()
    page.evaluate(
        "() => { const slider = document.activeElement; for (let place = 20; place >= 0; place -= 1) "
        "{ slider.value = place; slider.dispatchEvent(new Event('input')); } }"
    )
    expect(heard).to_have_text(said(page))
    page.get_by_role("button", name="Lower cut").click()  # it is the lowest
    page.wait_for_timeout(800)
    assert page.evaluate("window.changes") == 1


STRUCK = """() => [...document.querySelectorAll(".explore-panels svg")].flatMap(drawing => {
  const whole = drawing.getBoundingClientRect();
  const texts = [...drawing.querySelectorAll("text:not([fill-opacity])")];
  const words = texts.map(text => ({word: text.textContent, box: text.getBoundingClientRect()}));
  const outside = ({box}) => box.left < whole.left - 1 || box.right > whole.right + 1 || box.bottom > whole.bottom + 1;
  const meet = (one, other) => Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1 &&
    Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 3;
  return [
    ...words.filter(outside).map(({word}) => `outside: ${word}`),
    ...words.flatMap((one, i) => words.slice(i + 1).filter(other => meet(one.box, other.box))
      .map(other => `${one.word} on ${other.word}`)),
  ];
})"""


@pytest_browser
def test_every_drawing_has_a_key_and_no_word_lies_on_another(chromium: Browser, site: Path) -> None:
    for viewport in PHONES:
        with reading(chromium, site.as_uri(), viewport) as reader:
            for name, kinds, extra in (
                (CUT, ["Breast cancer", "Worked example"], {"chosen cut"}),
                (NULLS, [""], set()),
            ):
                page = reader.open(name)
                for kind in kinds:
                    if kind:
                        page.get_by_role("radio", name=kind).check()
                    expected = {"more events in low than expected", "more events in high than expected", "best cut"}
                    first = page.locator(".explore-panels svg").first
                    assert expected | extra <= set(first.locator("text").all_text_contents())
                    word = page.locator(".explore-kind strong").inner_text()
                    for drawing in page.locator(".explore-panels svg").all():
                        assert drawing.locator("text").first.text_content().startswith(f"{word}: ")
                    assert page.evaluate(STRUCK) == []
            assert not reader.problems, listed(reader.problems)


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
        page.get_by_role("button", name="Draw to the next 100", exact=True).click()
        page.get_by_role("button", name="Draw a cohort").click()
        numbers = mulberry32(seed)
        drawn = [plain_null(numbers, 28, censoring) for _ in range(101)]
        best = np.array([cutpoint.scan_one(*columns, min_group=least).best.chi2 for columns in drawn])
        counts = [int((best >= 5.59).sum()), int((best >= limit).sum())]
        assert page.locator(".explore-card strong").all_inner_texts() == [f"{count} of 101" for count in counts]
        assert f"chi-square of {best[-1]:.2f}" in said(page)
        for words, share in zip(
            page.locator(".explore-card span").all_inner_texts(), expected[censoring, least], strict=True
        ):
            told = float(re.search(r"Expected: ([\d.]+)%", words)[1])
            assert told == pytest.approx(100 * float(share), abs=0.1001)
            error = float(re.search(r"standard error of ([\d.]+)%", words)[1])
            assert error == pytest.approx(100 * np.sqrt(float(share) * (1 - float(share)) / 101), abs=0.1)
    page.get_by_role("button", name="Draw to the next 1,000").click()
    expect(page.locator(".explore-card strong").first).to_have_text(re.compile(" of 1,000$"))


@pytest_browser
@pytest.mark.parametrize(("typed", "seed"), [("-1", 2**32 - 1), ("1.5", 1), ("4294967297", 1), ("", 0)])
def test_the_seed_that_is_shown_is_the_seed_that_is_used(opened: Callable[[str], Page], typed: str, seed: int) -> None:
    page = opened(NULLS)
    page.get_by_label("Seed").fill(typed)
    page.get_by_role("button", name="Start again").click()
    assert page.get_by_label("Seed").input_value() == str(seed)
    x, time, event = map(np.array, plain_null(mulberry32(seed), 28, 0.0))
    assert f"chi-square of {cutpoint.scan_one(x, time, event).best.chi2:.2f}" in said(page)


@pytest_browser
def test_many_cohorts_leave_the_page_answering(opened: Callable[[str], Page]) -> None:
    page = opened(NULLS)
    # A clock by which every look takes a millisecond, so that a slow machine draws in the same slices.
    page.evaluate("() => { let now = 0; performance.now = () => { now += 1; return now; }; }")
    counts = page.locator(".explore-card strong")
    button = page.get_by_role("button", name="Draw to the next 1,000")
    button.focus()
    told = page.evaluate(
        "() => { const {activeElement: button} = document; button.click();"
        " const first = document.querySelector('.explore-card strong').textContent;"
        " for (const other of button.parentElement.querySelectorAll('[aria-disabled=true]')) other.click();"
        " return [first, document.querySelector('.explore-card strong').textContent, button.ariaDisabled]; }"
    )
    assert 1 < int(told[0].split(" of ")[1]) < 100  # a slice, and then the page is drawn
    assert told[1:] == [told[0], "true"]
    expect(counts.first).to_have_text(re.compile(" of 1,000$"), timeout=20_000)
    expect(button).to_have_attribute("aria-disabled", "false")
    expect(button).to_be_focused()
    # Another setting ends what was going on.
    page.evaluate(
        "() => { document.activeElement.click(); const least = document.querySelector('select');"
        " least.value = '6'; least.dispatchEvent(new Event('change')); }"
    )
    page.wait_for_timeout(300)
    assert [text.split(" of ")[1] for text in counts.all_inner_texts()] == ["1", "1"]


@pytest_browser
def test_more_cohorts_than_a_call_takes_arguments(chromium: Browser, tmp_path: Path) -> None:
    """Math.max of as many values overflowed the stack."""
    shares = pd.DataFrame(
        {"n": [4], "min_group": [1], "censoring": [0.0], "share": [0.1], "chi2": [5.59], "replicates": [9]}
    )
    body = NullExplorer(shares, shares.assign(chi2=3.84))._repr_html_()
    script = (ASSETS / "explore.js").read_text(encoding="utf-8")
    (tmp_path / "page.html").write_text(
        f"<!DOCTYPE html><body>{body}<script>{script}</script></body>", encoding="utf-8"
    )
    with reading(chromium, tmp_path.as_uri()) as reader:
        page = reader.open("page.html")
        # A clock that stands still: all are drawn at once.
        page.evaluate("performance.now = () => 0")
        page.evaluate(
            "() => { const buttons = [...document.querySelectorAll('button')];"
            " const press = buttons.find(button => button.textContent.includes('1,000'));"
            " for (let i = 0; i < 130; i += 1) press.click(); }"
        )
        assert said(page).startswith("Cohort 130,000:")
        assert not reader.problems, listed(reader.problems)


@pytest_browser
@pytest.mark.parametrize("name", [CUT, NULLS])
def test_moved_pages_have_no_barrier_and_fit_a_phone(chromium: Browser, site: Path, name: str) -> None:
    with reading(chromium, site.as_uri(), PHONES[1]) as reader:
        page = reader.open(name)
        if name == CUT:
            page.get_by_label("Breast cancer").check()
            page.get_by_role("button", name="Lower cut").click()
        else:
            page.get_by_role("button", name="Draw to the next 1,000").click()
            expect(page.locator(".explore-card strong").first).to_have_text(re.compile(" of 1,000$"))
        found = barriers_in_both_themes(reader, page)
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


@pytest_browser
@pytest.mark.parametrize("name", [CUT, NULLS])
def test_the_note_stands_where_the_script_does_not_come(chromium: Browser, site: Path, name: str) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{site.as_uri()}/{name}")
    expect(page.locator(".explore")).to_be_visible()
    expect(page.locator(".explore-note")).to_be_hidden()
    assert page.locator(".explore-note").count() == 1
    page.route("**/explore.js", lambda route: route.abort())
    page.reload()
    expect(page.locator(".explore-note")).to_be_visible()
    expect(page.locator(".explore")).to_be_hidden()
    context.close()


@pytest_browser
def test_on_paper_nothing_waits_to_be_pressed_and_no_colour_is_turned(chromium: Browser, site: Path) -> None:
    with reading(chromium, site.as_uri(), theme="dark") as reader:
        page = reader.open(CUT)
        drawing = page.locator(".explore-click")
        expect(drawing).not_to_have_css("filter", "none")
        page.emulate_media(media="print", color_scheme="dark")
        expect(drawing).to_have_css("filter", "none")
        for control in page.locator(".explore-slider input, .explore-button").all():
            assert not control.is_visible()
        assert not reader.problems, listed(reader.problems)


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
