from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cache_key
import pytest
from printed import printed_number

from survaudit.errors import ClaimError
from survaudit.ledger.claims import Claim

PAGE = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A page

```{code-cell} ipython3
import sys
from pathlib import Path
sys.path.insert(0, "src")
import answer
from myst_nb import glue
glue("value", float(answer.VALUE), display=False)
print("value", answer.VALUE, Path("data/number.txt").read_text())
```

Prose says {glue:text}`value:.1f`; the paper prints {printed}`mrd-p-value`.

```{code-cell} ipython3
---
mystnb:
  image:
    alt: a square of {glue:text}`value:.2f`
---
import matplotlib.pyplot as plt
plt.figure(figsize=(1, 1))
plt.plot([0, 1])
plt.show()
```
"""

CONFIGURATION = """
import sys
sys.path.insert(0, {extensions!r})
extensions = ["myst_nb", "cache_key", "computed_alt", "execute_ahead", "printed"]
nb_execution_mode = "cache"
exclude_patterns = ["_build"]
nb_execution_raise_on_error = True
nb_merge_streams = True
"""


@pytest.fixture
def book(tmp_path: Path, project: Path) -> Path:
    """A book of one page that reads a module, a data file and the register of claims."""
    root = tmp_path / "book"
    for folder in ("src", "data", "book/_tools"):
        (root / folder).mkdir(parents=True)
    (root / "book" / "_tools" / "validation.py").touch()
    (root / "index.md").write_text(PAGE)
    (root / "conf.py").write_text(CONFIGURATION.format(extensions=str(project / "book" / "_ext")))
    (root / "src" / "answer.py").write_text("VALUE = 1.25\n")
    (root / "data" / "number.txt").write_text("seven")
    shutil.copy(project / "data" / "claims.yml", root / "data" / "claims.yml")
    (root / "requirements.lock").write_text("a==1\n")
    return root


def run_sphinx(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-E", "-b", "html", *options, ".", "_build/html"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def build(root: Path) -> str:
    done = run_sphinx(root, "-q")
    assert done.returncode == 0, done.stderr
    return (root / "_build" / "html" / "index.html").read_text()


def caches(root: Path) -> set[str]:
    return {path.name for path in (root / "_build" / ".jupyter_cache").iterdir()}


@pytest.mark.build
def test_a_change_in_source_or_data_is_never_served_stale(book: Path) -> None:
    first = build(book)
    assert "value 1.25 seven" in first
    assert 'Prose says <span class="pasted-text">1.2</span>' in first
    assert 'alt="a square of 1.25"' in first
    assert '<span class="printed-number">0.017</span>' in first
    known = caches(book)

    (book / "src" / "answer.py").write_text("VALUE = 3.75\n")
    second = build(book)
    assert "value 3.75 seven" in second
    assert 'alt="a square of 3.75"' in second
    assert caches(book).isdisjoint(known), "the cache of earlier inputs is dropped"

    known = caches(book)
    (book / "data" / "number.txt").write_text("eight")
    assert "value 3.75 eight" in build(book)
    assert caches(book).isdisjoint(known)

    known = caches(book)
    build(book)
    assert caches(book) == known, "without a change, the cache stays"


@pytest.mark.build
def test_what_a_slow_cell_prints_is_one_piece(book: Path) -> None:
    # A kernel sends what was printed every fifth of a second; a slow machine would have built another page.
    slow = 'print("first", flush=True); import time; time.sleep(1); print("then", flush=True); print("value"'
    (book / "index.md").write_text(PAGE.replace('print("value"', slow))
    assert "first\nthen\nvalue 1.25 seven\n</pre>" in re.sub("</?span[^>]*>", "", build(book))


@pytest.mark.build
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{printed}`mrd-p-value`", "{printed}`mrd-q-value`", "no claim 'mrd-q-value'"),
        ("of {glue:text}`value:.2f`", "of {glue:text}`other:.2f`", "nothing is glued as 'other'"),
        ('print("value"', 'raise KeyError("value"', "ExecutionError"),
    ],
    ids=["unknown claim", "unknown number in alternative text", "failing cell"],
)
def test_a_wrong_page_fails_the_build(book: Path, old: str, new: str, message: str) -> None:
    (book / "index.md").write_text(PAGE.replace(old, new))
    with pytest.raises(AssertionError, match=message):
        build(book)


# ------------------------------------------------------------------ execution ahead of the pages

# Each of the two pages waits until the other has begun, and keeps a tally of its executions.
MEETING = """
```{code-cell} ipython3
import time
from pathlib import Path
with Path("tally.txt").open("a") as tally:
    tally.write("NAME\\n")
deadline = time.monotonic() + 60
while "OTHER" not in Path("tally.txt").read_text().split():
    assert time.monotonic() < deadline, "OTHER has not begun"
    time.sleep(0.05)
print("NAME", 6 * 7)
```
"""


@pytest.fixture
def pair(book: Path) -> Path:
    """A book of two notebooks that only get on side by side, and a page without code."""
    header, _, _ = PAGE.partition("```")
    (book / "index.md").write_text("# Contents\n\n```{toctree}\none\ntwo\n```\n")
    for name, other in (("one", "two"), ("two", "one")):
        (book / f"{name}.md").write_text(header + MEETING.replace("NAME", name).replace("OTHER", other))
    return book


def tally(root: Path) -> list[str]:
    """The executions so far."""
    return sorted((root / "tally.txt").read_text().split())


@pytest.mark.build
def test_notebooks_are_executed_side_by_side_ahead_of_their_pages_and_once(pair: Path) -> None:
    first = run_sphinx(pair)
    assert first.returncode == 0, first.stderr
    assert tally(pair) == ["one", "two"]
    assert "executed one in" in first.stdout
    assert "Executing notebook" not in first.stdout, "myst-nb had to execute a page itself"

    second = run_sphinx(pair)
    assert second.returncode == 0, second.stderr
    assert tally(pair) == ["one", "two"], "a second build executes nothing"
    for name in ("one", "two"):
        assert f"{name} 42" in (pair / "_build" / "html" / f"{name}.html").read_text()


@pytest.mark.build
def test_a_cache_that_a_killed_build_left_damaged_is_mended(pair: Path) -> None:
    build(pair)
    for count, damage in enumerate(("noted but not written", "half written", "no tables"), start=2):
        written = min(pair.glob("_build/.jupyter_cache/*/executed/*/base.ipynb"))
        (database,) = pair.glob("_build/.jupyter_cache/*/global.db")
        if damage == "noted but not written":
            written.unlink()
        elif damage == "half written":
            written.write_text(written.read_text()[:100])
        else:
            database.write_bytes(b"")
        build(pair)
        assert tally(pair) == ["one"] * count + ["two"] * count, damage


@pytest.mark.build
def test_a_failing_notebook_is_named_with_its_cell_and_the_others_are_kept(pair: Path) -> None:
    page = (pair / "two.md").read_text()
    (pair / "two.md").write_text(page + "\n```{code-cell} ipython3\n{}['absent']\n```\n")
    line = page.count("\n") + 2
    failed = run_sphinx(pair, "-q")
    assert failed.returncode != 0
    assert f"two.md:{line}: WARNING: Executing notebook failed: CellExecutionError" in failed.stderr
    assert "{}['absent']" in failed.stderr
    assert re.search(r"KeyError\S*: 'absent'", failed.stderr), "the traceback"
    assert "a cell failed (see above) in: two" in failed.stderr

    (pair / "two.md").write_text(page)
    assert run_sphinx(pair).returncode == 0
    assert tally(pair) == ["one", "two", "two"], "the sound notebook was kept"


@pytest.mark.build
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import time; time.sleep(60)", "index.md:9: WARNING: Executing notebook failed: CellTimeoutError"),
        ("import os; os._exit(1)", "index.md: Kernel died"),
        ("import sys; print('beware', file=sys.stderr)", "stderr was found in the cell outputs"),
    ],
    ids=["too slow", "dead kernel", "warning on stderr"],
)
def test_a_notebook_that_does_not_run_cleanly_fails_the_build(book: Path, code: str, message: str) -> None:
    header, _, _ = PAGE.partition("```")
    (book / "index.md").write_text(f"{header}```{{code-cell}} ipython3\n{code}\n```\n")
    failed = run_sphinx(book, "-q", "-D", "nb_execution_timeout=5", "-D", "nb_output_stderr=warn")
    assert failed.returncode != 0
    assert message in failed.stderr


# ------------------------------------------------------------------ the key of the cache


@pytest.mark.parametrize(
    "name", ["src/answer.py", "data/number.txt", "requirements.lock", "src/new.py", "book/_tools/validation.py"]
)
def test_the_key_depends_on_every_input(book: Path, name: str) -> None:
    before = cache_key.fingerprint(book)
    assert cache_key.fingerprint(book) == before
    (book / name).write_text("another content")
    assert cache_key.fingerprint(book) != before


def test_the_key_depends_on_names_and_on_python(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache_key.fingerprint(book)
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    assert cache_key.fingerprint(book) != before
    monkeypatch.undo()
    (book / "data" / "number.txt").rename(book / "data" / "figure.txt")
    assert cache_key.fingerprint(book) != before


def test_the_key_ignores_what_python_leaves_behind(book: Path) -> None:
    before = cache_key.fingerprint(book)
    (book / "src" / "__pycache__").mkdir()
    (book / "src" / "__pycache__" / "answer.pyc").write_bytes(b"x")
    assert cache_key.fingerprint(book) == before


def test_a_key_without_an_input_is_refused(book: Path) -> None:
    (book / "requirements.lock").unlink()
    with pytest.raises(FileNotFoundError, match=r"requirements\.lock"):
        cache_key.fingerprint(book)


# ------------------------------------------------------------------ printed numbers


@pytest.mark.parametrize(
    ("reference", "number"),
    [("mrd-p-value", "0.017"), ("mrd-p-value.p", "0.017"), ("mrd-negative-rate.percent", "74.7")],
)
def test_a_printed_number_is_quoted_digit_for_digit(claims: dict[str, Claim], reference: str, number: str) -> None:
    assert printed_number(claims, reference) == number


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nothing", "no claim"),
        ("cr-rate", "patients, percent"),
        ("cr-rate.rate", "patients"),
        ("no-icans", "no number"),
    ],
)
def test_a_wrong_reference_is_refused(claims: dict[str, Claim], reference: str, message: str) -> None:
    with pytest.raises(ClaimError, match=message):
        printed_number(claims, reference)
