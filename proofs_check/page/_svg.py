"""Figures as inline SVG: many of them in one page, on light or dark paper."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib as mpl

from proofs_check.figures import COLOURS, GREY, INK, NO_XML, PALE, PAPER, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["inline_svg"]

# What the page may recolour for dark paper; the light colour stays as the fallback.
_VARIABLES = {INK: "ink", GREY: "grey", PALE: "line", PAPER: "paper"} | {
    c: f"series-{i}" for i, c in enumerate(COLOURS)
}

_HREF = "{http://www.w3.org/1999/xlink}href"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")


def inline_svg(figure: Figure, name: str, title: str) -> str:
    """Return a figure as an ``<svg>`` element that can stand among others in one HTML page.

    Text stays text; metadata, document-wide style and unused ids are dropped, the others get
    `name` in front; house colours become variables that a page may set for dark paper.

    Parameters
    ----------
    figure : Figure
        Any Matplotlib figure.
    name : str
        Unique in the page.
    title : str
        What the picture shows, for those who cannot see it.

    Examples
    --------
    >>> from proofs_check.figures import labelled_axes
    >>> with style():
    ...     figure, ax = labelled_axes("p", "accuracy")
    >>> text = inline_svg(figure, "mine", "an empty picture")
    >>> text.startswith("<svg"), "<title>an empty picture</title>" in text
    (True, True)
    """
    buffer = io.BytesIO()
    with style(), mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, facecolor="none", edgecolor="none")
    root = ET.fromstring(buffer.getvalue())
    prefix = re.sub(r"[^A-Za-z0-9]+", "-", name) + "-"
    used = {found for e in root.iter() for value in e.attrib.values() for found in _REFERENCE.findall(value)}
    used |= {e.attrib[_HREF][1:] for e in root.iter() if e.attrib.get(_HREF, "").startswith("#")}
    for parent in root.iter():
        for child in list(parent):
            if child.tag.rsplit("}", 1)[-1] in ("metadata", "style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rsplit("}", 1)[-1]
        element.attrib = _portable(element.attrib, prefix, used)
    wide = root.attrib["viewBox"].split()[2]
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "style": f"width:{float(wide):g}pt"}
    caption = ET.Element("title")
    caption.text = NO_XML.sub("\ufffd", title)
    root.insert(0, caption)
    return ET.tostring(root, encoding="unicode")


def _portable(attributes: Mapping[str, str], prefix: str, used: set[str]) -> dict[str, str]:
    """Attributes without namespaces, with ids of this figure alone and colours that follow the paper."""
    out = {}
    for key, value in attributes.items():
        if key == "id":
            if value in used:
                out["id"] = prefix + value
        elif key == _HREF:
            out["href"] = "#" + prefix + value[1:]
        elif "}" not in key:
            value = _REFERENCE.sub(rf"url(#{prefix}\1)", value)
            out[key] = _COLOUR.sub(lambda found: _variable(found.group()), value) if key == "style" else value
    return out


def _variable(colour: str) -> str:
    name = _VARIABLES.get(colour.lower())
    return f"var(--{name}, {colour})" if name else colour
