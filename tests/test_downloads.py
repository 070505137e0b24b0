"""What a reader can take away or follow: tables as CSV, notebooks, previews, and the way from ledger to cell."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup, Tag
from docutils import nodes
from docutils.core import publish_doctree
from downloads import lay_out_tables
from lifelines import KaplanMeierFitter
from lifelines.datasets import load_gbsg2
from playwright.sync_api import Browser
from previews import description
from test_browser import DESKTOP, browser, reading  # noqa: F401 - a fixture

from survaudit.figures.tables import FrameTable
from survaudit.follow_up.comparison import curves_table
from survaudit.follow_up.ensemble import Compared, p_shares
from survaudit.ledger.claims import Claim
from survaudit.ledger.verdicts import Ledger
from survaudit.survival.curves import kaplan_meier

FRAME = pd.DataFrame({"patient": [1, 2], "share": [1 / 3, float("nan")], "words": ['a "quoted", one', "café"]})


def notebook_pages(site: Path) -> list[Path]:
    return sorted((site / "notebooks").glob("*.html"))


def all_pages(site: Path) -> list[Path]:
    """Every page that was written, the home page among them."""
    left_out = {"search.html"}
    pages = [page for page in sorted(site.rglob("*.html")) if "_static" not in page.relative_to(site).parts]
    return [page for page in pages if page.name not in left_out]


@cache
def article(page: Path) -> Tag:
    found = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").find("article")
    assert isinstance(found, Tag)
    return found


# ------------------------------------------------------------------ tables as CSV


def csv_in(html: str) -> pd.DataFrame:
    link = BeautifulSoup(html, "html.parser").select_one("p.table-download a")
    assert link is not None
    content = base64.b64decode(link["href"].removeprefix("data:text/csv;base64,"))
    return pd.read_csv(io.BytesIO(content), float_precision="round_trip")


def test_a_table_carries_its_frame_to_the_last_bit() -> None:
    pd.testing.assert_frame_equal(csv_in(FrameTable(FRAME, "Some table")._repr_html_()), FRAME, check_exact=True)


def test_a_table_of_a_part_carries_the_whole_and_a_named_index() -> None:
    html = FrameTable(FRAME.head(1), "A part", full=FRAME.set_index("patient"))._repr_html_()
    assert len(BeautifulSoup(html, "html.parser").select("tbody tr")) == 1
    pd.testing.assert_frame_equal(csv_in(html), FRAME, check_exact=True)


def test_the_link_is_named_after_the_table() -> None:
    html = FrameTable(FRAME, "P & chi-square, panel A")._repr_html_()
    link = BeautifulSoup(html, "html.parser").select_one("p.table-download a")
    assert link["download"] == "p-chi-square-panel-a.csv"
    assert link.get_text() == "P & chi-square, panel A (CSV)"


def test_tables_are_laid_beside_the_page_and_no_two_share_a_file(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    tables = [FrameTable(FRAME, "Twice"), FrameTable(FRAME.head(1), "Twice"), FrameTable(FRAME, "Twice")]
    page.write_text("".join(table._repr_html_() for table in tables))
    lay_out_tables(page)
    links = [link["href"] for link in BeautifulSoup(page.read_text(), "html.parser").select("p.table-download a")]
    assert links == ["page/twice.csv", "page/twice-2.csv", "page/twice.csv"]
    for link, table in zip(links, tables, strict=True):
        found = pd.read_csv(tmp_path / link, float_precision="round_trip")
        pd.testing.assert_frame_equal(found, table.full, check_exact=True, check_dtype=False)


def after(figure: Tag) -> Iterator[Tag]:
    """The elements that follow a figure, up to the next one."""
    for element in figure.find_all_next(["figure", "p"]):
        if element.name == "figure":
            return
        yield element


def test_the_data_behind_every_figure_can_be_downloaded(site: Path) -> None:
    figures = {}
    for page in all_pages(site):
        for figure in article(page).find_all("figure"):
            links = [p.a for p in after(figure) if "table-download" in p.get("class", [])]
            assert links, f"{page.name}: no data behind {figure.get('id')}"
            assert links[0].find_parent("details") is not None or figure.find_parent("details") is not None
            assert all((page.parent / link["href"]).is_file() for link in links)
            figures[figure["id"]] = page.name
    assert len(figures) >= 57
    assert figures["fig-home-nulls"] == figures["fig-home-bounds"] == "index.html"


# Words by which a name would say that a file holds a part.
PART = re.compile(r"\b(tenth|ten|five|three|part|summary|rows)\b")


def test_every_csv_has_the_columns_and_at_least_the_rows_of_its_table_and_a_true_name(site: Path) -> None:
    seen = 0
    for page in all_pages(site):
        for line in article(page).select("p.table-download"):
            table, name = line.find_previous_sibling("div", class_="table-frame"), line.a["download"]
            assert not line.a["href"].startswith("data:"), f"{page.name}: {name}"
            written = pd.read_csv(page.parent / line.a["href"])
            heads = [head.get_text(strip=True) for head in table.thead.find_all(["th", "td"])]
            # The first column may name what the rows of a summary are.
            assert set(heads[1:]) <= set(written.columns), f"{page.name}: {name}"
            rows = len(table.tbody.find_all("tr"))
            assert len(written) >= rows
            if len(written) > rows:
                assert not PART.search(name.replace("-", " ")), f"{page.name}: {name} holds everything"
                folded = line.find_parent("details")
                assert folded is None or "the CSV has all" in folded.summary.get_text(), f"{page.name}: {name}"
            seen += 1
    assert seen >= 140


# ------------------------------------------------------------------ what is drawn, computed again from elsewhere


def behind(site: Path, page: str, figure: str) -> dict[str, pd.DataFrame]:
    """The tables behind a figure, by the names of their files."""
    path = site / f"{page}.html"
    found = article(path).find("figure", id=figure)
    assert isinstance(found, Tag), figure
    links = [p.a for p in after(found) if "table-download" in p.get("class", []) and p.find_parent("details")]
    files = {link["href"]: path.parent / link["href"] for link in links}
    return {Path(href).stem: pd.read_csv(file, float_precision="round_trip") for href, file in files.items()}


def with_column(tables: dict[str, pd.DataFrame], *columns: str) -> pd.DataFrame:
    """The only table that has all these columns."""
    (found,) = [table for table in tables.values() if set(columns) <= set(table.columns)]
    return found


def curves_are_those_of(steps: pd.DataFrame, group: pd.Series, days: pd.Series, event: pd.Series) -> None:
    """Compare curves with those of lifelines, at every time, to the end."""
    assert set(steps["group"]) == set(group)
    for name, own in steps.groupby("group"):
        here = (group == name).to_numpy()
        theirs = KaplanMeierFitter().fit(days[here], event[here])
        assert len(own) == 1 + days[here].nunique()
        first, last = own.iloc[0], own.iloc[-1]
        assert (first["time_days"], first["survival"], first["at_risk"]) == (0, 1, here.sum())
        assert last["time_days"] == days[here].max()
        known = theirs.survival_function_at_times(own["time_days"]).to_numpy()
        np.testing.assert_allclose(own["survival"], known, rtol=0, atol=1e-12)
        assert own["events"].sum() == event[here].sum()
        assert own["censored"].sum() == here.sum() - event[here].sum()


GBSG = load_gbsg2()
CUT_FIGURES = [
    ("notebooks/08_every_cut", "fig-xtile-public", "age", "group"),
    ("notebooks/13_another_paper", "fig-nodes", "pnodes", "group"),
    ("notebooks/14_explore_a_cut", "fig-explore-public", "age", "side"),
]


@pytest.mark.parametrize(("page", "figure", "covariate", "side"), CUT_FIGURES, ids=[row[1] for row in CUT_FIGURES])
def test_a_figure_of_cuts_on_public_data_gives_all_three_panels(
    site: Path, page: str, figure: str, covariate: str, side: str
) -> None:
    tables = behind(site, page, figure)
    x, least = GBSG[covariate], len(GBSG) // 20
    cuts = [value for value in sorted(x.unique()) if min((x <= value).sum(), (x > value).sum()) >= least]
    scan = with_column(tables, "cut", "chi2", "n_low")
    assert scan["cut"].tolist() == cuts
    assert scan["n_low"].tolist() == [(x <= value).sum() for value in cuts]
    best = scan.loc[scan["chi2"].idxmax(), "cut"]
    patients = with_column(tables, covariate)
    assert patients[[covariate, "time", "cens"]].equals(GBSG[[covariate, "time", "cens"]])
    expected = pd.Series(np.where(x <= best, "low", "high"))
    assert patients[side].equals(expected)
    curves_are_those_of(with_column(tables, "survival"), expected, GBSG["time"], GBSG["cens"])


def test_the_curves_by_hormones_are_whole(site: Path) -> None:
    (steps,) = behind(site, "notebooks/13_another_paper", "fig-hormones").values()
    curves_are_those_of(steps, GBSG["horTh"].map({"no": "no hormones", "yes": "hormones"}), GBSG["time"], GBSG["cens"])


WORKED = [
    ("notebooks/10_figure_two", "fig-figure-two"),
    ("notebooks/14_explore_a_cut", "fig-explore-example"),
]


@pytest.mark.parametrize(("page", "figure"), WORKED, ids=[figure for _, figure in WORKED])
def test_a_figure_of_cuts_on_the_worked_example_gives_all_three_panels(
    site: Path, project: Path, page: str, figure: str
) -> None:
    kept = pd.read_csv(project / "data/synthetic/figure_s2.csv").dropna(subset="lfs_days")
    kept = kept.merge(pd.read_csv(project / "data/tidy/patients.csv")[["patient", "mrd_percent"]], on="patient")
    tables = behind(site, page, figure)
    scan = with_column(tables, "cut", "chi2", "n_low")
    assert scan["cut"].tolist() == sorted(kept["mrd_percent"].unique())[:-1]
    patients = with_column(tables, "patient", "mrd_percent").set_index("patient")
    assert patients["time_days"].tolist() == kept.set_index("patient").loc[patients.index, "lfs_days"].tolist()
    assert patients["event"].tolist() == kept.set_index("patient").loc[patients.index, "lfs_event"].tolist()
    side = pd.Series(np.where(kept["mrd_percent"] <= scan.loc[scan["chi2"].idxmax(), "cut"], "low", "high"))
    steps = with_column(tables, "survival")
    curves_are_those_of(steps, side, kept["lfs_days"], kept["lfs_event"])
    # Invented times may never leave the page without saying so.
    assert set(patients["kind"]) == set(steps["kind"]) == {"SYNTHETIC"}


def test_every_cohort_without_effect_is_given_and_the_last_one_whole(site: Path, claims: dict[str, Claim]) -> None:
    tables = behind(site, "notebooks/14_explore_nulls", "fig-explore-nulls")
    maxima, scan = with_column(tables, "cohort", "chi2"), with_column(tables, "cut", "chi2")
    assert len(maxima) == 1000
    reached = (maxima["chi2"] >= float(claims["mrd-chi-square"].printed["chi_square"])).mean()
    caption = article(site / "notebooks/14_explore_nulls.html").find("figure", id="fig-explore-nulls").figcaption
    assert f"{reached:.0%} reach the published chi-square" in caption.get_text()
    assert len(scan) == int(claims["n-patients"].printed["patients"]) - 1
    best = scan.loc[scan["chi2"].idxmax()]
    assert best["chi2"] == maxima["chi2"].iloc[-1]
    steps = with_column(tables, "survival").groupby("group")
    assert steps["n"].first().to_dict() == {"low": best["n_low"], "high": best["n_high"]}
    assert (steps["survival"].last() == 0).all()  # nobody is censored
    assert (steps["events"].sum() == steps["n"].first()).all()


@pytest.mark.parametrize(
    ("page", "figure", "share"),
    [
        ("index", "fig-home-nulls", "share"),
        ("notebooks/09_selected_cut", "fig-null-shares", "share"),
        ("notebooks/09_selected_cut", "fig-calibration", "rejected"),
    ],
    ids=["home", "nulls", "calibration"],
)
def test_the_bars_of_simulated_shares_are_given(site: Path, page: str, figure: str, share: str) -> None:
    (table,) = behind(site, page, figure).values()
    binomial = np.sqrt(table[share] * (1 - table[share]) / table["replicates"])
    np.testing.assert_allclose(table["standard_error"], binomial, atol=1e-12)
    assert len(table) >= 24
    assert (table[share] * table["replicates"]).sub((table[share] * table["replicates"]).round()).abs().max() < 1e-6


def test_the_bounds_of_the_home_page_are_those_of_their_own_page(site: Path) -> None:
    (home,) = behind(site, "index", "fig-home-bounds").values()
    (own,) = behind(site, "notebooks/04_what_is_pinned_down", "fig-bounds-os").values()
    pd.testing.assert_frame_equal(home, own, check_exact=True)
    assert home.groupby("group")["n"].first().sum() == 28


@pytest.mark.parametrize(
    ("page", "figure"),
    [
        ("notebooks/09_selected_cut", "fig-bootstrap"),
        ("notebooks/10_figure_two", "fig-figure-two-bootstrap"),
        ("notebooks/13_another_paper", "fig-nodes-bootstrap"),
    ],
)
def test_every_bootstrap_sample_is_given_with_both_effects(site: Path, page: str, figure: str) -> None:
    samples = with_column(behind(site, page, figure), "in_bag", "out_of_bag")
    caption = article(site / f"{page}.html").find("figure", id=figure).figcaption.get_text()
    assert re.search(rf"\b{len(samples):,d} bootstrap samples", caption)
    assert samples["in_bag"].notna().mean() > 0.9


def test_a_spline_is_given_at_every_point_with_the_patients(site: Path) -> None:
    for page, figure, covariate in (
        ("notebooks/09_selected_cut", "fig-spline", "age"),
        ("notebooks/13_another_paper", "fig-nodes-spline", "pnodes"),
    ):
        tables = behind(site, page, figure)
        curve, x = with_column(tables, "hazard_ratio"), GBSG[covariate]
        assert len(curve) > 100
        assert (curve["x"].min(), curve["x"].max()) == (x.min(), x.max())
        assert with_column(tables, covariate)[covariate].equals(x)


def test_reconstructed_times_are_given_as_they_are_drawn(site: Path) -> None:
    tables = behind(site, "notebooks/11_your_own_follow_up", "fig-reconstruction")
    times, steps = with_column(tables, "arm", "time_days"), with_column(tables, "at_risk")
    assert (times["time_days"] % 1 != 0).any()
    curves_are_those_of(steps, times["arm"], times["time_days"], times["event"])
    assert set(times["kind"]) == {"RECONSTRUCTED"}
    clicks = tables["the-clicks"]
    assert set(clicks["kind"]) == {"SYNTHETIC"}
    # At least both ends of every step were clicked.
    assert (clicks.groupby("group").size() >= 2 * steps.query("events > 0").groupby("group").size()).all()


PANELS = {
    "a": ("os", "CART1", "CART+HSCT"),
    "b": ("os", "CART2", "CART+HSCT"),
    "c": ("lfs", "CART1", "CART+HSCT"),
    "d": ("lfs", "CART2", "CART+HSCT"),
    "e": ("os", "CART1", "CART2"),
    "f": ("lfs", "CART1", "CART2"),
}


def page_of(letter: str) -> str:
    return "notebooks/05_overall_survival" if PANELS[letter][0] == "os" else "notebooks/06_leukaemia_free_survival"


@pytest.mark.parametrize("letter", PANELS)
def test_a_panel_gives_every_patient_of_both_groups(site: Path, project: Path, letter: str) -> None:
    endpoint, *groups = PANELS[letter]
    kept = pd.read_csv(project / "data/synthetic/figure_s1.csv").dropna(subset=f"{endpoint}_days")
    kept = kept[kept["group"].isin(groups)].set_index("patient")
    times = with_column(behind(site, page_of(letter), f"fig-panel-{letter}-synthetic"), "patient").set_index("patient")
    assert sorted(times.index) == sorted(kept.index)
    assert (times["time_days"] == kept.loc[times.index, f"{endpoint}_days"]).all()
    assert (times["event"] == kept.loc[times.index, f"{endpoint}_event"]).all()
    assert set(times["kind"]) == {"SYNTHETIC"}


@pytest.mark.parametrize("letter", PANELS)
def test_a_panel_gives_the_distribution_of_p_that_its_text_tells(site: Path, letter: str) -> None:
    tables, figure = behind(site, page_of(letter), f"fig-panel-{letter}-compatible"), f"fig-panel-{letter}-compatible"
    shares = with_column(tables, "p").set_index("p")
    assert len(shares) == 1001
    assert shares.shape[1] == 4
    assert (shares.diff().dropna() >= 0).all(axis=None)
    assert (shares.loc[1.0] == 1).all()
    below = shares.loc[0.05]
    alt = article(site / f"{page_of(letter)}.html").find("figure", id=figure).img["alt"]
    assert f"from {below.min():.0%} to {below.max():.0%}" in alt
    assert with_column(tables, "q05").groupby("group")["time_days"].max().tolist() == [1480, 1480]


def test_points_of_curves_start_at_one_and_tell_the_curves_apart() -> None:
    days, event = pd.Series([3.0, 5.0, 5.0, 8.0, 0.0, 4.0]), pd.Series([1, 1, 0, 0, 1, 1])
    group = pd.Series(["a", "a", "a", "a", "b", "b"])
    curves = [kaplan_meier(days[group == name], event[group == name], label=name) for name in "ab"]
    table = curves_table(curves)
    curves_are_those_of(table[table["group"] == "a"], group[:4], days[:4], event[:4])
    assert table.loc[table["group"] == "b", ["time_days", "survival"]].to_numpy().tolist() == [[0, 1], [0, 0.5], [4, 0]]


def test_shares_of_p_count_the_follow_ups() -> None:
    p = np.array([0.0, 0.0499, 0.05, 0.5, 1.0])
    table = p_shares({"x": Compared("OS", ("a", "b"), (1, 1), p, p, p)}).set_index("p")["x"]
    for at in (0.0, 0.049, 0.05, 0.499, 0.5, 0.999, 1.0):
        assert table[at] == sum(value <= at for value in p.tolist()) / 5


# ------------------------------------------------------------------ notebooks


def test_every_notebook_page_gives_away_its_notebook(site: Path, project: Path) -> None:
    for page in notebook_pages(site):
        (link,) = article(page).select("p.notebook-download a.download")
        committed = project / "notebooks" / f"{page.stem}.ipynb"
        assert (page.parent / link["href"]).read_bytes() == committed.read_bytes()
    assert article(site / "index.html").select("p.notebook-download") == []


# ------------------------------------------------------------------ from the ledger to the cell


def ledger_links(site: Path) -> dict[str, str]:
    page = article(site / "notebooks" / "12_ledger.html")
    rows = page.select('tr[id^="claim-"]')
    return {row["id"].removeprefix("claim-"): row.select_one(".ledger-reason a")["href"] for row in rows}


def test_every_claim_links_to_a_visible_cell_of_the_page_that_settles_it(site: Path, ledger: Ledger) -> None:
    links = ledger_links(site)
    assert set(links) == {row.claim.id for row in ledger.rows}
    pages = {path.name: article(path) for path in notebook_pages(site)}
    for row in ledger.rows:
        page, _, anchor = links[row.claim.id].partition("#")
        assert page == f"{Path(row.claim.notebook).stem}.html"
        target = pages[page].find(id=anchor)
        assert target is not None, f"{page}: no cell is marked (settles-{row.claim.id})="
        cell = target if "cell" in target.get("class", []) else target.parent
        assert "cell" in cell["class"], anchor
        assert cell.select_one(".cell_output"), f"{anchor}: the cell shows nothing"


@pytest.mark.browser
def test_a_reader_of_the_ledger_arrives_at_the_cell(browser: Browser, site: Path) -> None:  # noqa: F811
    with reading(browser, site.as_uri(), DESKTOP) as reader:
        for claim, link in ledger_links(site).items():
            page = reader.page
            page.goto(f"{site.as_uri()}/notebooks/{link}")
            assert page.url.endswith(f"#settles-{claim}")
            top = page.evaluate("document.querySelector(':target').getBoundingClientRect().top")
            assert 0 <= top < DESKTOP["height"], claim


# ------------------------------------------------------------------ previews of links


def test_every_written_page_can_be_previewed_and_names_no_address(site: Path) -> None:
    told = {}
    for page in all_pages(site):
        head = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").head
        tags = {tag["property"]: tag["content"] for tag in head.select('meta[property^="og:"]')}
        assert {"og:title", "og:description", "og:type", "og:site_name"} <= set(tags), page.name
        assert all(tags.values())
        assert not any("://" in text for text in tags.values())
        assert len(head.select('meta[name="description"]')) == 1
        told[page.stem] = tags["og:description"]
    assert told["12_ledger"].startswith("Which published numbers stand")
    assert len(set(told.values())) == len(told), "two pages are told apart by their descriptions"


CONFIGURATION = """
import sys
sys.path.insert(0, {extensions!r})
extensions = ["previews"]
exclude_patterns = ["data"]
html_baseurl = "https://book.invalid/of/ours/"
"""


@pytest.mark.build
def test_a_site_whose_address_is_known_is_previewed_with_a_picture(project: Path, tmp_path: Path) -> None:
    source, site = tmp_path / "source", tmp_path / "site"
    (source / "deeper").mkdir(parents=True)
    (source / "data").symlink_to(project / "data")
    (source / "conf.py").write_text(CONFIGURATION.format(extensions=str(project / "book" / "_ext")))
    (source / "index.rst").write_text("Home\n====\n\nFirst words.\n\n.. toctree::\n\n   deeper/page\n")
    (source / "deeper" / "page.rst").write_text("Page\n====\n\nOther words.\n")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", str(source), str(site)]
    subprocess.run(command, check=True)
    head = BeautifulSoup((site / "deeper" / "page.html").read_text(encoding="utf-8"), "html.parser").head
    tags = {tag["property"]: tag["content"] for tag in head.select("meta[property]")}
    assert tags["og:url"] == "https://book.invalid/of/ours/deeper/page.html"
    assert tags["twitter:card"] == "summary_large_image"
    path = tags["og:image"].removeprefix("https://book.invalid/of/ours/")
    picture = matplotlib.image.imread(site / path)
    assert picture.shape[:2] == (630, 1200)
    assert np.ptp(picture[..., :3]) > 0.9, "something is drawn"
    assert tags["og:image:alt"].startswith("IDENTIFIED.")


def read_text(text: str) -> nodes.document:
    return publish_doctree(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Title\n=====\n\nFirst words.\n\n**The question.**\nWhy is it so?\n", "Why is it so?"),
        ("Title\n=====\n\nFirst words.\n\nMore words.\n", "First words."),
        ("Title\n=====\n\n" + "word " * 60, "word " * 40 + "…"),
        ("", ""),
    ],
    ids=["question", "first paragraph", "long", "empty"],
)
def test_a_page_is_described_by_its_question(text: str, told: str) -> None:
    assert description(read_text(text)) == told
