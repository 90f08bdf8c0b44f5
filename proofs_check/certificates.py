"""A small checker for symbolic proofs over whole domains.

Three kinds of step, each verified here and nowhere else:

* ``identity``: two expressions are equal. Their difference is brought over one denominator
  and its numerator expanded to the zero polynomial, exponentials and logarithms being
  independent generators after ``exp`` and ``log`` have met.
* ``sign``: an expression is non-negative (or positive) on a box. Each parameter is mapped to
  (0, inf) by a Moebius change of variable, each exponential becomes a free positive variable
  (above 1 where its argument is known to be positive), each logarithm a free variable whose
  sign follows from the same certificate applied to its argument minus 1; then every
  coefficient of numerator and denominator must be non-negative. This is sufficient, never
  necessary, and re-verified by expansion.
* rules such as "a decreasing function has its root between two points with residuals of
  opposite sign", whose premises are steps of the first two kinds.

A failed step is not a refutation: :func:`counterexample` then looks for a point at which ball
arithmetic makes the statement certainly false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from proofs_check.verdicts import Cell, Verdict

__all__ = ["Proof", "counterexample", "is_zero", "nonnegative", "positive"]

Box = Mapping[sp.Symbol, tuple[Any, Any]]


def _generators(expression: sp.Expr) -> sp.Expr:
    """Write powers of exponentials of sums as products, so that equal exponentials look equal."""
    return sp.powsimp(sp.expand_power_exp(sp.expand(expression, log=False)), combine="exp", force=False)


def is_zero(expression: sp.Expr) -> bool:
    """Whether `expression` vanishes identically; ``False`` means "not shown".

    Examples
    --------
    >>> import sympy as sp
    >>> w = sp.symbols("w")
    >>> is_zero(1 / (1 + sp.exp(-w)) - sp.exp(w) / (1 + sp.exp(w)))
    True
    >>> is_zero(w**2 - w)
    False
    """
    expression = sp.sympify(expression)
    if expression.has(sp.nan, sp.zoo, sp.oo):
        return False
    numerator, denominator = sp.fraction(sp.together(_generators(expression)))
    if sp.expand(denominator) == 0:
        return False
    # Negative exponents inside exponentials: multiply out with generators for exp of each atom.
    numerator = _clear_exponentials(sp.expand(sp.expand_power_exp(numerator)))
    return bool(sp.expand(numerator) == 0)


def _clear_exponentials(numerator: sp.Expr) -> sp.Expr:
    """Replace exp(k u) by t**k for one generator t per argument u, and clear negative powers."""
    generators: dict[sp.Expr, sp.Symbol] = {}

    def powered(argument: sp.Expr) -> sp.Expr:
        coefficient, base = argument.as_coeff_Mul()
        if not coefficient.is_Integer:
            coefficient, base = sp.Integer(1), argument
        symbol = generators.setdefault(base, sp.Dummy("t", positive=True))
        return symbol**coefficient

    replaced = numerator.replace(lambda e: isinstance(e, sp.exp), lambda e: powered(e.args[0]))
    return sp.numer(sp.together(replaced))


def _to_orthant(expression: sp.Expr, box: Box) -> tuple[sp.Expr, list[sp.Symbol]]:
    """Substitute variables so that the box becomes the positive orthant."""
    variables = []
    for symbol, (low, high) in box.items():
        fresh = sp.Dummy(symbol.name, positive=True)
        low, high = sp.sympify(low), sp.sympify(high)
        if high == sp.oo:
            value = low + fresh
        elif low == -sp.oo:
            value = high - fresh
        else:
            value = (low + high * fresh) / (1 + fresh)
        expression = expression.subs(symbol, value)
        variables.append(fresh)
    return expression, variables


def _abstract(expression: sp.Expr, box: Box) -> tuple[sp.Expr, dict[sp.Symbol, tuple[Any, Any]]]:
    """Replace exponentials and logarithms by free variables with the range that is certain for them."""
    ranges = dict(box)
    for atom in sorted(expression.atoms(sp.log), key=sp.default_sort_key):
        free = sp.Dummy("L")
        argument = atom.args[0]
        if _rational_sign(argument - 1, box, strict=False):
            ranges[free] = (sp.Integer(0), sp.oo)
        elif _rational_sign(1 - argument, box, strict=False):
            ranges[free] = (-sp.oo, sp.Integer(0))
        else:
            raise ValueError(f"the sign of {atom} is not certain on the box")
        expression = expression.subs(atom, free)
    bases: dict[sp.Expr, sp.Symbol] = {}
    for atom in sorted(expression.atoms(sp.exp), key=sp.default_sort_key):
        coefficient, base = atom.args[0].as_coeff_Mul()
        if not coefficient.is_Integer:
            coefficient, base = sp.Integer(1), atom.args[0]
        if base not in bases:
            bases[base] = sp.Dummy("E")
            above_one = _rational_sign(base, box, strict=False) if base.free_symbols <= set(box) else False
            ranges[bases[base]] = (sp.Integer(1) if above_one else sp.Integer(0), sp.oo)
        expression = expression.subs(atom, bases[base] ** coefficient)
    return expression, {s: r for s, r in ranges.items() if s in expression.free_symbols}


def _rational_sign(expression: sp.Expr, box: Box, *, strict: bool) -> bool:
    """Whether all coefficients certify that a rational expression is >= 0 (> 0) on the box."""
    shifted, variables = _to_orthant(sp.sympify(expression), {s: box[s] for s in box if s in expression.free_symbols})
    numerator, denominator = sp.fraction(sp.cancel(sp.together(shifted)))
    if not variables:
        value = sp.simplify(numerator / denominator)
        return bool(value > 0) if strict else bool(value >= 0)
    if shifted.free_symbols - set(variables):
        raise ValueError(f"no range given for {sorted(map(str, shifted.free_symbols - set(variables)))}")
    top = sp.Poly(numerator, *variables).coeffs()
    bottom = sp.Poly(denominator, *variables).coeffs()
    for sign in (1, -1):
        if all(sign * c > 0 for c in bottom) and all(sign * c >= 0 for c in top):
            return any(c != 0 for c in top) if strict else True
    return False


def nonnegative(expression: sp.Expr, box: Box) -> bool:
    """Whether a coefficient certificate shows `expression` >= 0 on the open `box`.

    Parameters
    ----------
    expression : sympy.Expr
        Rational in the box's symbols, and in exponentials and logarithms of such.
    box : mapping of Symbol to (low, high)
        Open intervals; ``sympy.oo`` is allowed.

    Returns
    -------
    bool
        True: certified. False: this certificate does not exist, which refutes nothing.

    Examples
    --------
    >>> import sympy as sp
    >>> p = sp.symbols("p")
    >>> nonnegative((1 + p) ** 2 - p, {p: (0, 1)})
    True
    >>> nonnegative(p - sp.Rational(1, 2), {p: (0, 1)})
    False
    """
    return _certified(expression, box, strict=False)


def positive(expression: sp.Expr, box: Box) -> bool:
    """Whether a coefficient certificate shows `expression` > 0 on the open `box`; see :func:`nonnegative`."""
    return _certified(expression, box, strict=True)


def _certified(expression: sp.Expr, box: Box, *, strict: bool) -> bool:
    try:
        abstracted, ranges = _abstract(sp.together(sp.expand_power_exp(sp.sympify(expression))), box)
        return _rational_sign(abstracted, ranges, strict=strict)
    except ValueError:
        return False


@dataclass
class Proof:
    """A list of checked steps; ``cells()`` turns it into evidence.

    Examples
    --------
    >>> import sympy as sp
    >>> p = sp.symbols("p")
    >>> proof = Proof()
    >>> proof.identity("expand", (3 * p - 1) ** 2, 9 * p**2 - 6 * p + 1)
    True
    >>> proof.holds
    True
    """

    steps: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether there are steps and every one was verified."""
        return bool(self.steps) and all(ok for _, ok in self.steps)

    def step(self, says: str, ok: bool) -> bool:
        """Record a step checked by the caller."""
        self.steps.append((says, bool(ok)))
        return bool(ok)

    def identity(self, says: str, left: sp.Expr, right: sp.Expr) -> bool:
        """Record that two expressions are equal."""
        return self.step(says, is_zero(sp.sympify(left) - sp.sympify(right)))

    def nonnegative(self, says: str, expression: sp.Expr, box: Box) -> bool:
        """Record that an expression is non-negative on a box."""
        return self.step(says, nonnegative(expression, box))

    def positive(self, says: str, expression: sp.Expr, box: Box) -> bool:
        """Record that an expression is positive on a box."""
        return self.step(says, positive(expression, box))

    def root_between(
        self, says: str, residual: Callable[[Any], sp.Expr], low: sp.Expr, high: sp.Expr, box: Box
    ) -> bool:
        """Record that the root of a decreasing continuous function lies in [low, high].

        Premises, each a step: the derivative is negative for every real argument; the
        residual is >= 0 at `low` and <= 0 at `high`.
        """
        z = sp.Dummy("z", real=True)
        slope = sp.diff(residual(z), z)
        premises = (
            self._negative_everywhere(slope, z, box),
            nonnegative(residual(low), box),
            nonnegative(-residual(high), box),
        )
        return self.step(f"{says} [decreasing: {premises[0]}, signs: {premises[1]}, {premises[2]}]", all(premises))

    @staticmethod
    def _negative_everywhere(slope: sp.Expr, z: sp.Symbol, box: Box) -> bool:
        """Whether the slope is negative for every real z; z may occur only inside exponentials."""
        generator = sp.Dummy("E", positive=True)
        replaced = sp.together(sp.expand_power_exp(slope)).subs(sp.exp(-z), 1 / generator).subs(sp.exp(z), generator)
        if z in replaced.free_symbols:
            return False
        return positive(-replaced, {**box, generator: (0, sp.oo)})

    def cells(
        self, parameters: Mapping[str, Any], refutation: Mapping[str, Any] | None | Callable[[], Any] = None
    ) -> list[Cell]:
        """Evidence: one cell a step if all hold; otherwise a witness fails the proof, and without one it is undecided."""
        if self.holds:
            return [Cell(dict(parameters), Verdict.HOLDS, detail=says) for says, _ in self.steps]
        missing = "; ".join(says for says, ok in self.steps if not ok) or "no steps"
        witness = refutation() if callable(refutation) else refutation
        if witness is not None:
            return [Cell(dict(witness), Verdict.FAILS, detail=f"false at this point; step not verified: {missing}")]
        return [Cell(dict(parameters), Verdict.UNDECIDED, detail=f"step not verified: {missing}")]


def counterexample(
    margin: Callable[..., Any], points: Iterable[Mapping[str, Any]], digits: int = 40
) -> dict[str, Any] | None:
    """Return the first point at which a margin is certainly negative, or None.

    Parameters
    ----------
    margin : callable
        Gets each point's values as Arb balls, returns a ball (or a list of balls) that the
        statement says is non-negative.
    points : iterable of mappings
        Rational or integer parameters.
    digits : int
        Working precision.

    Examples
    --------
    >>> from fractions import Fraction
    >>> counterexample(lambda p: p - 1, [{"p": Fraction(1, 2)}])
    {'p': '1/2'}
    """
    from flint import arb, ctx, fmpq

    before = ctx.dps
    ctx.dps = digits
    try:
        for point in points:
            balls = {
                k: arb(fmpq(v.numerator, v.denominator)) if hasattr(v, "numerator") else arb(v) for k, v in point.items()
            }
            found = margin(**balls)
            if any(ball < 0 for ball in (found if isinstance(found, (list, tuple)) else [found])):
                return {k: str(v) for k, v in point.items()}
    finally:
        ctx.dps = before
    return None
