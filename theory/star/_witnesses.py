"""Tables at which plausible statements about arbitrary chains fail, in exact rationals, truth the identity."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from theory import _validate

__all__ = ["WITNESSES", "witness"]

TENTHS = {
    "local_optimum": ("442 352 316", "217 541 334"),
    "strict_modes_stop": ("514 343 334", "631 343 316", "532 343 415", "532 154 415"),
    "right_share_falls": ("514 352 235", "622 451 226", "514 343 127", "613 352 145", "523 451 334"),
}
HUNDREDTHS = {
    "cold_sampling_fails": (((64, 36), (58, 42)), ((33, 67), (11, 89))),
    "hints_lower_accuracy": (((100, 0), (100, 0)), ((99, 1), (50, 50))),
}
WITNESSES = {
    "local_optimum": "full support, N = 2, M = 3: J rises to 2/3 and stays (two starts share a middle state)",
    "strict_modes_stop": "every right transition the strict mode of its row, N = 4, M = 3: J still ends at 2/3",
    "right_share_falls": "N = 5, M = 3: the share R of right paths falls in round one while J rises",
    "cold_sampling_fails": "M = N = 2, one row's mode wrong: J -> 1 at temperature 1 but -> 1/2 at temperature 1/2",
    "hints_lower_accuracy": "start law (.6, .4), one shared middle state: hinting every failure lowers J",
}


def witness(name: str) -> Any:
    """Return the exact tables of a counterexample.

    Parameters
    ----------
    name : str
        A key of `WITNESSES`, which says what fails there.

    Returns
    -------
    numpy.ndarray
        Object array of Fractions, shape (N, M, M).

    Raises
    ------
    ValueError
        If there is no such witness.

    Examples
    --------
    >>> from theory.star import expected_reward
    >>> round(float(expected_reward(witness("local_optimum"))), 3)
    0.363
    """
    _validate.choice("name", name, tuple(WITNESSES))
    if name in TENTHS:
        rows = [[[Fraction(int(digit), 10) for digit in row] for row in step.split()] for step in TENTHS[name]]
    else:
        rows = [[[Fraction(entry, 100) for entry in row] for row in step] for step in HUNDREDTHS[name]]
    result = np.empty((len(rows), len(rows[0]), len(rows[0])), dtype=object)
    for index in np.ndindex(result.shape):
        n, s, t = index
        result[index] = rows[n][s][t]
    return result
