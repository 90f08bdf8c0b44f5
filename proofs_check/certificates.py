"""A small checker for symbolic proofs over whole domains.

Three kinds of step, each verified here and nowhere else:

* ``identity``: two expressions are equal. Their difference is brought over one denominator
  and its numerator expanded to the zero polynomial, exponentials and logarithms being
  independent generators after ``exp`` and ``log`` have met.
* ``sign``: an expression is non-negative (or positive) on a box. Each parameter is mapped to
  (0, inf) by a Moebius change of variable, each exponential becomes a free positive variable
  (above or below 1 where the sign of its argument is certified), each logarithm a free variable
  whose sign follows from the same certificate applied to its argument minus 1; then every
  coefficient of numerator and denominator must be non-negative. This is sufficient, never
  necessary, and re-verified by expansion.
* rules such as "a decreasing function has its root between two points with residuals of
  opposite sign", whose premises are steps of the first two kinds.

Symbols stand for real numbers. Floats, infinities and the imaginary unit are never accepted:
they would leave exact arithmetic.

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


def _exact(expression: sp.Expr) -> bool:
    """Whether an expression stays within exact real arithmetic."""
    inexact = expression.has(sp.Float, sp.I, sp.nan, sp.zoo, sp.oo, -sp.oo)
    return not inexact


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
    divisors = (power.base for power in expression.atoms(sp.Pow) if power.exp.is_negative)
    if not _exact(expression) or any(_vanishes(divisor) for divisor in divisors):
        return False
    numerator, denominator = sp.fraction(sp.together(_generators(expression)))
    return _vanishes(numerator) and not _vanishes(denominator)


def _vanishes(polynomial: sp.Expr) -> bool:
    """Whether a polynomial in exponentials and other generators expands to 0."""
    cleared = _clear_exponentials(sp.expand(sp.expand_power_exp(polynomial)))
    return bool(sp.expand(cleared) == 0)


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


def _end(value: Any) -> sp.Expr:
    """An end of a range, exactly: a float stands for the rational it is."""
    end = sp.sympify(value)
    return sp.Rational(end) if end.is_Float else end


def _to_orthant(expression: sp.Expr, box: Box) -> tuple[sp.Expr, list[sp.Symbol]]:
    """Substitute variables so that the box becomes the positive orthant; symbols that do not occur are left out."""
    variables = []
    for symbol, ends in box.items():
        if symbol not in expression.free_symbols:
            continue
        fresh = sp.Dummy(symbol.name, positive=True)
        low, high = map(_end, ends)
        if low == sp.oo or high == -sp.oo or (low == -sp.oo and high == sp.oo):
            raise ValueError(f"{symbol} must have one finite end, got ({low}, {high})")
        if low.is_number and high.is_number and not low < high:
            raise ValueError(f"the range of {symbol} is empty: ({low}, {high})")
        if (symbol.is_nonnegative and low.is_number and low < 0) or (
            symbol.is_nonpositive and high.is_number and high > 0
        ):
            raise ValueError(f"{symbol} was declared with a sign that ({low}, {high}) does not have")
        if high == sp.oo:
            value = low + fresh
        elif low == -sp.oo:
            value = high - fresh
        else:
            value = (low + high * fresh) / (1 + fresh)
        expression = expression.subs(symbol, value)
        variables.append(fresh)
    return expression, variables


def _outermost(expression: sp.Expr) -> set[sp.Expr]:
    """Exponentials and logarithms that depend on a symbol and lie in no other one."""
    if not expression.free_symbols:
        return set()
    if isinstance(expression, (sp.exp, sp.log)):
        return {expression}
    return set().union(*(_outermost(part) for part in expression.args))


def _is_real(expression: sp.Expr, box: Box) -> bool:
    """Whether an expression is certainly defined and real all over the box."""
    if expression.is_number:
        return bool(expression.is_real)
    if expression.is_Symbol:
        return expression in box
    if expression.is_Add or expression.is_Mul:
        return all(_is_real(part, box) for part in expression.args)
    if expression.is_Pow and expression.exp.is_Rational:
        base, exponent = expression.args
        if exponent.is_Integer and exponent > 0:
            return _is_real(base, box)
        if exponent.is_Integer:
            return _is_real(base, box) and (positive(base, box) or positive(-base, box))
        return _is_real(base, box) and positive(base, box)
    if isinstance(expression, sp.exp):
        return _is_real(expression.args[0], box)
    if isinstance(expression, sp.log):
        return _is_real(expression.args[0], box) and positive(expression.args[0], box)
    return False


def _abstract(expression: sp.Expr, box: Box) -> tuple[sp.Expr, Box]:
    """Replace exponentials and logarithms by free variables with the range that is certain for them.

    All are replaced at once and the outermost first, so no replacement sees the inside of
    another. A range is open; this is right because signs are certified strictly.
    """
    ranges = dict(box)
    free: dict[sp.Expr, sp.Expr] = {}
    exponents: dict[sp.Expr, list[tuple[sp.Expr, sp.Rational]]] = {}
    for atom in sorted(_outermost(expression), key=sp.default_sort_key):
        argument = atom.args[0]
        if isinstance(atom, sp.exp):
            coefficient, base = argument.as_coeff_Mul()
            if not coefficient.is_Rational:
                coefficient, base = sp.Integer(1), argument
            exponents.setdefault(base, []).append((atom, coefficient))
            continue
        free[atom] = sp.Dummy("L", real=True)
        if positive(argument - 1, box):
            ranges[free[atom]] = (sp.Integer(0), sp.oo)
        elif positive(argument, box) and positive(1 - argument, box):
            ranges[free[atom]] = (-sp.oo, sp.Integer(0))
        else:
            raise ValueError(f"the sign of {atom} is not certain on the box")
    for base, atoms in exponents.items():
        # One variable stands for exp(base / parts), of which every exponential of this base is a whole power.
        parts = sp.ilcm(1, *(coefficient.q for _, coefficient in atoms))
        variable = sp.Dummy("E", positive=True)
        if positive(base, box):
            ranges[variable] = (sp.Integer(1), sp.oo)
        elif positive(-base, box):
            ranges[variable] = (sp.Integer(0), sp.Integer(1))
        elif _is_real(base, box):
            ranges[variable] = (sp.Integer(0), sp.oo)
        else:
            raise ValueError(f"exp({base}) is not certainly real on the box")
        free.update((atom, variable ** (coefficient * parts)) for atom, coefficient in atoms)
    return expression.xreplace(free), ranges


def _rational_sign(expression: sp.Expr, box: Box, *, strict: bool) -> bool:
    """Whether all coefficients certify that a rational expression is >= 0 (> 0) on the box."""
    shifted, variables = _to_orthant(expression, box)
    unknown = shifted.free_symbols - set(variables)
    if unknown:
        raise ValueError(f"no range given for {sorted(map(str, unknown))}")
    numerator, denominator = sp.fraction(sp.cancel(sp.together(shifted)))
    if not variables:
        value = numerator / denominator
        return bool(value > 0) if strict else bool(value >= 0)
    top = sp.Poly(numerator, *variables).coeffs()
    bottom = sp.Poly(denominator, *variables).coeffs()
    for sign in (1, -1):
        if all(sign * c > 0 for c in bottom) and all(sign * c >= 0 for c in top):
            return any(bool(sign * c > 0) for c in top) if strict else True
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
        expression = sp.sympify(expression)
        if not _exact(expression):
            return False
        abstracted, ranges = _abstract(sp.together(sp.expand_power_exp(expression)), box)
        return _rational_sign(abstracted, ranges, strict=strict)
    except (ValueError, TypeError, sp.PolynomialError):
        # No certificate: a range or a sign is unknown, a comparison is open, or something is no polynomial.
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

        Premises, all checked: the residual is made of sums, products, exponentials and
        logarithms and defined for every real argument; its derivative is negative there (which
        can be shown if the argument occurs in it inside exponentials only); the residual is
        >= 0 at `low` and <= 0 at `high`.
        """
        z = sp.Dummy("z", real=True)
        line = {**box, z: (-sp.oo, sp.oo)}
        value = sp.sympify(residual(z))
        premises = (
            _is_real(value, line) and positive(-sp.diff(value, z), line),
            nonnegative(residual(low), box),
            nonnegative(-residual(high), box),
        )
        return self.step(f"{says} [decreasing: {premises[0]}, signs: {premises[1]}, {premises[2]}]", all(premises))

    def cells(
        self, parameters: Mapping[str, Any], refutation: Mapping[str, Any] | Callable[[], Any] | None = None
    ) -> list[Cell]:
        """Evidence: one cell a step if all hold; otherwise a witness fails the proof; without one it is undecided."""
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

    with ctx.workdps(digits):
        for point in points:
            balls = {
                k: arb(fmpq(int(v.numerator), int(v.denominator))) if hasattr(v, "numerator") else arb(v)
                for k, v in point.items()
            }
            found = margin(**balls)
            if any(ball < 0 for ball in (found if isinstance(found, (list, tuple)) else [found])):
                return {k: str(v) for k, v in point.items()}
    return None
