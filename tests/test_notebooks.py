from __future__ import annotations

import re
from pathlib import Path

import jupytext
import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.md"))
PAGES = [PROJECT / "index.md", *NOTEBOOKS, *sorted((PROJECT / "book").glob("*.md"))]

# The only digits that prose may hold: names, never results.
NAMES = re.compile(
    r"""
    Supplementary\ (?:Tables?|Figures?)[\ \u00a0]\d(?:\ and\ \d)?   # of the paper
    | Tables?\ \d(?:\ and\ \d)? | Figures?\ \d
    | CD19[+-]? | h?CART\d*s? | Attribution\ 4\.0 | SHA256SUMS  # names
    | grade\ 5 | row\ 0                                     # the top of a scale, the header's place
    | 30\.4375\ days                                      # what a month is, by definition
    """,
    re.VERBOSE,
)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_pair_agrees_and_holds_no_outputs(path: Path) -> None:
    written, paired = jupytext.read(path), jupytext.read(path.with_suffix(".ipynb"))
    advice = "run `make sync`"
    assert [(c.cell_type, c.source) for c in written.cells] == [(c.cell_type, c.source) for c in paired.cells], advice
    for ours, theirs in zip(written.cells, paired.cells, strict=True):
        assert ours.metadata == theirs.metadata, advice
    assert written.metadata["kernelspec"] == paired.metadata["kernelspec"], advice
    code = [cell for cell in paired.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_every_notebook_has_its_pair_and_its_place_in_the_book() -> None:
    contents = yaml.safe_load((PROJECT / "_toc.yml").read_text())
    listed = {chapter["file"] for part in contents["parts"] for chapter in part["chapters"]}
    assert listed == {path.relative_to(PROJECT).as_posix() for path in PAGES} - {"index.md"}
    assert {path.stem for path in NOTEBOOKS} == {path.stem for path in (PROJECT / "notebooks").glob("*.ipynb")}


def code_cells(text: str) -> list[tuple[dict, str]]:
    """The options and the code of every code cell of a page."""
    cells = re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    parsed = []
    for cell in cells:
        block = re.match(r"---\n(.*?\n)---\n", cell, flags=re.DOTALL)
        line = re.match(r":(tags: .*\n)", cell)
        header = block or line
        options = yaml.safe_load(header[1]) if header else {}
        parsed.append((options, cell[header.end() :] if header else cell))
    return parsed


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_and_define_nothing(path: Path) -> None:
    for options, code in code_cells(path.read_text()):
        lines = [line for line in code.split("\n") if line.strip()]
        assert not re.search(r"^\s*(def|class|lambda)\b", code, flags=re.MULTILINE), code
        if "remove-cell" not in options.get("tags", []):
            only_imports = all(re.match(r"(from|import) ", line) for line in lines)
            assert len(lines) <= (24 if only_imports else 14), code
            assert max(map(len, lines)) <= 78, code


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_opens_and_closes_as_the_others_do(path: Path) -> None:
    text = path.read_text()
    opening = ["**The question.**", "**You will learn**", "**It reads**", "**It takes**"]
    closing = ["## What we found", "### What this does not show", "**Next:**"]
    places = [text.find(words) for words in opening + closing]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_exercise_has_a_hidden_solution(path: Path) -> None:
    _, _, part = path.read_text().partition("\n### Exercises\n")
    tasks = re.findall(r"^(\d+)\. ", part, flags=re.MULTILINE)
    cells = [(options["mystnb"]["code_prompt_show"], options["tags"]) for options, _ in code_cells(part)]
    assert cells == [(f"Solution {number}", ["hide-cell"]) for number in tasks]
    assert tasks == [str(number + 1) for number in range(len(tasks))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_figure_has_caption_name_kind_and_alternative_text(path: Path) -> None:
    for options, code in code_cells(path.read_text()):
        if re.search(r"^(\w+\.)?draw_", code, flags=re.MULTILINE):
            figure, image = options["mystnb"]["figure"], options["mystnb"]["image"]
            assert figure["name"].startswith("fig-")
            kinds = r"IDENTIFIED|COMPATIBLE|SYNTHETIC|RECONSTRUCTED|SUPPLIED|PUBLIC DATA|SIMULATED"
            (kind,) = set(re.findall(kinds, figure["caption"]))
            assert image["alt"].startswith(f"{kind}.")
            assert len(image["alt"].split()) >= 15


def prose(text: str) -> str:
    """What a reader reads on a page and nobody computed: without code, roles, links and numbered lists."""
    options = [options.get("mystnb", {}) for options, _ in code_cells(text)]
    captions = [o.get("figure", {}).get("caption", "") + " " + o.get("image", {}).get("alt", "") for o in options]
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = re.sub(r"^(`{3,})\{(?!glossary).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = "\n".join([text, *captions])
    text = re.sub(r"\{[a-z:]+\}`[^`]*`", "", text)  # roles: glued, printed, cited
    text = re.sub(r"`[^`]*`", "", text)  # code in a sentence
    text = re.sub(r"\]\([^)]*\)", "]", text)  # where links lead
    text = re.sub(r"^:+\{.*$|^:[a-z_-]+:.*$", "", text, flags=re.MULTILINE)  # directives and their options
    text = re.sub(r"^\([a-z0-9-]+\)=$", "", text, flags=re.MULTILINE)  # places that links lead to
    return re.sub(r"^\d\. ", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_no_number_is_typed_into_prose(path: Path) -> None:
    typed = [line for line in NAMES.sub("", prose(path.read_text())).split("\n") if re.search(r"\d", line)]
    assert typed == []


def test_a_typed_number_would_be_found() -> None:
    page = (
        "Text.\n\n```{code-cell} ipython3\n---\nmystnb:\n  figure:\n    caption: with 20 patients\n---\ndraw_x()\n```\n"
    )
    assert re.search(r"\d", prose(page))
    assert re.search(r"\d", prose("A rate of 74.1%."))
    assert not re.search(r"\d", NAMES.sub("", prose("CART2 in Supplementary Table 1: {glue:text}`n_20:.1f`, `x[0]`.")))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_one_sentence_a_line(path: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    crowded = [line for line in text.split("\n") if re.search(r"[a-z)`][.?!] [A-Z]", line.split(". ", 1)[-1])]
    assert [line for line in crowded if not re.match(r"\d\. |- ", line)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_glued_number_is_told_somewhere(path: Path) -> None:
    here, everywhere = path.read_text(), "".join(page.read_text() for page in PAGES)
    glued = set(re.findall(r'glue\("(\w+)"', here))
    told = set(re.findall(r"\{glue:text\}`(\w+)[:`]", here))
    told |= set(re.findall(rf"{re.escape(path.name)}::(\w+)[:`]", everywhere))
    assert glued - told == set()
