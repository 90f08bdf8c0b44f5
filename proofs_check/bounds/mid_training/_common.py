"""What the bounds of mid-training share: the claims they belong to, and limits made false by a factor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from proofs_check import bounds
from proofs_check.bounds import Measured
from proofs_check.claims import find
from proofs_check.lab import Lab

__all__ = ["CLAIMS", "Measure", "times"]

CLAIMS = {claim.id.split(".")[1]: claim for claim in find(["mid_training"])}
Measure = Callable[[Lab, Mapping[str, Any], Sequence[int]], Measured]


times = partial(bounds.times, "mid_training")
