"""Elements that escape what they are given, and formulas as MathML."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from functools import lru_cache
from html import escape
from typing import Any

__all__ = ["Html", "element", "formula", "join", "mathml"]


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


_VOID = ("br", "input", "meta", "col")


def element(name: str, /, *children: Any, **attributes: Any) -> Html:
    """Return an element; children and attribute values are escaped unless they are elements, None is left out."""
    # Words reserved in Python end in an underscore; the other underscores are hyphens.
    shown = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    inside = join(*children)
    return Html(f"<{name}{shown}>" if name in _VOID else f"<{name}{shown}>{inside}</{name}>")


def join(*parts: Any) -> Html:
    """Return parts in a row, escaped unless they are elements; iterables are unpacked."""
    out = []
    for part in parts:
        if part is None:
            continue
        if isinstance(part, Html):
            out.append(str(part))
        elif isinstance(part, str):
            out.append(escape(part))
        elif isinstance(part, Iterable):
            out.append(join(*part))
        else:
            out.append(escape(str(part)))
    return Html("".join(out))


_CHILDREN = {
    "mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "mroot": 2, "msubsup": 3, "munderover": 3,
}  # fmt: skip
_LEFTOVER = re.compile(r"\\|[{}$&#]")
# The converter copies text and some attributes as they are, so only what belongs to a formula passes.
_TAGS = re.compile(
    r"math|mrow|mi|mn|mo|ms|mtext|mspace|mfrac|msqrt|mroot|msub|msup|msubsup|munder|mover|munderover|mmultiscripts|"
    r"mprescripts|mtable|mtr|mtd|mstyle|mpadded|mphantom|menclose|merror"
)
_ATTRIBUTES = re.compile(
    r"accent|accentunder|columnalign|columnlines|columnspacing|depth|display|displaystyle|fence|form|height|largeop|"
    r"linethickness|lspace|mathcolor|mathsize|mathvariant|maxsize|minsize|movablelimits|notation|rowlines|rowspacing|"
    r"rspace|scriptlevel|separator|stretchy|symmetric|voffset|width"
)
_HIDE = str.maketrans("<>&", "\ue000\ue001\ue002")
_SHOW = str.maketrans("\ue000\ue001\ue002", "<>&")


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
        bare = re.sub(r"\\arg(?![A-Za-z])", r"\\operatorname{arg}", bare)
        bare = re.sub(r"(?<=\\text\{)[^{}]*", lambda text: text.group().translate(_HIDE), bare)
        root = ET.fromstring(convert(bare, display="block"))
    except Exception as error:
        # The converter raises whatever its parser stumbles upon.
        problem = str(error) or type(error).__name__
        raise ValueError(f"latex must be convertible to MathML, got {latex!r}: {problem}") from error
    for node in root.iter():
        node.tag = node.tag.rsplit("}", 1)[-1]
        text = node.text = (node.text or "").translate(_SHOW)
        strange = [name for name in node.attrib if not _ATTRIBUTES.fullmatch(name)]
        strange += [] if _TAGS.fullmatch(node.tag) else [node.tag]
        if strange:
            problem = f"{strange[0]!r} is not part of a formula"
            raise ValueError(f"latex must be convertible to MathML, got {latex!r}: {problem}")
        # A brace on its own is a fence (mo) when meant, an identifier when left over.
        if (node.tag in ("mi", "mn") and _LEFTOVER.search(text)) or (node.tag != "mtext" and "\\" in text):
            raise ValueError(f"latex must be convertible to MathML, got {latex!r}: left over {text!r}")
        if node.tag == "mtext":
            # Renderers drop spaces at the ends of a text, which are meant here.
            node.text = re.sub(r"^ | $", "\u00a0", text)
        if len(node) != _CHILDREN.get(node.tag, len(node)):
            raise ValueError(f"latex must be convertible to MathML, got {latex!r}: {node.tag} lacks an argument")
    return ET.tostring(root, encoding="unicode")


def formula(latex: str) -> Html:
    """Return MathML, or the LaTeX source where there is no MathML for it."""
    if not latex.strip():
        return Html("")
    try:
        return element("div", Html(mathml(latex)), class_="formula")
    except ValueError:
        return element("div", element("code", latex), class_="formula source", title="LaTeX source")
