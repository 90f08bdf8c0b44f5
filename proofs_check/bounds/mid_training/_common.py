"""What the bounds of mid-training share: the claims they belong to, and limits made false by a factor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from proofs_check.bounds import Measured
from proofs_check.claims import find
from proofs_check.lab import Lab

__all__ = ["CLAIMS", "Measure", "shipped", "times"]

CLAIMS = {claim.id.split(".")[1]: claim for claim in find(["mid_training"])}
Measure = Callable[[Lab, Mapping[str, Any], Sequence[int]], Measured]


def shipped() -> Any:
    """Return the closed forms as they are, out of a mutant's reach."""
    import theory.mid_training as module

    return module


def times(name: str, factor: float) -> dict[str, Callable[..., Any]]:
    """Replace a closed form by a multiple of it."""
    return {f"mid_training.{name}": lambda *a, **k: getattr(shipped(), name)(*a, **k) * factor}
