"""Claims: where closed forms and simulations meet and are judged.

``check(id)`` judges registered claims or a :class:`Claim` of your own and returns a
:class:`Report`; ``assert_holds(...)`` does the same inside a test. On the command line:
``python -m proofs_check``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proofs_check.claims import Claim, Exact, Mutant, Simulation, find
    from proofs_check.domains import Domain, Integer, Real
    from proofs_check.report import Report, assert_holds, check
    from proofs_check.samples import Counts, Means, Medians, Variances
    from proofs_check.verdicts import Cell, Interval, Verdict

__version__ = "0.1.0"

_HOMES = {
    "claims": ("Claim", "Exact", "Mutant", "Simulation", "find"),
    "domains": ("Domain", "Integer", "Real"),
    "report": ("Report", "assert_holds", "check"),
    "samples": ("Counts", "Means", "Medians", "Variances"),
    "verdicts": ("Cell", "Interval", "Verdict"),
}

__all__ = [
    "Cell",
    "Claim",
    "Counts",
    "Domain",
    "Exact",
    "Integer",
    "Interval",
    "Means",
    "Medians",
    "Mutant",
    "Real",
    "Report",
    "Simulation",
    "Variances",
    "Verdict",
    "assert_holds",
    "check",
    "find",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that the command line starts at once."""
    import importlib

    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"proofs_check.{module}"), name)
    raise AttributeError(f"module 'proofs_check' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
