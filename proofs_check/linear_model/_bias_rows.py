"""The four kinds of probability that ridge biases, with their closed forms, domains and residuals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from proofs_check.domains import Domain
from proofs_check.linear_model._common import DOMAIN, RIDGE, ridge_grid, share_grid

__all__ = ["ROWS", "Row", "bias_margin", "logit_of_bias", "points", "residual_of"]


@dataclass(frozen=True)
class Row:
    """One kind of probability: its residual, bias and bounds, and how its bound is proved.

    `takes_share` is False for positions l >= 2, whose bias depends on the ridge alone.
    """

    name: str
    says: str
    latex: str
    latex_paper: str
    number: str
    takes_share: bool
    equality: str
    boxes: tuple[Mapping[str, tuple[Fraction, Fraction]], ...]

    def arguments(self, p: Any, ridge: Any) -> tuple[Any, ...]:
        """The arguments of this row's functions."""
        return (p, ridge) if self.takes_share else (ridge,)

    @property
    def domain(self) -> Domain:
        """Where the row is claimed."""
        return DOMAIN if self.takes_share else Domain({"ridge": RIDGE})


def _box(**ends: tuple[str, str]) -> dict[str, tuple[Fraction, Fraction]]:
    return {name: (Fraction(low), Fraction(high)) for name, (low, high) in ends.items()}


ROWS = (
    Row(
        "first_token",
        "of P(y_1 = x_1)",
        r"\lambda\ln\frac{1+p}{1-p}",
        r"\frac{\lambda\ln\frac{1+p}{1-p}}{1-p^2}",
        "Proposition 1",
        True,
        "p = 0",
        (_box(p=("1/20", "19/20"), ridge=("1/20", "2")),),
    ),
    Row(
        "stop_agree",
        "of P(EOS | y_1 = x_1)",
        r"\frac{\lambda\,\bigl|\ln\frac{2p}{1-p}\bigr|}{1+p}",
        r"\frac{\lambda(1+p)\,\bigl|\ln\frac{2p}{1-p}\bigr|}{8p(1-p)}",
        "Proposition 2",
        True,
        "p = 1/3",
        (_box(p=("1/20", "3/10"), ridge=("1/20", "2")), _box(p=("3/8", "19/20"), ridge=("1/20", "2"))),
    ),
    Row(
        "stop_disagree",
        "of P(EOS | y_1 = -x_1)",
        r"m\,W(1/m),\ m = \frac{\lambda}{1-p}",
        r"\sqrt{\frac{\lambda}{1-p}}",
        "Proposition 2",
        True,
        "nowhere",
        (_box(p=("1/20", "9/10"), ridge=("1/4", "2")),),
    ),
    Row(
        "chain",
        "of the right token at a position l >= 2",
        r"\lambda\,W(1/\lambda)",
        r"\sqrt{\lambda}",
        "Proposition 3",
        False,
        "nowhere",
        (_box(ridge=("1/100", "2")),),
    ),
)


def residual_of(t: Any, row: Row, z: Any, p: Any, ridge: Any) -> Any:
    """The row's scalar equation, decreasing in z."""
    name = {"first_token": "first_token_stationarity", "chain": "chain_stationarity"}.get(
        row.name, f"{row.name}_stationarity"
    )
    return getattr(t, name)(z, *row.arguments(p, ridge))


def logit_of_bias(row: Row, bias: Any, p: Any, ridge: Any) -> Any:
    """The size of the logit that has a given bias: bias = ridge * logit / (mass of the condition)."""
    mass = {"first_token": 1, "stop_agree": 1 + p, "stop_disagree": 1 - p, "chain": 1}[row.name]
    return bias * mass / ridge


def bias_margin(t: Any, row: Row, bound: str) -> Callable[..., Any]:
    """Bound minus bias as a ball, from a certain enclosure of the root."""
    from flint import arb

    from proofs_check.enclosures import enclose_root

    def margin(ridge: Any, p: Any = None) -> Any:
        p = arb(0) if p is None else p
        far = 1 / ridge + 2
        root = enclose_root(lambda z: residual_of(t, row, z, p, ridge), -far, far)
        mass = {"first_token": 1, "stop_agree": 1 + p, "stop_disagree": 1 - p, "chain": 1}[row.name]
        return getattr(t, bound)(*row.arguments(p, ridge)) - ridge * abs(root) / mass

    return margin


def points(row: Row) -> Iterator[dict[str, Fraction]]:
    """Where a false bound of the row is looked for."""
    for ridge in ridge_grid():
        if row.takes_share:
            yield from ({"p": p, "ridge": ridge} for p in share_grid())
        else:
            yield {"ridge": ridge}
