"""The report as HTML: one self-contained page with figures, and a compact fragment for notebooks.

Formulas become MathML and figures inline SVG when the page is written, so it needs no network,
and no script to be read. Text is escaped by the element builder; only what it built passes as it is.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs_check.verdicts import Cell, Evidence, Verdict
from proofs_check.wording import interval, level, number, parameters, reach, shorten, verdict

if TYPE_CHECKING:
    from proofs_check.claims import Claim
    from proofs_check.report import Report
    from proofs_check.runner import ClaimResult, MutantResult

__all__ = ["fragment", "mathml", "render", "write_page"]

MOST_CELLS = 100
_NOTES = {
    "contrary": "contrary to what is expected",
    "undecided": "undecided although a verdict was expected",
}


class _Html(str):
    """Text that is markup already."""

    __slots__ = ()


_VOID = ("br", "input", "meta", "col")


def _el(name: str, /, *children: Any, **attributes: Any) -> _Html:
    """An element; children and attribute values are escaped unless they are elements, None is left out."""
    # Words reserved in Python end in an underscore; the other underscores are hyphens.
    shown = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    inside = _join(*children)
    return _Html(f"<{name}{shown}>" if name in _VOID else f"<{name}{shown}>{inside}</{name}>")


def _join(*parts: Any) -> _Html:
    """Parts in a row, escaped unless they are elements; iterables are unpacked."""
    out = []
    for part in parts:
        if part is None:
            continue
        if isinstance(part, _Html):
            out.append(str(part))
        elif isinstance(part, str):
            out.append(escape(part))
        elif isinstance(part, Iterable):
            out.append(_join(*part))
        else:
            out.append(escape(str(part)))
    return _Html("".join(out))


_CHILDREN = {
    "mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "mroot": 2, "msubsup": 3, "munderover": 3,
}  # fmt: skip
_LEFTOVER = re.compile(r"\\|[{}$&#]")


@lru_cache(maxsize=1024)
def mathml(latex: str) -> str:
    """Return a formula as a ``<math>`` element.

    Parameters
    ----------
    latex : str
        LaTeX of one displayed formula; dollars or brackets around it are allowed.

    Returns
    -------
    str
        MathML without namespaces, for an HTML page.

    Raises
    ------
    ValueError
        If some of it cannot be converted: an unknown command, an unbalanced brace, a missing argument.

    Examples
    --------
    >>> mathml("x_1")
    '<math display="block"><mrow><msub><mi>x</mi><mn>1</mn></msub></mrow></math>'
    >>> mathml(r"\\unknown{x}")
    Traceback (most recent call last):
        ...
    ValueError: latex must be convertible to MathML, got '\\\\unknown{x}': left over '\\\\unknown'
    """
    from latex2mathml.converter import convert

    bare = latex.strip()
    for opening, closing in (("$$", "$$"), ("$", "$"), (r"\[", r"\]"), (r"\(", r"\)")):
        if bare.startswith(opening) and bare.endswith(closing) and len(bare) > len(opening) + len(closing):
            bare = bare[len(opening) : -len(closing)].strip()
            break
    try:
        root = ET.fromstring(convert(re.sub(r"\\arg(?![A-Za-z])", r"\\operatorname{arg}", bare), display="block"))
    except Exception as error:
        # The converter raises whatever its parser stumbles upon.
        raise ValueError(f"latex must be convertible to MathML, got {latex!r}: {error or type(error).__name__}") from error
    for element in root.iter():
        element.tag = element.tag.rsplit("}", 1)[-1]
        text = element.text or ""
        # A brace on its own is a fence (mo) when meant, an identifier when left over.
        if (element.tag == "mi" and _LEFTOVER.search(text)) or (element.tag != "mtext" and "\\" in text):
            raise ValueError(f"latex must be convertible to MathML, got {latex!r}: left over {text!r}")
        if len(element) != _CHILDREN.get(element.tag, len(element)):
            raise ValueError(f"latex must be convertible to MathML, got {latex!r}: {element.tag} lacks an argument")
    return ET.tostring(root, encoding="unicode")


def _formula(latex: str) -> _Html:
    """MathML, or the LaTeX source where there is no MathML for it."""
    if not latex.strip():
        return _Html("")
    try:
        return _el("div", _Html(mathml(latex)), class_="formula")
    except ValueError:
        return _el("div", _el("code", latex), class_="formula source", title="LaTeX source")


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


def _badge(result: ClaimResult) -> _Html:
    text = f"{_SIGNS[result.verdict]} {verdict(result)}"
    return _el("span", text, class_=f"badge {_tone(result.verdict, result.outcome)}")


def _small_badge(word: Verdict) -> _Html:
    return _el("span", f"{_SIGNS[word]} {word.value}", class_=f"mark {_tone(word)}")


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]], class_: str = "", caption: str = "") -> _Html:
    """A table in a box that scrolls sideways; columns without any content are left out."""
    body = [list(row) for row in rows]
    kept = [i for i, title in enumerate(head) if title == head[0] or any(str(row[i]) for row in body)]
    return _el(
        "div",
        _el(
            "table",
            _el("caption", caption) if caption else None,
            _el("thead", _el("tr", [_el("th", head[i], scope="col") for i in kept])),
            _el("tbody", [_el("tr", [_cell(row[i]) for i in kept]) for row in body]),
            class_=class_ or None,
        ),
        class_="scroll",
    )


_FIGURE = re.compile(r"[-≈≤≥∞\d\[(][-+\d.,/ e∞≈≤≥\[\]()]*(, nominal)?|unbounded")


def _cell(content: Any) -> _Html:
    """A table cell; figures get tabular digits and do not break."""
    plain = not isinstance(content, _Html) and _FIGURE.fullmatch(str(content))
    return _el("td", content, class_="figure" if plain else None)


def _definitions(pairs: Iterable[tuple[str, Any]], class_: str = "facts") -> _Html:
    return _el("dl", [(_el("dt", name), _el("dd", value)) for name, value in pairs if str(value)], class_=class_)


# --- pieces of a claim ------------------------------------------------------------------


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}" if value >= 0.001 else "< 0.001"


def _sizes(evidence: Evidence) -> str:
    if evidence.n is None:
        return ""
    unit = f" {evidence.unit}{'s' if evidence.unit and evidence.n != 1 else ''}" if evidence.unit else ""
    planned = f" (planned {evidence.planned_n})" if evidence.planned_n not in (None, evidence.n) else ""
    return f"{evidence.n}{unit}{planned}"


def _evidence_row(evidence: Evidence) -> list[Any]:
    worst = evidence.worst
    supporting = "" if evidence.role == "required" else f", {evidence.role}"
    return [
        _join(_el("strong", evidence.kind), supporting),
        evidence.name,
        evidence.scope,
        _sizes(evidence),
        number(worst.observed) if worst else "",
        interval(worst.predicted) if worst else "",
        interval(worst.interval) if worst else "",
        level(evidence),
        number(worst.resolution, 3) if worst else "",
        _small_badge(evidence.verdict),
        _seconds(evidence.seconds),
    ]


_EVIDENCE_HEAD = (
    "kind", "what", "scope", "n", "observed", "predicted", "interval", "error level", "resolution", "verdict",
    "seconds",
)  # fmt: skip


def _evidence(result: ClaimResult) -> _Html:
    """One row a leg, and the commands that repeat them (one, unless legs differ)."""
    replays = dict.fromkeys(e.replay for e in result.evidence if e.replay)
    return _join(
        _table(_EVIDENCE_HEAD, [_evidence_row(e) for e in result.evidence], "evidence", "Evidence; figures are those of the worst cell"),
        [_el("p", "Replay: ", _el("code", command), class_="replay") for command in replays],
    )


def _cells(evidence: Evidence) -> _Html | None:
    """A leg's cells behind a fold; of very many the worst."""
    if not evidence.cells:
        return None
    shown: Sequence[Cell] = evidence.cells
    if len(shown) > MOST_CELLS:
        order = {Verdict.FAILS: 0, Verdict.UNDECIDED: 1, Verdict.HOLDS: 2}
        shown = sorted(shown, key=lambda c: order[c.verdict])[:MOST_CELLS]
    names = list(dict.fromkeys(name for c in shown for name in c.parameters))
    spread = len(names) <= 6
    head = [*(names if spread else ["parameters"]), "n", "observed", "predicted", "interval", "resolution", "verdict", "detail"]
    rows = [
        [
            *([number(c.parameters.get(name)) for name in names] if spread else [parameters(c.parameters)]),
            number(c.n),
            number(c.observed),
            interval(c.predicted),
            interval(c.interval),
            number(c.resolution, 3),
            _small_badge(c.verdict),
            c.detail,
        ]
        for c in shown
    ]
    count = f"{len(evidence.cells)} {'cell' if len(evidence.cells) == 1 else 'cells'}"
    left_out = len(evidence.cells) - len(shown)
    return _el(
        "details",
        _el("summary", f"{count} of {evidence.kind}: {shorten(evidence.name, 80)}"),
        _el("p", f"The worst {len(shown)}; {left_out} more are in the JSON ledger.", class_="note") if left_out else None,
        _table(head, rows, "cells"),
    )


def _refuted(mutant: MutantResult) -> Any:
    if not mutant.ran:
        return _el("span", "not run (replaces a simulator; needs --power)", class_="note")
    if mutant.refuted_by:
        return ", ".join(dict.fromkeys(mutant.refuted_by))
    return _el("span", "✗ not refuted", class_="mark bad")


def _mutants(result: ClaimResult) -> _Html | None:
    if not result.mutants:
        return None
    rows = [(m.statement, m.why_false, _refuted(m)) for m in result.mutants]
    idle = result.idle_legs if any(m.ran for m in result.mutants) else []
    return _join(
        _table(("mutant", "why it is false", "refuted by"), rows, "mutants", "Mutants: false statements sent through the same legs"),
        _el("p", f"Legs that refuted none of them: {', '.join(idle)}.", class_="note") if idle else None,
    )


def _tightness(tightness: Mapping[str, Any] | None) -> Any:
    if not tightness:
        return ""
    parts = []
    if tightness.get("ratio") is not None:
        parts.append(number(tightness["ratio"], 4))
    if tightness.get("interval") is not None:
        parts.append(f"in {interval(tuple(tightness['interval']))}")
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


def _domain(claim: Claim) -> _Html:
    """Ranges with what the parameters mean, then the assumptions."""
    lines: list[Any] = [
        _join(_el("code", name), f" in {parameter}", f": {parameter.meaning}" if parameter.meaning else "")
        for name, parameter in claim.domain.parameters.items()
    ]
    lines += [f"assuming {condition}" for condition in claim.domain.assumptions]
    return _join(*[_el("div", line) for line in lines])


def _picture(result: ClaimResult) -> _Html:
    """The claim's figure; if drawing it raises, the generic one and the reason."""
    from proofs_check import figures

    title = f"{result.id}: {_claim(result).statement}"
    try:
        drawn, note = figures.inline_svg(figures.draw(result), result.id, title), None
    except Exception as error:  # noqa: BLE001 - a picture must not cost the reader the page
        note = f"This claim's own figure raised {type(error).__name__}: {error}"
        drawn = figures.inline_svg(figures.generic(result), result.id, title)
    return _el("figure", _Html(drawn), _el("figcaption", note, class_="error") if note else None)


def _errors(errors: Sequence[str]) -> _Html | None:
    if not errors:
        return None
    shown = [_el("pre", error) for error in errors]
    return _el("details", _el("summary", f"{len(errors)} raised"), *shown, open=True, class_="errors")


def _link(name: str, known: Iterable[str]) -> _Html:
    return _el("a", name, href=f"#{name}") if name in known else _el("code", name)


def _article(result: ClaimResult, known: set[str]) -> _Html:
    claim = _claim(result)
    repair = _link(claim.repaired_by, known) if claim.repaired_by else ""
    unexpected = _NOTES.get(result.outcome, "")
    return _el(
        "article",
        _el(
            "header",
            _el("h3", _el("a", claim.id, href=f"#{claim.id}")),
            _badge(result),
            _el("span", reach(result), class_="reach"),
            _el("span", unexpected, class_="reach") if unexpected else None,
        ),
        _el("p", claim.statement, class_="statement"),
        _formula(claim.latex),
        _el(
            "div",
            _definitions(
                [
                    ("origin", f"{claim.origin}: {claim.source}"),
                    ("kind", claim.kind),
                    ("domain", _domain(claim)),
                    ("expected", claim.expected if claim.expected != "holds" else ""),
                    ("repaired by", repair),
                    ("observed / bound", _tightness(result.tightness)),
                    ("remarks", claim.remarks),
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


def _witness(result: ClaimResult) -> _Html:
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
            figures += f", predicted {interval(worst.predicted)}" if worst.predicted is not None else ""
        says = "; ".join(filter(None, [parameters(worst.parameters), figures, worst.detail]))
        items.append(_el("li", _el("span", f"{evidence.kind}: ", class_="note"), says))
    return _el("ul", items, class_="witness") if items else _Html("")


def _shown_false(report: Report, known: set[str]) -> _Html:
    entries = []
    for result in report.shown_false:
        claim = _claim(result)
        entries.append(
            _el(
                "div",
                _el("h3", _el("a", claim.id, href=f"#{claim.id}"), " ", _badge(result)),
                _el("p", claim.statement),
                _witness(result),
                _el("p", "What holds instead: ", _link(claim.repaired_by, known)) if claim.repaired_by else None,
                class_="entry false",
            )
        )
    return _el("section", _el("h2", "Shown false"), entries or _el("p", "None."), id="shown-false")


def _left_open(report: Report) -> _Html:
    entries = []
    for result in report.left_open:
        claim = _claim(result)
        entries.append(
            _el(
                "div",
                _el("h3", _el("a", claim.id, href=f"#{claim.id}"), " ", _badge(result)),
                _el("p", claim.statement),
                _el("p", reach(result), class_="note"),
                class_="entry open",
            )
        )
    return _el("section", _el("h2", "Left open"), entries or _el("p", "None."), id="left-open")


def _ratio(result: ClaimResult) -> str:
    ratio = (result.tightness or {}).get("ratio")
    return "" if ratio is None else number(ratio, 2)


def _refutations(result: ClaimResult) -> str:
    ran = [m for m in result.mutants if m.ran]
    return f"{sum(bool(m.refuted_by) for m in ran)} of {len(ran)}" if ran else ""


def _summary(report: Report, *, links: bool) -> _Html:
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
                _el("a", name, href=f"#{r.id}") if links else name,
                _badge(r),
                reach(r),
                ", ".join(dict.fromkeys(e.kind for e in r.evidence)),
                _refutations(r),
                _ratio(r),
                _seconds(r.seconds),
            )
            data = {"data_verdict": r.verdict.value, "data_subject": subject, "data_outcome": r.outcome} if links else {}
            rows.append(_el("tr", [_cell(c) for c in cells], title=_claim(r).statement, **data))
        heading = _el("tr", _el("th", _subject_name(subject), colspan=len(head), scope="rowgroup"), class_="group")
        groups.append(_el("tbody", heading, rows, data_subject=subject if links else None))
    header = _el("thead", _el("tr", [_el("th", title, scope="col") for title in head]))
    return _el("div", _el("table", header, groups, class_="summary"), class_="scroll")


def _subjects(report: Report) -> list[str]:
    return list(dict.fromkeys(r.id.split(".")[0] for r in report.results))


def _subject_name(subject: str) -> str:
    return subject.replace("_", " ")


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _tiles(report: Report) -> _Html:
    s = report.summary
    tiles = [
        (s["as_expected"], "as expected", "good"),
        (s["contrary"], "contrary", "bad" if s["contrary"] else ""),
        (s["undecided"], "undecided, unexpectedly", "open" if s["undecided"] else ""),
        (f"{s['mutants_refuted']} / {s['mutants']}", "mutants refuted", "" if s["mutants_refuted"] == s["mutants"] else "bad"),
        (len(report.shown_false), "statements shown false", "false" if report.shown_false else ""),
        (len(report.left_open), "left open", "open" if report.left_open else ""),
    ]
    return _el("ul", [_el("li", _el("b", count), " ", text, class_=tone or None) for count, text, tone in tiles], class_="tiles")


def _reading() -> _Html:
    return _el(
        "details",
        _el("summary", "How to read this page"),
        _el(
            "p",
            "A claim is judged by independent legs. An identity, certificate, enclosure or enumeration has no sampling error; "
            "a simulation compares a confidence interval with the prediction. It holds if the interval meets the prediction "
            "and lies within it widened by the resolution (the difference that would matter), fails if the two are disjoint, "
            "and otherwise samples on; what is still open at the end is undecided, which is never shown as success.",
        ),
        _el(
            "p",
            "Scope says what a positive leg covers: the whole domain, a box, or the cells listed. The error level is the "
            "probability that one interval misses; all intervals of a claim together miss with probability at most 1e-9, "
            "exactly so unless the level is marked nominal, which means that it rests on a normal approximation.",
        ),
        _el(
            "p",
            "Mutants are false statements that pass through the same legs: evidence that cannot refute them proves nothing. "
            "Verdicts read ‘as expected’ where a statement is known to be false or open.",
        ),
    )


def _filters(report: Report) -> _Html:
    """Controls that a script reveals; without one they stay hidden."""
    words = [word.value for word in Verdict if any(r.verdict is word for r in report.results)]
    options = [_el("option", "all", value="")] + [_el("option", _subject_name(s), value=s) for s in _subjects(report)]
    return _el(
        "form",
        _el("fieldset", _el("legend", "Show"), [
            _el("label", _el("input", type="checkbox", name="verdict", value=word, checked=True), " ", word) for word in words
        ]),
        _el("label", "Subject ", _el("select", options, name="subject")),
        _el("label", "Text ", _el("input", type="search", name="text", placeholder="id or statement")),
        _el("output", "", name="count"),
        id="filters",
        hidden=True,
    )  # fmt: skip


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
    body = _join(
        _el(
            "header",
            _el("h1", "cotbounds: claims and verdicts"),
            _el(
                "p",
                f"{_plural(len(report.results), 'claim')} judged by {_plural(legs, 'leg')} of evidence in {_seconds(total)} "
                f"core-seconds: profile {report.profile}, seed {report.seed}, version {__version__}.",
                class_="lede",
            ),
            _tiles(report),
            _el("nav", [_el("a", text, href=target) for target, text in links], aria_label="Sections"),
            _reading(),
            _el(
                "details",
                _el("summary", "Run and environment"),
                _definitions(
                    [("replay", _el("code", report.replay())), ("exit code", str(report.exit_code))]
                    + [(name, value) for name, value in environment().items()]
                ),
            ),
            _filters(report),
            class_="page",
        ),
        _el(
            "main",
            _el("section", _el("h2", "Summary"), _summary(report, links=True), id="summary"),
            _shown_false(report, known),
            _left_open(report),
            [
                _el(
                    "section",
                    _el("h2", _subject_name(subject)),
                    [_article(r, known) for r in report.results if r.id.split(".")[0] == subject],
                    id=f"subject-{subject}",
                    data_subject=subject,
                )
                for subject in subjects
            ],
        ),
    )
    head = _join(
        _el("meta", charset="utf-8"),
        _el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        _el("meta", name="color-scheme", content="light dark"),
        _el("title", "cotbounds: claims and verdicts"),
        _el("style", _Html(_VARIABLES + _PAGE_STYLE)),
    )
    page = _el("html", _el("head", head), _el("body", body, _el("script", _Html(_SCRIPT))), lang="en")
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
            _el(
                "details",
                _el("summary", _el("code", claim.id), " ", _badge(r), " ", _el("span", reach(r), class_="note")),
                _el("p", claim.statement),
                _formula(claim.latex),
                _witness(r) if r.verdict is Verdict.FAILS else None,
                _el("p", "What holds instead: ", _el("code", claim.repaired_by)) if claim.repaired_by else None,
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
    inside = _join(
        _el("style", _Html(_FRAGMENT_STYLE)), _el("p", line), None if single else _summary(report, links=False), claims
    )
    return str(_el("div", inside, class_="cotbounds"))


_VARIABLES = """
:root { color-scheme: light dark;
  --ink: #1f2328; --soft: #59636e; --grey: #818b98; --line: #d1d9e0; --paper: #ffffff; --panel: #f6f8fa;
  --link: #0a5ea8; --good: #1a7f37; --false: #6f42c1; --open: #8a5a00; --bad: #b91c1c;
  --good-bg: #e3f5e7; --false-bg: #f0eafb; --open-bg: #fbf1d9; --bad-bg: #fde7e7;
  --series-0: #0072b2; --series-1: #d55e00; --series-2: #009e73; --series-3: #b8558a; --series-4: #b97f00; --series-5: #3a93c9; }
@media screen and (prefers-color-scheme: dark) { :root {
  --ink: #e6edf3; --soft: #9ea9b5; --grey: #8b949e; --line: #343b44; --paper: #0f141a; --panel: #171d25;
  --link: #6cb6ff; --good: #56d364; --false: #bb9af7; --open: #e3b341; --bad: #ff7b72;
  --good-bg: #12301c; --false-bg: #2a2145; --open-bg: #372a0b; --bad-bg: #43191a;
  --series-0: #58a6e8; --series-1: #f08a3c; --series-2: #3fc79a; --series-3: #dd9abd; --series-4: #e8b33c; --series-5: #7cc8f2; } }
"""

_PAGE_STYLE = """
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.5rem 6rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em; }
h2 { font-size: 1.4rem; margin: 3rem 0 .8rem; padding-bottom: .3rem; border-bottom: 2px solid var(--line); }
h2::first-letter, th[scope=rowgroup]::first-letter, nav a::first-letter { text-transform: uppercase; }
h3 { font-size: 1.05rem; margin: 0; font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
a { color: var(--link); text-decoration: none; } a:hover, a:focus { text-decoration: underline; }
h3 a { color: inherit; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .86em; overflow-wrap: anywhere; }
.lede { color: var(--soft); margin: 0 0 1.2rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .7rem; padding: 0; margin: 0 0 1.2rem; list-style: none; }
.tiles li { border: 1px solid var(--line); border-top: 4px solid var(--grey); border-radius: 6px; padding: .55rem .8rem .6rem; color: var(--soft); font-size: .85rem; }
.tiles b { display: block; font-size: 1.65rem; line-height: 1.25; color: var(--ink); font-variant-numeric: tabular-nums; }
.tiles .good { border-top-color: var(--good); } .tiles .bad { border-top-color: var(--bad); }
.tiles .open { border-top-color: var(--open); } .tiles .false { border-top-color: var(--false); }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; margin: 0 0 1rem; font-weight: 600; font-size: .95rem; }
details { margin: .35rem 0; } summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
header.page details p { max-width: 52rem; font-size: .93rem; margin: .5rem 0; }
#filters { display: flex; flex-wrap: wrap; align-items: center; gap: .6rem 1.4rem; margin-top: 1rem; padding: .6rem .9rem; background: var(--panel); border-radius: 6px; font-size: .9rem; }
#filters[hidden] { display: none; }
fieldset { border: 0; padding: 0; margin: 0; display: flex; gap: .9rem; } legend { float: left; margin-right: .9rem; padding: 0; }
input[type=search], select { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: 5px; padding: .15rem .4rem; }
.badge { display: inline-block; padding: .05rem .6rem; border-radius: 1rem; font: 600 .8rem/1.6 system-ui, "DejaVu Sans", sans-serif; white-space: nowrap; border: 1px solid currentColor; }
.mark { font-weight: 600; white-space: nowrap; }
.good { color: var(--good); } .false { color: var(--false); } .open { color: var(--open); } .bad { color: var(--bad); }
.badge.good { background: var(--good-bg); } .badge.false { background: var(--false-bg); } .badge.open { background: var(--open-bg); } .badge.bad { background: var(--bad-bg); }
.entry { color: inherit; border-left: 4px solid var(--grey); background: var(--panel); border-radius: 0 6px 6px 0; padding: .7rem 1rem; margin: .8rem 0; }
.entry.false { border-left-color: var(--false); } .entry.open { border-left-color: var(--open); }
.entry p { margin: .35rem 0 0; } .witness { margin: .35rem 0 0; padding-left: 1.2rem; overflow-wrap: anywhere; }
.note, .reach { color: var(--soft); font-size: .88rem; }
article { margin: 0 0 1.6rem; padding: 1.3rem 1.4rem 1.1rem; border: 1px solid var(--line); border-radius: 8px; }
article:target { border-color: var(--link); box-shadow: 0 0 0 1px var(--link); }
article > header { display: flex; flex-wrap: wrap; align-items: center; gap: .3rem .8rem; }
.statement { font-size: 1.12rem; line-height: 1.45; margin: .7rem 0 .3rem; max-width: 62rem; }
.formula { overflow-x: auto; overflow-y: hidden; padding: .5rem 0; font-size: 1.25rem; }
.formula.source { font-size: 1rem; white-space: pre-wrap; }
math { font-family: "STIX Two Math", "Latin Modern Math", "Libertinus Math", "Cambria Math", "TeX Gyre DejaVu Math", math; }
math[display=block] { margin: 0; text-align: left; }
.body { display: grid; grid-template-columns: minmax(15rem, 2fr) minmax(0, 5fr); gap: 1rem 2rem; align-items: start; margin: .6rem 0 .8rem; }
@media (max-width: 52rem) { .body { grid-template-columns: minmax(0, 1fr); } body { padding: 1rem .8rem 4rem; } article { padding: 1rem .9rem; } }
.facts { margin: 0; font-size: .9rem; display: block; }
.facts dt { color: var(--soft); font-size: .75rem; text-transform: uppercase; letter-spacing: .05em; margin-top: .55rem; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
header.page .facts { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem; } header.page .facts dt { margin: 0; text-transform: none; font-size: .9rem; letter-spacing: 0; }
figure { margin: 0; } figure svg { max-width: 100%; height: auto; display: block; } figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
figcaption.error { color: var(--bad); font-size: .88rem; }
.scroll { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; font-size: .86rem; width: 100%; }
caption { text-align: left; color: var(--soft); font-size: .75rem; text-transform: uppercase; letter-spacing: .05em; padding: .3rem 0; }
th { text-align: left; font-weight: 600; color: var(--soft); white-space: nowrap; } th, td { padding: .28rem .7rem .28rem 0; vertical-align: top; border-bottom: 1px solid var(--line); }
td { overflow-wrap: break-word; } td.figure { white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.group th { color: var(--ink); font-size: .95rem; padding-top: .9rem; }
.summary td:first-child { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .95em; }
.cells { width: auto; min-width: 50%; } .cells td, .cells th { padding-right: 1.3rem; }
.mutants td { width: 36%; } .mutants td:last-child { width: 28%; }
.replay { margin: .3rem 0; font-size: .86rem; color: var(--soft); }
.errors { border-left: 4px solid var(--bad); padding-left: .9rem; } pre { white-space: pre-wrap; }
[data-hidden] { display: none; }
@media print { :root { color-scheme: light; } body { max-width: none; padding: 0; font-size: 10pt; } #filters, nav { display: none; }
  details::details-content { content-visibility: visible; block-size: auto; } figure, tr, .entry, article > header { break-inside: avoid; } h2, h3 { break-after: avoid; }
  article { border: 0; border-top: 1px solid var(--line); border-radius: 0; padding: .8rem 0; } .scroll { overflow: visible; } }
"""

# Notebooks bring their own paper, light or dark, so the fragment inherits ink and draws no background.
_FRAGMENT_STYLE = """
.cotbounds { font-size: 14px; line-height: 1.45; max-width: 76rem; }
.cotbounds .badge, .cotbounds .mark { font-weight: 600; white-space: nowrap; }
.cotbounds .badge { border: 1px solid currentColor; border-radius: 1rem; padding: 0 .5rem; font-size: .85em; }
.cotbounds .note, .cotbounds .replay, .cotbounds caption { opacity: .75; font-size: .9em; }
.cotbounds .good { color: #2da44e; } .cotbounds .false { color: #8957e5; } .cotbounds .open { color: #bf8700; } .cotbounds .bad { color: #e5534b; }
.cotbounds .scroll { overflow-x: auto; } .cotbounds table { border-collapse: collapse; margin: .3rem 0; }
.cotbounds th, .cotbounds td, .cotbounds caption { text-align: left !important; vertical-align: top; padding: .15rem .8rem .15rem 0; }
.cotbounds tr { border-bottom: 1px solid rgba(128, 128, 128, .3); } .cotbounds td.figure { white-space: nowrap; font-variant-numeric: tabular-nums; }
.cotbounds summary { cursor: pointer; } .cotbounds math[display=block] { text-align: left; margin: .4rem 0; } .cotbounds pre { white-space: pre-wrap; }
"""

_SCRIPT = """
(function () {
  const form = document.getElementById("filters");
  const rows = Array.from(document.querySelectorAll("[data-verdict]"));
  const groups = Array.from(document.querySelectorAll("section[data-subject], tbody[data-subject]"));
  function show(element, visible) { element.toggleAttribute("data-hidden", !visible); }
  function apply() {
    const verdicts = new Set(Array.from(form.querySelectorAll("[name=verdict]:checked"), box => box.value));
    const subject = form.elements.subject.value;
    const words = form.elements.text.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const statement = row.querySelector(".statement");
      const text = ((row.id || row.textContent) + " " + row.dataset.subject + " " + (statement ? statement.textContent : row.title)).toLowerCase();
      const visible = verdicts.has(row.dataset.verdict) && (!subject || row.dataset.subject === subject) && words.every(word => text.includes(word));
      show(row, visible);
      if (visible && row.tagName === "ARTICLE") count += 1;
    }
    for (const group of groups) show(group, Array.from(group.querySelectorAll("[data-verdict]")).some(row => !row.hasAttribute("data-hidden")));
    form.elements.count.value = count + (count === 1 ? " claim" : " claims");
  }
  function reveal() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.hasAttribute("data-hidden")) { form.reset(); apply(); target.scrollIntoView(); }
  }
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", event => event.preventDefault());
  window.addEventListener("hashchange", reveal);
  apply();
})();
"""
