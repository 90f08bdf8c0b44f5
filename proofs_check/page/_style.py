"""What the page looks like, on light and dark paper, and the script that filters it (a convenience)."""

from __future__ import annotations

__all__ = ["COLOURS", "FRAGMENT", "PAGE", "SCRIPT"]

COLOURS = """
:root { color-scheme: light dark;
  --ink: #1f2328; --soft: #59636e; --grey: #818b98; --line: #d1d9e0; --paper: #ffffff; --panel: #f6f8fa;
  --link: #0a5ea8; --good: #1a7f37; --false: #6f42c1; --open: #8a5a00; --bad: #b91c1c;
  --good-bg: #e3f5e7; --false-bg: #f0eafb; --open-bg: #fbf1d9; --bad-bg: #fde7e7;
  --series-0: #0072b2; --series-1: #d55e00; --series-2: #009e73;
  --series-3: #b8558a; --series-4: #b97f00; --series-5: #3a93c9; }
@media screen and (prefers-color-scheme: dark) { :root {
  --ink: #e6edf3; --soft: #9ea9b5; --grey: #8b949e; --line: #343b44; --paper: #0f141a; --panel: #171d25;
  --link: #6cb6ff; --good: #56d364; --false: #bb9af7; --open: #e3b341; --bad: #ff7b72;
  --good-bg: #12301c; --false-bg: #2a2145; --open-bg: #372a0b; --bad-bg: #43191a;
  --series-0: #58a6e8; --series-1: #f08a3c; --series-2: #3fc79a;
  --series-3: #dd9abd; --series-4: #e8b33c; --series-5: #7cc8f2; } }
"""

PAGE = """
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.5rem 6rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em; }
h2 { font-size: 1.4rem; margin: 3rem 0 .8rem; padding-bottom: .3rem; border-bottom: 2px solid var(--line); }
h2::first-letter, th[scope=rowgroup]::first-letter, nav a::first-letter { text-transform: uppercase; }
h3 { font-size: 1.05rem; margin: 0;
  font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
a { color: var(--link); text-decoration: none; } a:hover, a:focus { text-decoration: underline; }
h3 a { color: inherit; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: .86em; overflow-wrap: anywhere; }
.lede { color: var(--soft); margin: 0 0 1.2rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .7rem; padding: 0;
  margin: 0 0 1.2rem; list-style: none; }
.tiles li { border: 1px solid var(--line); border-top: 4px solid var(--grey); border-radius: 6px;
  padding: .55rem .8rem .6rem; color: var(--soft); font-size: .85rem; }
.tiles b { display: block; font-size: 1.65rem; line-height: 1.25; color: var(--ink);
  font-variant-numeric: tabular-nums; }
.tiles .good { border-top-color: var(--good); } .tiles .bad { border-top-color: var(--bad); }
.tiles .open { border-top-color: var(--open); } .tiles .false { border-top-color: var(--false); }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; margin: 0 0 1rem; font-weight: 600;
  font-size: .95rem; }
details { margin: .35rem 0; } summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
header.page details p { max-width: 52rem; font-size: .93rem; margin: .5rem 0; }
#filters { display: flex; flex-wrap: wrap; align-items: center; gap: .6rem 1.4rem; margin-top: 1rem;
  padding: .6rem .9rem; background: var(--panel); border-radius: 6px; font-size: .9rem; }
#filters[hidden] { display: none; }
fieldset { border: 0; padding: 0; margin: 0; display: flex; gap: .9rem; }
legend { float: left; margin-right: .9rem; padding: 0; }
input[type=search], select { font: inherit; color: inherit; background: var(--paper);
  border: 1px solid var(--line); border-radius: 5px; padding: .15rem .4rem; }
.badge { display: inline-block; padding: .05rem .6rem; border-radius: 1rem;
  font: 600 .8rem/1.6 system-ui, "DejaVu Sans", sans-serif; white-space: nowrap;
  border: 1px solid currentColor; }
.mark { font-weight: 600; white-space: nowrap; }
.good { color: var(--good); }
.false { color: var(--false); }
.open { color: var(--open); }
.bad { color: var(--bad); }
.badge.good { background: var(--good-bg); }
.badge.false { background: var(--false-bg); }
.badge.open { background: var(--open-bg); }
.badge.bad { background: var(--bad-bg); }
.entry { color: inherit; border-left: 4px solid var(--grey); background: var(--panel);
  border-radius: 0 6px 6px 0; padding: .7rem 1rem; margin: .8rem 0; }
.entry.false { border-left-color: var(--false); } .entry.open { border-left-color: var(--open); }
.entry p { margin: .35rem 0 0; } .witness { margin: .35rem 0 0; padding-left: 1.2rem; overflow-wrap: anywhere; }
.note, .reach { color: var(--soft); font-size: .88rem; }
article { margin: 0 0 1.6rem; padding: 1.3rem 1.4rem 1.1rem; border: 1px solid var(--line);
  border-radius: 8px; }
article:target { border-color: var(--link); box-shadow: 0 0 0 1px var(--link); }
article > header { display: flex; flex-wrap: wrap; align-items: center; gap: .3rem .8rem; }
.statement { font-size: 1.12rem; line-height: 1.45; margin: .7rem 0 .3rem; max-width: 62rem; }
.remarks { margin: .1rem 0 .8rem; color: var(--soft); max-width: 62rem; }
.formula { overflow-x: auto; overflow-y: hidden; padding: .5rem 0; font-size: 1.25rem; }
.formula.source { font-size: 1rem; white-space: pre-wrap; }
math { font-family: "STIX Two Math", "Latin Modern Math", "Libertinus Math", "Cambria Math",
  "TeX Gyre DejaVu Math", math; }
math[display=block] { width: fit-content; margin: 0; }
.body { display: grid; grid-template-columns: minmax(15rem, 2fr) minmax(0, 5fr); gap: 1rem 2rem;
  align-items: start; margin: .6rem 0 .8rem; }
@media (max-width: 52rem) {
.body { grid-template-columns: minmax(0, 1fr); }
body { padding: 1rem .8rem 4rem; }
article { padding: 1rem .9rem; }
}
.facts { margin: 0; font-size: .9rem; display: block; }
.facts dt { color: var(--soft); font-size: .75rem; text-transform: uppercase; letter-spacing: .05em;
  margin-top: .55rem; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
header.page .facts { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem; }
header.page .facts dt { margin: 0; text-transform: none; font-size: .9rem; letter-spacing: 0; }
figure { margin: 0; }
figure svg { max-width: 100%; height: auto; display: block; }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
figcaption.error { color: var(--bad); font-size: .88rem; }
.scroll { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; font-size: .86rem; width: 100%; }
caption { text-align: left; color: var(--soft); font-size: .75rem; text-transform: uppercase;
  letter-spacing: .05em; padding: .3rem 0; }
th { text-align: left; font-weight: 600; color: var(--soft); white-space: nowrap; }
th, td { padding: .28rem .7rem .28rem 0; vertical-align: top; border-bottom: 1px solid var(--line); }
td { overflow-wrap: break-word; } td.figure { white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.group th { color: var(--ink); font-size: .95rem; padding-top: .9rem; }
.summary td { white-space: nowrap; } .summary thead th { white-space: normal; vertical-align: bottom; }
.summary td:first-child { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono",
  monospace; font-size: .95em; }
.evidence { font-size: .83rem; } .evidence td:nth-child(2) { min-width: 9rem; }
.evidence td:nth-child(4) { min-width: 7rem; }
.cells { width: auto; min-width: 50%; } .cells td, .cells th { padding-right: 1.3rem; }
.mutants td { width: 36%; } .mutants td:last-child { width: 28%; }
.replay { margin: .3rem 0; font-size: .86rem; color: var(--soft); }
.errors { border-left: 4px solid var(--bad); padding-left: .9rem; } pre { white-space: pre-wrap; }
[data-hidden] { display: none; }
@media print {
:root { color-scheme: light; }
body { max-width: none; padding: 0; font-size: 10pt; }
#filters, nav { display: none; }
details::details-content { content-visibility: visible; block-size: auto; }
figure, tr, .entry, article > header { break-inside: avoid; }
h2, h3 { break-after: avoid; }
article { border: 0; border-top: 1px solid var(--line); border-radius: 0; padding: .8rem 0; }
.scroll { overflow: visible; }
}
"""

# Notebooks bring their own paper, light or dark, so the fragment inherits ink and draws no background.
FRAGMENT = """
.cotbounds { font-size: 14px; line-height: 1.45; max-width: 76rem; }
.cotbounds .badge, .cotbounds .mark { font-weight: 600; white-space: nowrap; }
.cotbounds .badge { border: 1px solid currentColor; border-radius: 1rem; padding: 0 .5rem; font-size: .85em; }
.cotbounds .note, .cotbounds .replay, .cotbounds caption { opacity: .75; font-size: .9em; }
.cotbounds .good { color: #2da44e; }
.cotbounds .false { color: #8957e5; }
.cotbounds .open { color: #bf8700; }
.cotbounds .bad { color: #e5534b; }
.cotbounds .scroll { overflow-x: auto; } .cotbounds table { border-collapse: collapse; margin: .3rem 0; }
.cotbounds th, .cotbounds td, .cotbounds caption { text-align: left !important; vertical-align: top;
  padding: .15rem .8rem .15rem 0; }
.cotbounds tr { border-bottom: 1px solid rgba(128, 128, 128, .3); }
.cotbounds td.figure { white-space: nowrap; font-variant-numeric: tabular-nums; }
.cotbounds summary { cursor: pointer; }
.cotbounds math[display=block] { width: fit-content; margin: .4rem 0; }
.cotbounds pre { white-space: pre-wrap; }
"""

SCRIPT = """
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
      const says = statement ? statement.textContent : row.title;
      const text = [row.id || row.textContent, row.dataset.subject, says].join(" ").toLowerCase();
      const visible = verdicts.has(row.dataset.verdict) && (!subject || row.dataset.subject === subject)
        && words.every(word => text.includes(word));
      show(row, visible);
      if (visible && row.tagName === "ARTICLE") count += 1;
    }
    for (const group of groups) show(group, group.querySelector("[data-verdict]:not([data-hidden])") !== null);
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
