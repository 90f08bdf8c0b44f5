r"""How well learned latents agree with the true skills.

Adjusted mutual information (Vinh, Epps and Bailey, JMLR 2010) corrects the mutual information of two labellings for its
mean over random relabellings with the same class sizes and divides by the mean entropy minus that mean: 1 for equal
partitions, 0 on average for unrelated ones. Boundary F1 compares the exact positions where the label changes. Coverage
is the share of tasks all of whose segments some learned map reproduces, so the names of the latents do not matter.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sims._kernels import kernel
from sims._validate import integer
from sims.mid_training._draws import index_table, real_table

__all__ = ["adjusted_mutual_information", "boundary_f1", "goal_coverage", "map_recovery"]


@kernel
def _expected_information(rows, columns, total):  # type: ignore[no-untyped-def]
    """Mean mutual information over relabellings, cell counts hypergeometric; cost: the sum of the smaller classes."""
    result = 0.0
    for i in range(rows.shape[0]):
        for j in range(columns.shape[0]):
            a, b = rows[i], columns[j]
            fixed = (
                math.lgamma(a + 1.0)
                + math.lgamma(b + 1.0)
                + math.lgamma(total - a + 1.0)
                + math.lgamma(total - b + 1.0)
                - math.lgamma(total + 1.0)
            )
            for n in range(max(1, a + b - total), min(a, b) + 1):
                log_weight = (
                    fixed
                    - math.lgamma(n + 1.0)
                    - math.lgamma(a - n + 1.0)
                    - math.lgamma(b - n + 1.0)
                    - math.lgamma(total - a - b + n + 1.0)
                )
                result += n / total * math.log(total * n / (float(a) * b)) * math.exp(log_weight)
    return result


def _labels(first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
    a = index_table("first", first, np.ndim(first), 2**31)
    b = index_table("second", second, np.ndim(second), 2**31)
    if a.shape != b.shape or a.ndim == 0:
        raise ValueError(f"second must have the shape {a.shape} of first, got {b.shape}")
    return a, b


def adjusted_mutual_information(first: Any, second: Any) -> float:
    """Return the adjusted mutual information of two labellings.

    Parameters
    ----------
    first, second : array_like of int
        Labels >= 0 of the same items, any equal shapes.

    Returns
    -------
    float
        At most one; one for equal partitions, 0 if one labelling has a single class and the other does not.

    Raises
    ------
    ValueError
        If the shapes differ or a label is no integer >= 0.

    Notes
    -----
    Normalised by the arithmetic mean of the entropies. Cost: the sum over pairs of classes of the smaller class size.

    Examples
    --------
    >>> adjusted_mutual_information([0, 0, 1, 1], [5, 5, 2, 2])
    1.0
    """
    a, b = _labels(first, second)
    _, i = np.unique(a.ravel(), return_inverse=True)
    _, j = np.unique(b.ravel(), return_inverse=True)
    n_rows, n_columns = int(i.max()) + 1, int(j.max()) + 1
    table = np.bincount(i * n_columns + j, minlength=n_rows * n_columns).reshape(n_rows, n_columns)
    rows, columns, total = table.sum(axis=1), table.sum(axis=0), int(table.sum())
    if (np.count_nonzero(table, axis=1) == 1).all() and (np.count_nonzero(table, axis=0) == 1).all():
        return 1.0  # the same partition, also the trivial ones, where the correction below is 0/0
    cells = table[table > 0]
    outer = np.multiply.outer(rows.astype(np.float64), columns)[table > 0]
    information = float((cells / total * np.log(total * cells / outer)).sum())
    entropy = sum(float(-(c / total * np.log(c / total)).sum()) for c in (rows, columns)) / 2.0
    mean = _expected_information(rows.astype(np.int64), columns.astype(np.int64), total)
    if entropy - mean <= 1e-15:
        return 0.0
    return float((information - mean) / (entropy - mean))


def boundary_f1(true: Any, found: Any) -> float:
    """Return the F1 score of the positions where labels change.

    Parameters
    ----------
    true, found : array_like of int
        Labels along the last axis, equal shapes.

    Returns
    -------
    float
        2 TP/(2 TP + FP + FN) over all lines; 1 when neither changes anywhere.

    Raises
    ------
    ValueError
        If the shapes differ or a label is no integer >= 0.

    Notes
    -----
    A change counts only at exactly the same position.

    Examples
    --------
    >>> boundary_f1([[0, 0, 1, 1]], [[3, 3, 2, 3]])
    0.6666666666666666
    """
    a, b = _labels(true, found)
    change_a, change_b = a[..., 1:] != a[..., :-1], b[..., 1:] != b[..., :-1]
    hits = int((change_a & change_b).sum())
    changes = int(change_a.sum() + change_b.sum())
    return 2.0 * hits / changes if changes else 1.0


def _maps(learned: Any, true: Any) -> tuple[np.ndarray, np.ndarray]:
    emission = real_table("emission", learned, 3, 0.0)
    if emission.shape[1] != emission.shape[2]:
        raise ValueError(f"emission must have shape (K, A, A), got {emission.shape}")
    return emission.argmax(axis=2), index_table("maps", true, 2, emission.shape[1])


def map_recovery(emission: Any, maps: Any) -> float:
    """Return the share of entries of the true maps found, after the best matching of latents to skills.

    Parameters
    ----------
    emission : array_like
        Learned table, shape (K', A, A); its most likely tokens are the learned maps.
    maps : array_like of int
        True maps, shape (K, A).

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If a shape is wrong.

    Notes
    -----
    The matching maximises the number of equal entries (Hungarian method).

    Examples
    --------
    >>> map_recovery([[[0.1, 0.9], [0.9, 0.1]]], [[1, 0]])
    1.0
    """
    from scipy.optimize import linear_sum_assignment

    learned, true = _maps(emission, maps)
    if true.shape[1] != learned.shape[1]:
        raise ValueError(f"maps must have {learned.shape[1]} columns, got {true.shape[1]}")
    agree = (true[:, None, :] == learned[None, :, :]).sum(axis=2)
    rows, columns = linear_sum_assignment(-agree)
    return float(agree[rows, columns].sum()) / true.size


def goal_coverage(emission: Any, tokens: Any, duration: int) -> float:
    """Return the share of goals all of whose segments are reproduced by learned maps.

    Parameters
    ----------
    emission : array_like
        Learned table, shape (K', A, A); its most likely tokens are the learned maps.
    tokens : array_like of int
        Starts and goals, shape (tasks, L tau + 1).
    duration : int
        tau >= 1.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If a shape is wrong.

    Notes
    -----
    A segment counts when one latent's map, applied tau times from the segment's first context, types all of it.

    Examples
    --------
    >>> goal_coverage([[[0.1, 0.9], [0.9, 0.1]]], [[0, 1, 0], [0, 1, 1]], 2)
    0.5
    """
    emission = real_table("emission", emission, 3, 0.0)
    strings = index_table("tokens", tokens, 2, emission.shape[1])
    learned, _ = _maps(emission, strings[:1] * 0)
    tau = integer("duration", duration, 1)
    if (strings.shape[1] - 1) % tau or strings.shape[1] < 2:
        raise ValueError(f"duration must divide the goal length {strings.shape[1] - 1}, got {duration!r}")
    good = learned[:, strings[:, :-1]] == strings[:, 1:]
    segments = good.reshape(len(learned), len(strings), -1, tau).all(axis=3)
    return float(segments.any(axis=0).all(axis=1).mean())
