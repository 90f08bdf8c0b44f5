"""The report as HTML: one self-contained page with figures, and a compact fragment for notebooks.

Formulas become MathML and figures inline SVG when the page is written, so it needs no network,
and no script to be read. Text is escaped by the element builder; only what it built passes as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs_check.page import _style
from proofs_check.page._markup import Html, element, formula, join, mathml
from proofs_check.verdicts import Cell, Evidence, Verdict
from proofs_check.wording import interval, level, number, parameters, prediction, reach, shorten, verdict

if TYPE_CHECKING:
    from proofs_check.claims import Claim
    from proofs_check.report import Report
    from proofs_check.runner import ClaimResult, MutantResult

__all__ = ["fragment", "mathml", "render", "write_page"]

MOST_CELLS = 100


def _claim(result: ClaimResult) -> Claim:
    if result.claim is None:
        raise ValueError(f"the result of {result.id} travelled without its claim")
    return result.claim


def _tone(word: Verdict, outcome: str = "as_expected") -> str:
    """Class of a badge: what was expected is calm, whatever it is."""
    if outcome == "contrary":
        return "bad"
    return {Verdict.HOLDS: "good", Verdict.FAILS: "false", Verdict.UNDECIDED: "open"}[word]


_SIGNS = {Verdict.HOLDS: "✓", Verdict.FAILS: "✗", Verdict.UNDECIDED: "?"}


def _badge(result: ClaimResult) -> Html:
    text = f"{_SIGNS[result.verdict]} {verdict(result)}"
    return element("span", text, class_=f"badge {_tone(result.verdict, result.outcome)}")


def _small_badge(word: Verdict) -> Html:
    return element("span", f"{_SIGNS[word]} {word.value}", class_=f"mark {_tone(word)}")


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]], class_: str = "", caption: str = "") -> Html:
    """A table in a box that scrolls sideways; columns without any content are left out."""
    body = [list(row) for row in rows]
    kept = [i for i, title in enumerate(head) if title == head[0] or any(str(row[i]) for row in body)]
    return element(
        "div",
        element(
            "table",
            element("caption", caption) if caption else None,
            element("thead", element("tr", [element("th", head[i], scope="col") for i in kept])),
            element("tbody", [element("tr", [_cell(row[i]) for i in kept]) for row in body]),
            class_=class_ or None,
        ),
        class_="scroll",
    )


_FIGURE = re.compile(r"[-≈≤≥∞\d\[(][-+\d.,/ e∞≈≤≥\[\]()]*(, nominal)?|unbounded")


def _cell(content: Any) -> Html:
    """A table cell; figures get tabular digits and do not break."""
    plain = not isinstance(content, Html) and _FIGURE.fullmatch(str(content))
    return element("td", content, class_="figure" if plain else None)


def _definitions(pairs: Iterable[tuple[str, Any]], class_: str = "facts") -> Html:
    return element(
        "dl", [(element("dt", name), element("dd", value)) for name, value in pairs if str(value)], class_=class_
    )


# --- pieces of a claim ------------------------------------------------------------------


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}" if value >= 0.001 else "< 0.001"


def _sizes(evidence: Evidence) -> Any:
    """Draws behind the worst cell, and what was planned, in the leg's unit (which may be a block of draws)."""
    if evidence.n is None or evidence.planned_n is None:
        return number(evidence.n)
    planned = f"planned: {evidence.planned_n} × {evidence.unit or 'unit'}"
    return join(str(evidence.n), element("div", planned, class_="note"))


def _level(evidence: Evidence) -> Any:
    """The error level, with the word nominal on a line of its own."""
    shown, _, nominal = level(evidence).partition(", ")
    return join(shown, element("div", nominal, class_="note")) if nominal else shown


def _evidence_row(evidence: Evidence) -> list[Any]:
    worst = evidence.worst
    supporting = "" if evidence.role == "required" else f", {evidence.role}"
    return [
        join(element("strong", evidence.kind), supporting),
        evidence.name,
        evidence.scope,
        _sizes(evidence),
        number(worst.observed) if worst else "",
        prediction(worst) if worst else "",
        interval(worst.interval) if worst else "",
        _level(evidence),
        number(worst.resolution, 3) if worst else "",
        _small_badge(evidence.verdict),
        _seconds(evidence.seconds),
    ]


_EVIDENCE_HEAD = (
    "kind", "what", "scope", "n", "observed", "predicted", "interval", "error level", "resolution", "verdict",
    "seconds",
)  # fmt: skip


def _evidence(result: ClaimResult) -> Html:
    """One row a leg, and the commands that repeat them (one, unless legs differ)."""
    replays = dict.fromkeys(e.replay for e in result.evidence if e.replay)
    return join(
        _table(
            _EVIDENCE_HEAD,
            [_evidence_row(e) for e in result.evidence],
            "evidence",
            "Evidence; figures are those of the worst cell",
        ),
        [element("p", "Replay: ", element("code", command), class_="replay") for command in replays],
    )


def _cells(evidence: Evidence) -> Html | None:
    """A leg's cells behind a fold; of very many the worst."""
    if not evidence.cells:
        return None
    shown: Sequence[Cell] = evidence.cells
    if len(shown) > MOST_CELLS:
        order = {Verdict.FAILS: 0, Verdict.UNDECIDED: 1, Verdict.HOLDS: 2}
        shown = sorted(shown, key=lambda c: order[c.verdict])[:MOST_CELLS]
    names = list(dict.fromkeys(name for c in shown for name in c.parameters))
    spread = len(names) <= 6
    head = [
        *(names if spread else ["parameters"]),
        "n",
        "observed",
        "predicted",
        "interval",
        "resolution",
        "verdict",
        "detail",
    ]
    rows = [
        [
            *([number(c.parameters.get(name)) for name in names] if spread else [parameters(c.parameters)]),
            number(c.n),
            number(c.observed),
            prediction(c),
            interval(c.interval),
            number(c.resolution, 3),
            _small_badge(c.verdict),
            c.detail,
        ]
        for c in shown
    ]
    count = f"{len(evidence.cells)} {'cell' if len(evidence.cells) == 1 else 'cells'}"
    left_out = len(evidence.cells) - len(shown)
    return element(
        "details",
        element("summary", f"{count} of {evidence.kind}: {shorten(evidence.name, 80)}"),
        element("p", f"The worst {len(shown)}; {left_out} more are in the JSON ledger.", class_="note")
        if left_out
        else None,
        _table(head, rows, "cells"),
    )


def _refuted(mutant: MutantResult) -> Any:
    if not mutant.ran:
        return element("span", "not run (replaces a simulator; needs --power)", class_="note")
    if mutant.refuted_by:
        return "; ".join(dict.fromkeys(mutant.refuted_by))
    return element("span", "✗ not refuted", class_="mark bad")


def _mutants(result: ClaimResult) -> Html | None:
    if not result.mutants:
        return None
    rows = [(m.statement, m.why_false, _refuted(m)) for m in result.mutants]
    idle = result.idle_legs if any(m.ran for m in result.mutants) else []
    return join(
        _table(
            ("mutant", "why it is false", "refuted by"),
            rows,
            "mutants",
            "Mutants: false statements sent through the same legs",
        ),
        element("p", f"Legs that refuted none of them: {'; '.join(idle)}.", class_="note") if idle else None,
    )


def _tightness(tightness: Mapping[str, Any] | None) -> Any:
    if not tightness:
        return ""
    parts = []
    if tightness.get("ratio") is not None:
        parts.append(number(tightness["ratio"], 4))
    if tightness.get("interval") is not None:
        within = f"in {interval(tuple(tightness['interval']))}"
        parts = [" ".join([*parts, within])]
    vacuous = tightness.get("vacuous")
    if isinstance(vacuous, bool):
        parts.append("the bound is vacuous" if vacuous else "nowhere vacuous in the cells judged")
    elif isinstance(vacuous, Iterable) and not isinstance(vacuous, (str, Mapping)):
        cells = [parameters(v) if isinstance(v, Mapping) else number(v) for v in vacuous]
        parts.append("vacuous at: " + "; ".join(cells) if cells else "nowhere vacuous in the cells judged")
    elif vacuous not in (None, ""):
        parts.append(f"vacuous: {parameters(vacuous) if isinstance(vacuous, Mapping) else number(vacuous)}")
    if tightness.get("detail"):
        parts.append(str(tightness["detail"]))
    return "; ".join(parts)


def _domain(claim: Claim) -> Html:
    """Ranges with what the parameters mean, then the assumptions."""
    lines: list[Any] = [
        join(element("code", name), f" in {parameter}", f": {parameter.meaning}" if parameter.meaning else "")
        for name, parameter in claim.domain.parameters.items()
    ]
    lines += [f"assuming {condition}" for condition in claim.domain.assumptions]
    return join(*[element("div", line) for line in lines])


def _picture(result: ClaimResult) -> Html:
    """The claim's figure; if drawing it raises, the generic one and the reason."""
    from proofs_check import figures
    from proofs_check.page._svg import inline_svg

    title = f"{result.id}: {_claim(result).statement}"
    try:
        drawn, note = inline_svg(figures.draw(result), result.id, title), None
    except Exception as error:  # noqa: BLE001 - a picture must not cost the reader the page
        note = f"This claim's own figure raised {type(error).__name__}: {error}"
        drawn = inline_svg(figures.generic(result), result.id, title)
    return element("figure", Html(drawn), element("figcaption", note, class_="error") if note else None)


def _errors(errors: Sequence[str]) -> Html | None:
    if not errors:
        return None
    shown = [element("pre", error) for error in errors]
    return element("details", element("summary", f"{len(errors)} raised"), *shown, open=True, class_="errors")


def _link(name: str, known: Iterable[str]) -> Html:
    return element("a", name, href=f"#{name}") if name in known else element("code", name)


def _article(result: ClaimResult, known: set[str]) -> Html:
    claim = _claim(result)
    repair = _link(claim.repaired_by, known) if claim.repaired_by else ""
    survived = sum(m.ran and not m.refuted_by for m in result.mutants)
    troubles = [
        f"{_plural(len(result.errors), 'exception')} raised" if result.errors else "",
        f"{_plural(survived, 'mutant')} not refuted" if survived else "",
    ]
    return element(
        "article",
        element(
            "header",
            element("h3", element("a", claim.id, href=f"#{claim.id}")),
            _badge(result),
            element("span", reach(result), class_="reach"),
            [element("span", trouble, class_="mark bad") for trouble in troubles if trouble],
        ),
        element("p", claim.statement, class_="statement"),
        formula(claim.latex),
        element("p", claim.remarks, class_="remarks") if claim.remarks else None,
        element(
            "div",
            _definitions(
                [
                    ("origin", f"{claim.origin}: {claim.source}"),
                    ("kind", claim.kind),
                    ("domain", _domain(claim)),
                    ("expected", claim.expected if claim.expected != "holds" else ""),
                    ("repaired by", repair),
                    ("observed / bound", _tightness(result.tightness)),
                    ("judged in", f"{_seconds(result.seconds)} s"),
                ]
            ),
            _picture(result),
            class_="body",
        ),
        _errors(result.errors),
        _evidence(result),
        [_cells(e) for e in result.evidence],
        _mutants(result),
        id=claim.id,
        data_verdict=result.verdict.value,
        data_subject=claim.subject,
        data_outcome=result.outcome,
    )


# --- the page ---------------------------------------------------------------------------


def _witness(result: ClaimResult) -> Html:
    """Where the statement fails: the worst cell of each leg that says so."""
    items = []
    for evidence in result.evidence:
        worst = evidence.worst
        if evidence.verdict is not Verdict.FAILS or worst is None:
            continue
        figures = ""
        if worst.observed is not None:
            figures = f"observed {number(worst.observed)}"
            figures += f" in {interval(worst.interval)}" if worst.interval is not None else ""
            figures += f", predicted {prediction(worst)}" if worst.predicted is not None else ""
        says = "; ".join(filter(None, [parameters(worst.parameters), figures, worst.detail]))
        items.append(element("li", element("span", f"{evidence.kind}: ", class_="note"), says))
    return element("ul", items, class_="witness") if items else Html("")


def _shown_false(report: Report, known: set[str]) -> Html:
    entries = []
    for result in report.shown_false:
        claim = _claim(result)
        entries.append(
            element(
                "div",
                element("h3", element("a", claim.id, href=f"#{claim.id}"), " ", _badge(result)),
                element("p", claim.statement),
                _witness(result),
                element("p", "What holds instead: ", _link(claim.repaired_by, known)) if claim.repaired_by else None,
                class_="entry false",
            )
        )
    return element("section", element("h2", "Shown false"), entries or element("p", "None."), id="shown-false")


def _left_open(report: Report) -> Html:
    entries = []
    for result in report.left_open:
        claim = _claim(result)
        entries.append(
            element(
                "div",
                element("h3", element("a", claim.id, href=f"#{claim.id}"), " ", _badge(result)),
                element("p", claim.statement),
                element("p", reach(result), class_="note"),
                class_="entry open",
            )
        )
    return element("section", element("h2", "Left open"), entries or element("p", "None."), id="left-open")


def _ratio(result: ClaimResult) -> str:
    ratio = (result.tightness or {}).get("ratio")
    return "" if ratio is None else number(ratio, 2)


def _refutations(result: ClaimResult) -> str:
    ran = [m for m in result.mutants if m.ran]
    return f"{sum(bool(m.refuted_by) for m in ran)} of {len(ran)}" if ran else ""


def _summary(report: Report, *, links: bool) -> Html:
    """One row a claim, grouped by subject."""
    head = ("claim", "verdict", "reach", "legs", "mutants refuted", "observed / bound", "seconds")
    groups = []
    for subject in _subjects(report):
        rows = []
        for r in report.results:
            if r.id.split(".")[0] != subject:
                continue
            name = r.id.split(".", 1)[1]
            cells = (
                element("a", name, href=f"#{r.id}") if links else name,
                _badge(r),
                reach(r),
                ", ".join(dict.fromkeys(e.kind for e in r.evidence)),
                _refutations(r),
                _ratio(r),
                _seconds(r.seconds),
            )
            data = (
                {"data_verdict": r.verdict.value, "data_subject": subject, "data_outcome": r.outcome} if links else {}
            )
            rows.append(element("tr", [_cell(c) for c in cells], title=_claim(r).statement, **data))
        heading = element(
            "tr", element("th", _subject_name(subject), colspan=len(head), scope="rowgroup"), class_="group"
        )
        groups.append(element("tbody", heading, rows, data_subject=subject if links else None))
    header = element("thead", element("tr", [element("th", title, scope="col") for title in head]))
    return element("div", element("table", header, groups, class_="summary"), class_="scroll")


def _subjects(report: Report) -> list[str]:
    return list(dict.fromkeys(r.id.split(".")[0] for r in report.results))


def _subject_name(subject: str) -> str:
    return subject.replace("_", " ")


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _tiles(report: Report) -> Html:
    s = report.summary
    tiles = [
        (s["as_expected"], "as expected", "good"),
        (s["contrary"], "contrary", "bad" if s["contrary"] else ""),
        (s["undecided"], "undecided, unexpectedly", "open" if s["undecided"] else ""),
        (
            f"{s['mutants_refuted']} / {s['mutants']}",
            "mutants refuted",
            "" if s["mutants_refuted"] == s["mutants"] else "bad",
        ),
        (len(report.shown_false), "statements shown false", "false" if report.shown_false else ""),
        (len(report.left_open), "left open", "open" if report.left_open else ""),
    ]
    return element(
        "ul",
        [element("li", element("b", count), " ", text, class_=tone or None) for count, text, tone in tiles],
        class_="tiles",
    )


_READING = (
    "A claim is judged by independent legs. An identity, certificate, enclosure or enumeration has no sampling error; "
    "a simulation compares a confidence interval with the prediction. It holds if the interval meets the prediction "
    "and lies within it widened by the resolution (the difference that would matter), fails if the two are disjoint, "
    "and otherwise samples on; what is still open at the end is undecided, which is never shown as success.",
    "Scope says what a positive leg covers: the whole domain, a box, or the cells listed. The error level is the "
    "probability that one interval misses; all intervals of a claim together miss with probability at most 1e-9, "
    "exactly so unless the level is marked nominal, which means that it rests on a normal approximation.",
    "Mutants are false statements that pass through the same legs: evidence that cannot refute them proves nothing. "
    "Verdicts read ‘as expected’ where a statement is known to be false or open.",
)


def _filters(report: Report) -> Html:
    """Controls that a script reveals; without one they stay hidden."""
    words = [word.value for word in Verdict if any(r.verdict is word for r in report.results)]
    options = [element("option", "all", value="")] + [
        element("option", _subject_name(s), value=s) for s in _subjects(report)
    ]
    boxes = [
        element("label", element("input", type="checkbox", name="verdict", value=word, checked=True), " ", word)
        for word in words
    ]
    return element(
        "form",
        element("fieldset", element("legend", "Show"), boxes),
        element("label", "Subject ", element("select", options, name="subject")),
        element("label", "Text ", element("input", type="search", name="text", placeholder="id or statement")),
        element("output", "", name="count"),
        id="filters",
        hidden=True,
    )


def render(report: Report) -> str:
    """Return the whole page as text; see :func:`write_page`."""
    from proofs_check import __version__
    from proofs_check.report import environment

    known = {r.id for r in report.results}
    legs = sum(len(r.evidence) for r in report.results)
    total = sum(r.seconds for r in report.results)
    subjects = _subjects(report)
    links = [("#summary", "Summary"), ("#shown-false", "Shown false"), ("#left-open", "Left open")]
    links += [(f"#subject-{s}", _subject_name(s)) for s in subjects]
    body = join(
        element(
            "header",
            element("h1", "cotbounds: claims and verdicts"),
            element(
                "p",
                f"{_plural(len(report.results), 'claim')} judged by {_plural(legs, 'leg')} of evidence in "
                f"{_seconds(total)} core-seconds: profile {report.profile}, seed {report.seed}, version {__version__}.",
                class_="lede",
            ),
            _tiles(report),
            element("nav", [element("a", text, href=target) for target, text in links], aria_label="Sections"),
            element("details", element("summary", "How to read this page"), [element("p", text) for text in _READING]),
            element(
                "details",
                element("summary", "Run and environment"),
                _definitions(
                    [("replay", element("code", report.replay())), ("exit code", str(report.exit_code))]
                    + [(name, value) for name, value in environment().items()]
                ),
            ),
            _filters(report),
            class_="page",
        ),
        element(
            "main",
            element("section", element("h2", "Summary"), _summary(report, links=True), id="summary"),
            _shown_false(report, known),
            _left_open(report),
            [
                element(
                    "section",
                    element("h2", _subject_name(subject)),
                    [_article(r, known) for r in report.results if r.id.split(".")[0] == subject],
                    id=f"subject-{subject}",
                    data_subject=subject,
                )
                for subject in subjects
            ],
        ),
    )
    head = join(
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", "cotbounds: claims and verdicts"),
        element("style", Html(_style.COLOURS + _style.PAGE)),
    )
    page = element(
        "html", element("head", head), element("body", body, element("script", Html(_style.SCRIPT))), lang="en"
    )
    return f"<!DOCTYPE html>\n{page}\n"


def write_page(report: Report, directory: Path | str) -> Path:
    """Write the report as ``index.html`` in a directory, which is made if need be.

    Parameters
    ----------
    report : Report
        Of any number of claims.
    directory : path
        Where; an older page there is replaced.

    Returns
    -------
    Path
        The page: one file that needs nothing beside it.

    Raises
    ------
    ValueError
        If `directory` exists and is no directory.
    """
    target = Path(directory)
    if target.exists() and not target.is_dir():
        raise ValueError(f"directory must be a directory, got the file {target}")
    target.mkdir(parents=True, exist_ok=True)
    page = target / "index.html"
    page.write_text(render(report), encoding="utf-8")
    return page


def fragment(report: Report) -> str:
    """Return the report as compact HTML for a notebook: totals, verdicts, and each claim behind a fold.

    Parameters
    ----------
    report : Report
        Of any number of claims; a single one is shown unfolded.

    Returns
    -------
    str
        One ``<div>`` with its own style, without ids, script or figures (see ``Report.plot``).
    """
    s = report.summary
    single = len(report.results) == 1
    claims = []
    for r in report.results:
        claim = _claim(r)
        claims.append(
            element(
                "details",
                element(
                    "summary", element("code", claim.id), " ", _badge(r), " ", element("span", reach(r), class_="note")
                ),
                element("p", claim.statement),
                formula(claim.latex),
                _witness(r) if r.verdict is Verdict.FAILS else None,
                element("p", "What holds instead: ", element("code", claim.repaired_by)) if claim.repaired_by else None,
                _errors(r.errors),
                _evidence(r),
                _mutants(r),
                open=single,
            )
        )
    line = (
        f"{_plural(len(report.results), 'claim')}: {s['as_expected']} as expected, {s['contrary']} contrary, "
        f"{s['undecided']} undecided; {s['mutants_refuted']} of {s['mutants']} mutants refuted "
        f"(profile {report.profile}, seed {report.seed})"
    )
    inside = join(
        element("style", Html(_style.FRAGMENT)),
        element("p", line),
        None if single else _summary(report, links=False),
        claims,
    )
    return str(element("div", inside, class_="cotbounds"))
