"""The ledger's schema, the page and its figures, on small claims made for the purpose."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

import proofs_check
from proofs_check import (
    Claim,
    Domain,
    Exact,
    Integer,
    Interval,
    Mutant,
    Real,
    Simulation,
    Verdict,
    check,
    figures,
    find,
    wording,
)
from proofs_check.lab import Lab
from proofs_check.page import fragment, mathml, render, write_page
from proofs_check.page._svg import inline_svg
from proofs_check.report import Report
from proofs_check.runner import ClaimResult, MutantResult
from proofs_check.verdicts import Cell, Evidence

SCHEMA = json.loads((Path(proofs_check.__file__).parent / "schema.json").read_text(encoding="utf-8"))
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
DRAWS = 4096


# --- claims -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Share:
    """A share of draws with Hoeffding's interval: exact, and independent of the project's own intervals."""

    successes: int
    trials: int
    level_kind: ClassVar[str] = "exact"

    def __add__(self, other: Any) -> Any:
        return type(self)(self.successes + other.successes, self.trials + other.trials)

    @property
    def size(self) -> int:
        return self.trials

    @property
    def estimate(self) -> float:
        return self.successes / self.trials

    def interval(self, alpha: float) -> Interval:
        radius = math.sqrt(math.log(2 / alpha) / (2 * self.trials))
        return Interval(self.estimate - radius, self.estimate + radius)


class NominalShare(Share):
    """The same, labelled as resting on normality."""

    level_kind: ClassVar[str] = "asymptotic"


def coin(*, p: float, scale: float = 1.0, seeds: range) -> xr.Dataset:
    """Counts of heads in blocks of draws, a replicate each."""
    heads = [np.random.default_rng([seed % 2**32, round(1000 * p)]).binomial(DRAWS, p) for seed in seeds]
    return xr.Dataset({"heads": ("replicate", heads)}, coords={"replicate": range(len(heads))}, attrs={"scale": scale})


def simulated(compare: str = "exact", factor: float = 1.0, sample: type = Share, **options: Any) -> Simulation:
    """Compare the share of heads with `factor` times p."""
    return Simulation(
        options.pop("name", "share of heads"),
        coin,
        cells=options.pop("cells", [{"d": 3, "p": p} for p in (0.1, 0.5, 0.9)]),
        parameters=lambda cell: {"p": cell["p"]},
        extract=lambda data, cell: sample(int(data.heads.sum()), DRAWS * data.sizes["replicate"]),
        predict=options.pop("predict", lambda theory, cell: factor * cell["p"]),
        compare=compare,
        resolution=options.pop("resolution", 0.05),
        planned_n=2,
        unit="block",
        **options,
    )


def exact_cells(lab: Lab) -> Iterator[Cell]:
    for p in lab.rationals():
        yield lab.equal({"d": 3, "p": p}, p * (1 - p), p - p * p, "both forms")


def steps(lab: Lab) -> list[Cell]:
    return [lab.true({"p": "symbol"}, True, "the difference is 0"), lab.true({"d": "d -> d + 1"}, True, "induction")]


def open_pieces(lab: Lab) -> list[Cell]:
    return [lab.true({"p": "[0, 1]"}, None, "3 pieces proved, 2 unknown")]


def hostile_step(lab: Lab) -> list[Cell]:
    return [lab.true({"<b>": "<i>"}, True, "<script>detail()</script>")]


def threshold_cells(lab: Lab) -> list[Cell]:
    """Only a mutant of the closed form can make this fail."""
    return [lab.equal({}, lab.theory.parity_mixture.greedy_threshold_exact(), Fraction(1, 3))]


DOMAIN = Domain({"d": Integer(3, meaning="length"), "p": Real(0, 1, meaning="bias")}, {"d p <= 100": lambda c: True})


def claim(name: str, *evidence: Any, **options: Any) -> Claim:
    defaults: dict[str, Any] = {
        "statement": "The share of heads is p.",
        "latex": r"\Pr[X = 1] = p",
        "origin": "derived",
        "source": "definition of a coin",
        "kind": "exact",
        "domain": DOMAIN,
    }
    return Claim(id=f"coins.{name}", evidence=evidence, **(defaults | options))


HOLDS = claim(
    "share",
    Exact("identity", "symbols", steps),
    Exact("enumeration", "rationals", exact_cells, scope="cells"),
    simulated(),
    simulated(name="share of heads, nominal", sample=NominalShare),
    simulated(name="share of heads, bounded", compare="upper", factor=1.2),
    tightness=lambda lab: {
        "ratio": 0.75,
        "interval": (0.7, 0.8),
        "vacuous": [{"p": 0.99}],
        "detail": "at p = 0.5",
    },
    remarks="At p = 1/2 & d < 4 nothing changes.",
)
FALSE = claim(
    "share_of_tails",
    simulated(factor=0.5, name="share of heads against p/2"),
    statement="The share of heads is p/2.",
    latex=r"\Pr[X = 1] = \frac{p}{2}",
    expected="fails",
    repaired_by="coins.share",
)
OPEN = claim(
    "open_question",
    Exact("enclosure", "pieces", open_pieces, scope="box"),
    Exact("solver", "a solver's word", lambda lab: [lab.true({}, None, "unknown")]),
    origin="conjecture",
    expected="undecided",
)
HOSTILE = claim(
    "hostile",
    Exact("identity", "<script>leg()</script>", hostile_step),
    statement="If a < b & c then <script>alert('x')</script> $ \" ' </script>.",
    latex=r"a < b \quad \text{<script>alert(1)</script>}",
    remarks="<img src=x onerror=alert(1)>",
    source="</style><script>source()</script>",
)
BOUNDED = claim(
    "bounded",
    simulated(name="share of heads, from above", compare="upper", factor=1.2),
    simulated(name="share of heads, from below", compare="lower", factor=0.8),
    kind="upper",
)
MUTATED = claim(
    "mutated",
    Exact("identity", "the threshold in rationals", threshold_cells),
    Exact("identity", "a leg that sees nothing", steps),
    mutants=(
        Mutant("1/2", "it is 1/3", theory={"parity_mixture.greedy_threshold_exact": lambda: Fraction(1, 2)}),
        Mutant("tails", "they are not heads", sims={"parity_mixture.next_token_counts": coin}),
    ),
)
BROKEN = claim("broken", Exact("certificate", "raises", lambda lab: [1 / 0]), latex=r"\nonsense{x")
CLAIMS = (HOLDS, FALSE, OPEN, HOSTILE, BOUNDED, MUTATED, BROKEN)


@lru_cache(maxsize=1)
def report() -> Report:
    return check(CLAIMS, seed=3)


@lru_cache(maxsize=1)
def rendered() -> str:
    return render(report())


def result(name: str) -> ClaimResult:
    return next(r for r in report().results if r.id == f"coins.{name}")


class Page(HTMLParser):
    """Requires every element to be closed in order, and keeps what tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.articles: dict[str, Counter[str]] = {}
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        found = {k: v or "" for k, v in attrs}
        self.attributes += [(tag, k, v) for k, v in found.items()]
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "article":
            self.articles[found["id"]] = Counter()
        if "article" in self.stack:
            next(reversed(self.articles.values()))[tag] += 1
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack[-1] == tag, f"</{tag}> inside <{self.stack[-1]}>"
        self.stack.pop()

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.stack):
            self.text.append(data)


@lru_cache(maxsize=1)
def parsed() -> Page:
    return Page(rendered())


# --- the ledger -------------------------------------------------------------------------


def validate(ledger: Any) -> None:
    jsonschema.validate(ledger, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_the_schema_is_one_and_the_ledger_meets_it() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    ledger = json.loads(json.dumps(report().to_json(), allow_nan=False))
    validate(ledger)
    assert [c["verdict"] for c in ledger["claims"]] == [
        "holds", "fails", "undecided", "holds", "holds", "holds", "undecided",
    ]  # fmt: skip
    assert ledger["claims"][0]["evidence"][1]["cells"][4]["observed"] == "2/9"
    nominal = ledger["claims"][0]["evidence"][3]
    assert (nominal["level_kind"], nominal["planned_n"]) == ("asymptotic", 2)


SPOILED = {
    "a key nobody knows": lambda j: j.update(extra=1),
    "a key nobody knows in a claim": lambda j: j["claims"][0].update(latex="x"),
    "a key nobody knows in a cell": lambda j: j["claims"][0]["evidence"][0]["cells"][0].update(detail=""),
    "a missing key": lambda j: j["claims"][0]["evidence"][0].pop("replay"),
    "an unknown verdict": lambda j: j["claims"][0].update(verdict="true"),
    "a false statement without its repair": lambda j: j["claims"][1].update(repaired_by=None),
    "a theorem expected to stay open": lambda j: j["claims"][2].update(origin="paper"),
    "a NaN written out": lambda j: j["claims"][0]["evidence"][2].update(observed="nan"),
    "an infinity in other words": lambda j: j["claims"][0]["evidence"][2].update(interval=["-Infinity", 1]),
    "an interval with one end": lambda j: j["claims"][0]["evidence"][2].update(interval=[0.5]),
    "an interval with three ends": lambda j: j["claims"][0]["evidence"][2].update(interval=[0, 1, 2]),
    "an exact leg with a level": lambda j: j["claims"][0]["evidence"][0].update(level=1e-9),
    "a simulation without the kind of its level": lambda j: j["claims"][0]["evidence"][2].update(level_kind=None),
    "a solver that is required": lambda j: j["claims"][2]["evidence"][1].update(role="required"),
    "a leg that holds without a cell": lambda j: j["claims"][0]["evidence"][0].update(cells=[]),
    "a leg that holds with an open cell": lambda j: j["claims"][0]["evidence"][0]["cells"][0].update(
        verdict="undecided"
    ),
    "an unsaid tightness": lambda j: j["claims"][0]["tightness"].pop("vacuous"),
    "a negative count": lambda j: j["summary"].update(contrary=-1),
}


@pytest.mark.parametrize("name", SPOILED)
def test_the_schema_refuses(name: str) -> None:
    ledger = json.loads(json.dumps(report().to_json()))
    SPOILED[name](ledger)
    with pytest.raises(jsonschema.ValidationError):
        validate(ledger)


@pytest.mark.parametrize(
    "value", [math.inf, -math.inf, Fraction(-7, 9), 3, True, [1, 2.5], "[0.5 +/- 1e-20]", "2*sqrt(2)"]
)
def test_the_schema_takes_what_legs_observe(value: Any) -> None:
    judged = check(
        claim("one", Exact("identity", "a value", lambda lab: [Cell({"x": value}, Verdict.HOLDS, observed=value)]))
    )
    assert judged.results[0].errors == []
    validate(judged.to_json())


def test_nan_is_refused_before_the_ledger() -> None:
    bad = check(claim("one", Exact("identity", "nan", lambda lab: [Cell({}, Verdict.HOLDS, observed=math.nan)])))
    with pytest.raises(ValueError, match="NaN must not reach a report"):
        bad.to_json()


# --- the page ---------------------------------------------------------------------------


def test_page_is_well_formed_and_complete() -> None:
    page = parsed()
    assert rendered().startswith("<!DOCTYPE html>")
    assert list(page.articles) == [c.id for c in CLAIMS]
    assert len(page.ids) == len(set(page.ids))
    for name, tags in page.articles.items():
        assert tags["svg"] == 1, name
        assert tags["math"] == (0 if name == "coins.broken" else 1), name
        assert tags["table"] >= 1, name
    for title in ("Summary", "Shown false", "Left open"):
        assert title in page.text


def test_page_needs_nothing_from_elsewhere() -> None:
    addresses = [
        (tag, key, value) for tag, key, value in parsed().attributes if key in ("src", "href", "srcset", "action")
    ]
    assert len(addresses) > len(CLAIMS)
    assert [a for a in addresses if not a[2].startswith("#")] == []
    assert not re.search(r"https?://|//[a-z]|@import|url\((?!#)", rendered())
    assert parsed().tags["link"] == parsed().tags["iframe"] == parsed().tags["img"] == 0


def test_links_inside_the_page_lead_somewhere() -> None:
    targets = {value[1:] for _, key, value in parsed().attributes if key == "href"}
    assert targets <= set(parsed().ids)
    assert "coins.share" in targets
    used = {found for _, _, value in parsed().attributes for found in re.findall(r"url\(#([^)]+)\)", value)}
    assert used
    assert used <= set(parsed().ids)


def test_repair_outside_the_report_is_named_without_a_link() -> None:
    page = Page(render(check(FALSE)))
    assert "coins.share" in page.text
    assert "#coins.share" not in [value for _, key, value in page.attributes if key == "href"]


def test_text_is_escaped() -> None:
    page = parsed()
    assert page.tags["script"] == page.tags["style"] == 1
    assert page.tags["b"] == 6  # the counts on top
    assert page.tags["i"] == page.tags["img"] == 0
    assert not any(key.startswith("on") for _, key, _ in page.attributes)
    assert ("tr", "title", HOSTILE.statement) in page.attributes
    text = "".join(page.text)
    for hostile in (HOSTILE.statement, HOSTILE.remarks, HOSTILE.source, "<script>leg()</script>", "<b>"):
        assert hostile in text
    assert "<script>alert(1)</script>" in text  # in the formula's text


@given(st.text(alphabet="<>&\"'$\\{}_^ab\n", max_size=30))
def test_any_statement_keeps_the_page_well_formed(text: str) -> None:
    hostile = replace(MUTATED, statement=text or "?", latex=text, remarks=text, source=text, figure=None)
    judged = replace(result("mutated"), claim=hostile)
    page = Page(fragment(Report((judged,), 0, "quick")))
    assert page.tags["script"] == 0
    assert page.tags["style"] == 1


def test_page_says_what_happened() -> None:
    text = " ".join("".join(parsed().text).split())
    for expected in (
        "profile quick, seed 3",
        "✗ fails, as expected",
        "? undecided, as expected",
        "? undecided, unexpected",
        "1 exception raised",
        "ZeroDivisionError",
        "python -m proofs_check coins.share --seed 3 --profile quick",
        "nominal",
        "vacuous at: p = 0.99",
        "not run (replaces a simulator; needs --power)",
        "Legs that refuted none of them: a leg that sees nothing.",
        "refuted at 3 points",
        "8192planned: 2 × block",
        "\\nonsense{x",
        "3 pieces proved, 2 unknown",
    ):
        assert expected in text, expected


def test_a_mutant_that_survives_is_shown() -> None:
    survived = replace(result("mutated"), mutants=(MutantResult("wrong", "because", (), ran=True),))
    text = "".join(Page(render(Report((survived,), 0, "quick"))).text)
    assert "✗ not refuted" in text
    assert "1 mutant not refuted" in text


def test_many_cells_are_cut_to_the_worst() -> None:
    cells = tuple(Cell({"i": i}, Verdict.FAILS if i == 250 else Verdict.HOLDS) for i in range(300))
    long = replace(result("open_question").evidence[0], cells=cells)
    text = "".join(Page(render(Report((replace(result("open_question"), evidence=(long,)),), 0, "quick"))).text)
    assert "The worst 100; 200 more are in the JSON ledger." in text
    assert "300 cells of enclosure" in text
    assert "250" in text


def test_page_is_written_as_one_file(tmp_path: Path) -> None:
    few = Report((result("mutated"),), 0, "quick")
    page = write_page(few, tmp_path / "made" / "on demand")
    assert [p.name for p in page.parent.iterdir()] == ["index.html"]
    assert page.read_text(encoding="utf-8") == render(few)
    with pytest.raises(ValueError, match="directory must be a directory, got the file"):
        write_page(few, page)


def test_empty_report_makes_a_page() -> None:
    page = Page(render(Report((), 0, "quick")))
    assert page.articles == {}
    assert page.text.count("None.") == 2


def test_fragment_is_compact_and_stands_beside_others() -> None:
    whole, single = Page(fragment(report())), Page(fragment(Report((result("share"),), 0, "quick")))
    assert whole.ids == single.ids == []
    assert whole.tags["script"] == whole.tags["svg"] == 0
    assert whole.tags["details"] >= len(CLAIMS)
    assert ("details", "open", "") in single.attributes
    assert report()._repr_html_() == fragment(report())
    assert len(fragment(report())) < 60_000


# --- formulas ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("latex", "parts"),
    [
        (r"\Pr[X = 1] \le \tfrac12", ["<mo>≤</mo>", "<mfrac><mn>1</mn><mn>2</mn></mfrac>"]),
        (r"$x_1$", ["<msub><mi>x</mi><mn>1</mn></msub>"]),
        (r"\[ \sum_{l=1}^{L} p_l \]", ["<mo>∑</mo>"]),
        (r"\arg\max_x f(x)", ["<mo>arg</mo>"]),
        (r"x \text{ if } a < b", ["<mtext>\u00a0if\u00a0</mtext>", "<mo>&lt;</mo>"]),
        (r"\begin{cases} 1 & p < \tfrac13 \\ d & \text{else} \end{cases}", ["<mtable>", "<mtext>else</mtext>"]),
        (r"\{3, 4, \dots\}", ["{</mo>", "}</mo>"]),
    ],
)
def test_formulas_become_mathml(latex: str, parts: list[str]) -> None:
    found = mathml(latex)
    assert found.startswith('<math display="block">')
    for part in parts:
        assert part in found
    Page(found)


@pytest.mark.parametrize(
    "latex",
    [
        r"\foo{x}",
        r"\frac{a",
        r"\frac{a}",
        "a}b",
        "x & y",
        "a $ b",
        "",
        r"\left( x",
        "x_{",
        r"\href{u}{v}",
        r"\text{a}\textbf{<b>c</b>}",
    ],
)
def test_what_is_no_formula_is_refused(latex: str) -> None:
    with pytest.raises(ValueError, match="latex must be convertible to MathML"):
        mathml(latex)


def test_every_registered_formula_converts() -> None:
    refused = []
    for registered in (*find(), HOLDS, HOSTILE):
        try:
            assert "<math" in mathml(registered.latex)
        except ValueError as error:
            refused.append(f"{registered.id}: {error}")
    assert refused == []


# --- figures ----------------------------------------------------------------------------


def texts(figure: Figure) -> str:
    figure.draw_without_rendering()
    found = [t.get_text() for ax in figure.axes for t in (*ax.texts, ax.title, ax._left_title, *ax.get_yticklabels())]
    return "\n".join(found + [t.get_text() for legend in figure.legends for t in legend.get_texts()])


@pytest.mark.parametrize("name", [c.id.split(".")[1] for c in CLAIMS])
def test_every_claim_gets_a_labelled_figure(name: str) -> None:
    before = dict(mpl.rcParams)
    figure = figures.draw(result(name))
    assert dict(mpl.rcParams) == before
    (ax,) = figure.axes
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert f"{result(name).verdict.value}" in texts(figure) + "".join(t.get_text() for t in ax.get_xticklabels())


def one_leg(kind: str, *cells: Cell) -> ClaimResult:
    role = "supporting" if kind in ("solver", "agreement") else "required"
    leg = Evidence("a leg", kind, role, "cells", Verdict.HOLDS, cells, 0.1, "replay")
    return ClaimResult("coins.one", Verdict.HOLDS, "holds", (leg,), (), None, 0.1)


@pytest.mark.parametrize("kind", ["identity", "certificate", "enclosure", "enumeration", "simulation", "solver"])
@pytest.mark.parametrize("numeric", [True, False])
def test_every_kind_of_leg_is_drawn(kind: str, numeric: bool) -> None:
    numbers = {"observed": Fraction(1, 3), "predicted": Interval(Fraction(1, 3), Fraction(1, 3))}
    cell = Cell({"d": 3}, Verdict.HOLDS, **(numbers if numeric else {"detail": "a $ step \x00 $"}))
    figure = figures.draw(one_leg(kind, cell))
    assert "<svg" in inline_svg(figure, "one", "bell \a")
    assert figure.axes[0].get_xlabel() == ("observed and predicted value" if numeric else "verdict")
    assert f"{kind}: a leg" in texts(figure)


def numeric(value: float, low: float, high: float, predicted: tuple[float, float], **options: Any) -> Cell:
    return Cell({"x": value}, Verdict.HOLDS, 9, value, Interval(*predicted), Interval(low, high), 0.1, **options)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ((0.1, 0.9), "linear"),
        ((1e-4, 0.9), "log"),
        ((0.0, 1e-4, 0.9), "symlog"),
        ((-5.0, 0.01), "symlog"),
        ((0.0,), "linear"),
    ],
)
def test_axis_follows_the_span_of_the_values(values: tuple[float, ...], scale: str) -> None:
    cells = [numeric(v, v - 0.01, v + 0.01, (v, v)) for v in values]
    figure = figures.forest(one_leg("simulation", *cells))
    ax = figure.axes[0]
    assert ax.get_xscale() == scale
    figure.draw_without_rendering()
    low, high = ax.get_xlim()
    assert all(low < v < high for v in values)


def test_infinite_ends_and_bounds_are_drawn() -> None:
    cells = (
        numeric(0.5, -math.inf, 0.6, (0.5, 0.5)),
        numeric(0.5, -math.inf, math.inf, (-math.inf, 0.7)),
        numeric(0.4, 0.3, 0.5, (0.7, 0.7), compare="upper"),
        numeric(0.9, 0.8, 1.0, (0.7, math.inf)),
        numeric(0.9, 0.8, 1.0, (0.7, 0.7), compare="lower"),
    )
    figure = figures.forest(one_leg("simulation", *cells))
    bars = [line for line in figure.axes[0].lines if line.get_linewidth() == 9]
    left, right = figure.axes[0].get_xlim()
    assert [list(bar.get_xdata()) for bar in bars] == [[left, 0.7], [left, 0.7], [0.7, right], [0.7, right]]
    assert {bar.get_linestyle() for bar in bars} == {"-"}
    assert "bars: allowed values" in texts(figure)
    assert "<svg" in inline_svg(figure, "one", "bounds")


def test_the_least_clear_rows_are_kept_and_the_rest_counted() -> None:
    near = [numeric(i / 100, i / 100 - 0.1, i / 100 + 0.1, (i / 100 + 0.09, i / 100 + 0.09)) for i in range(20)]
    clear = [numeric(i / 100, i / 100 - 0.1, i / 100 + 0.1, (i / 100, i / 100)) for i in range(20)]
    bad = replace(clear[0], verdict=Verdict.FAILS, parameters={"x": "worst"})
    figure = figures.forest(one_leg("simulation", *clear, *near, bad))
    ax = figure.axes[0]
    assert len(ax.get_yticks()) == figures.MOST_ROWS
    assert "24 of 41 cells, the least clear; 17 left out" in texts(figure)
    assert "x = worst" in texts(figure)
    steps = [Cell({"i": i}, Verdict.HOLDS) for i in range(30)] + [Cell({"i": "open"}, Verdict.UNDECIDED)]
    listed = texts(figures.checklist(one_leg("certificate", *steps)))
    assert "12 of 31 checks, 19 left out" in listed
    assert "i = open" in listed


def test_rows_are_named_by_what_varies() -> None:
    cells = [
        Cell({"d": 3, "p": p}, Verdict.HOLDS, observed=p, predicted=Interval(p, p), detail=f"at {p}") for p in (1, 2)
    ]
    assert [t.get_text() for t in figures.forest(one_leg("enumeration", *cells)).axes[0].get_yticklabels()] == [
        "p = 1",
        "p = 2",
    ]
    same = [replace(c, parameters={"d": 3}) for c in cells]
    figure = figures.forest(one_leg("enumeration", *same))
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["at 1", "at 2"]
    assert "at d = 3" in texts(figure)


def test_forest_needs_numbers() -> None:
    with pytest.raises(ValueError, match=r"must have a cell that compares numbers, got none in coins\.one"):
        figures.forest(one_leg("identity", Cell({}, Verdict.HOLDS, observed=True, predicted=Interval(True, True))))


def test_own_figure_is_used_and_its_failure_does_not_cost_the_page() -> None:
    def own(judged: ClaimResult) -> Figure:
        figure, ax = figures.labelled_axes("share p", "accuracy")
        figures.theory_line(ax, [0, 1], [0, 1], judged.id)
        return figure

    def broken(judged: ClaimResult) -> Figure:
        raise RuntimeError("<no figure>")

    drawn = figures.draw(replace(result("share"), claim=replace(HOLDS, figure=own)))
    assert drawn.axes[0].get_xlabel() == "share p"
    spoiled = replace(result("share"), claim=replace(HOLDS, figure=broken))
    with pytest.raises(RuntimeError, match="no figure"):
        figures.draw(spoiled)
    page = Page(render(Report((spoiled,), 0, "quick")))
    assert "This claim's own figure raised RuntimeError: <no figure>" in page.text
    assert page.articles["coins.share"]["svg"] == 1


def test_series_differ_without_colour() -> None:
    _, ax = figures.labelled_axes("p", "accuracy")
    for i in range(6):
        figures.theory_line(ax, [0, 1], [i, i], f"line {i}")
        figures.simulated_points(ax, [0.5], [i], [i - 0.1], [i + 0.1], f"points {i}", i)
    lines = [line for line in ax.lines if line.get_gid() == "theory"]
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == 6
    assert len({bar.lines[0].get_marker() for bar in ax.containers}) == 6
    assert lines[0].get_color() == figures.INK


def test_points_show_their_interval() -> None:
    _, ax = figures.labelled_axes("p", "accuracy")
    figures.simulated_points(ax, [1.0, 2.0, 3.0], [5.0, 6.0, 7.0], [4.5, 5.5, -math.inf], [5.25, math.inf, 9.0], "s")
    (bars,) = ax.containers[0].lines[2]
    ends = [sorted(segment[:, 1]) for segment in bars.get_segments()]
    assert ends == [[4.5, 5.25], [5.5, 6.0], [7.0, 9.0]]
    carets = [(line.get_marker(), list(line.get_xdata())) for line in ax.lines if line.get_marker() in "v^"]
    assert carets == [("v", [3.0]), ("^", [2.0])]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ax: figures.theory_line(ax, [0, 1], [0], "t"), r"y must be one-dimensional with shape \(2,\), got"),
        (lambda ax: figures.simulated_points(ax, [0], [0], [0], [0, 1], "s"), "high must be one-dimensional"),
        (lambda ax: figures.labelled_axes(" ", "y"), "xlabel must be a text that says"),
    ],
)
def test_figures_refuse_what_cannot_be_drawn(call: Any, message: str) -> None:
    _, ax = figures.labelled_axes("p", "accuracy")
    with pytest.raises(ValueError, match=message):
        call(ax)


def test_svg_can_stand_beside_others_and_is_the_same_each_time() -> None:
    first, again = (inline_svg(figures.draw(result("share")), "coins.share", "a <title>") for _ in range(2))
    other = inline_svg(figures.draw(result("share")), "coins.other", "b")
    assert first == again
    mine, others = Page(first), Page(other)
    assert mine.ids
    assert not set(mine.ids) & set(others.ids)
    assert "a <title>" in mine.text
    assert mine.tags["style"] == mine.tags["metadata"] == 0
    assert "var(--ink, #24292f)" in first
    assert not re.search(r"https?:", first)


# --- wording ----------------------------------------------------------------------------


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e9))
def test_ends_of_an_interval_can_be_told_apart(low: float, width: float) -> None:
    high = low + width
    shown = wording.interval((low, high))
    if low == high:
        assert shown == wording.number(low)
    else:
        ends = [float(x) for x in shown.strip("[]").split(", ")]
        # Rounded to two digits of the width, each end moves by less than the width; 17 digits are exact.
        assert all(abs(a - b) < high - low for a, b in zip(ends, (low, high), strict=True))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""), (True, "True"), (-0.0, "0"), (math.inf, "∞"), (Fraction(22, 7), "22/7"), (np.float64(0.25), "0.25"),
        (Fraction(10**20, 3), "≈ 3.33333e+19"), (np.array([1, 2]), "(1, 2)"), ("text", "text"), (10**400, None),
    ],
)  # fmt: skip
def test_numbers_in_words(value: Any, shown: str | None) -> None:
    found = wording.number(value)
    assert found == shown if shown is not None else len(found) <= 64


def test_bounds_and_levels_in_words() -> None:
    upper, lower = (e.worst for e in result("bounded").evidence)
    assert upper is not None
    assert lower is not None
    assert (wording.prediction(upper)[0], wording.prediction(lower)[0]) == ("≤", "≥")
    assert wording.prediction(Cell({}, Verdict.HOLDS)) == ""
    exact, nominal = (result("share").evidence[i] for i in (2, 3))
    # 1e-9 over three simulation legs, three cells and four looks.
    assert wording.level(exact) == "2.8e-11"
    assert wording.level(nominal) == "2.8e-11, nominal"
    assert wording.level(result("share").evidence[0]) == ""


@pytest.mark.parametrize(
    ("pair", "shown"),
    [
        (None, ""), ((True, True), "True"), ((-math.inf, math.inf), "unbounded"), ((0.5, math.inf), "≥ 0.5"),
        ((Fraction(1, 3), Fraction(1, 2)), "[1/3, 1/2]"), ((("a",), ("a",)), "(a)"),
        ((-math.inf, Fraction(1, 3)), "≤ 1/3"),
    ],
)  # fmt: skip
def test_intervals_in_words(pair: Any, shown: str) -> None:
    assert wording.interval(pair) == shown
