"""Tabular STaR on a chain of M-ary steps, with K sampled trajectories a round.

A start is drawn, each of N steps draws a successor among M states from the row of its current state,
and the final answer is right when it is the image of the start under all the right successors
``maps[n, s]``. Trajectories with a right answer are kept, every row that a kept trajectory visits is
set to its kept frequencies, and a row without a visit keeps its values. Options change one part each:

- a verifier that rejects right answers with probability mu and accepts wrong ones with nu;
- sampling at temperature tau, rows to the power 1/tau, with refit and evaluation at temperature 1;
- add-k smoothing, ``(c + k)/(v + k M)`` for c of v kept visits (unvisited rows still keep their values);
- mixing, ``(1-m)`` refit plus ``m`` old row, in visited rows;
- hints: a failed trajectory is replaced, with probability h, by a path drawn with the answer given,
  either from the model's own law of paths that end right (lost where that has none) or uniform
  among the paths that end right.

Source: Zelikman et al., STaR (2022); the chain is that of Chang, Lee, Shih, Tseng and Wu, RL-STaR
(arXiv 2410.23912). :func:`simulate` starts from the symmetric family, where step n is right with
probability ``(1 + (M-1) delta_n)/M`` and every wrong successor equally likely, and needs no M x M
table; :func:`simulate_tables` starts from arbitrary tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sims import _validate
from sims._streams import mix_seed
from sims.star._dense import run_dense
from sims.star._sampling import CELL
from sims.star._sparse import run_sparse

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FINAL_CLASSES", "simulate", "simulate_tables"]

FINAL_CLASSES = ("all steps right", "right answers by wrong steps", "accuracy below 1")
MAX_STATES = 4096
MAX_TRAJECTORIES = 2**31 - 1
MAX_TABLE_ENTRIES = 2**26


def simulate(
    delta: Any,
    n_states: int,
    n_trajectories: int,
    n_rounds: int,
    seeds: Any,
    *,
    maps: Any = None,
    false_negative: float = 0.0,
    false_positive: float = 0.0,
    temperature: float = 1.0,
    smoothing: float = 0.0,
    mixing: float = 0.0,
    hint: float = 0.0,
    hint_law: str = "model",
    exact_states: int = 64,
    engine: str = "auto",
) -> xr.Dataset:
    """Run STaR from symmetric steps, one replicate a seed.

    Parameters
    ----------
    delta : array_like
        Distance above guessing of the N >= 1 steps, each in [-1/(M-1), 1].
    n_states : int
        M in [2, 4096].
    n_trajectories : int
        K >= 1 trajectories a round.
    n_rounds : int
        Rounds, at least 0.
    seeds : int or sequence of int
        One replicate each; a replicate depends on its own seed alone.
    maps : array_like of int, optional
        Right successors, shape (N, M), bijections or not; the identity by default.
    false_negative, false_positive : float
        mu and nu in [0, 1], errors of the verifier.
    temperature : float
        tau > 0, of the sampling.
    smoothing : float
        k >= 0, added to every count of a visited row.
    mixing : float
        m in [0, 1), share of the old row kept in a visited row.
    hint : float
        h in [0, 1], chance that a failed trajectory is retried with the answer given; not with a noisy verifier.
    hint_law : {"model", "uniform"}
        Law of a hinted path among those that end right.
    exact_states : int
        Largest M at which the accuracy is computed from the rows rather than sampled.
    engine : {"auto", "sparse", "dense"}
        Lists of kept successors, or M x M tables. Temperature, mixing and hints from the model need tables;
        "auto" takes lists otherwise.

    Returns
    -------
    xarray.Dataset
        Dimensions ``replicate`` (coordinate ``seed``), ``round`` (0 is the start) and ``step``:

        - ``accuracy``: J of the round's model at temperature 1; exact if M <= `exact_states`, otherwise the
          share of right answers among K sampled trajectories (attribute ``accuracy_kind``);
        - ``right_path_share``: R, share of right answers reached without an error; 0 if there is none;
        - ``step_right``: right probability of each step, mean over the states;
        - ``kept``: trajectories kept in the sample that led to this round (0 at the start);
        - ``rows_lost``: rows whose right successor has probability 0;
        - ``rows_unvisited``: rows that kept their old values in the refit that led to this round;
        - ``final_class``: 0 all steps right, 1 right answers only but by wrong steps, 2 accuracy below 1.

    Raises
    ------
    ValueError
        If an argument leaves its range, hints meet noise, the verifier accepts nothing (mu = 1, nu = 0),
        the "sparse" engine is asked for what needs tables, or N M^2 exceeds 2**26 where tables are needed.

    Notes
    -----
    Lists cost O(K N + N M) time a round and O(K N + N M) memory; tables O(K N log M + N M^2). The exact
    accuracy adds O(N M^3) a round.

    Examples
    --------
    >>> run = simulate([0.5, 0.5], 2, 400, 5, seeds=range(3))
    >>> dict(run.sizes)
    {'replicate': 3, 'round': 6, 'step': 2}
    >>> run.accuracy[:, 0].values.tolist()
    [0.625, 0.625, 0.625]
    """
    n_states = _validate.integer("n_states", n_states, 2, MAX_STATES)
    deltas = _deltas(delta, n_states)
    hint_law = _validate.choice("hint_law", hint_law, ("model", "uniform"))
    engine = _validate.choice("engine", engine, ("auto", "sparse", "dense"))
    options = _options(
        n_trajectories,
        n_rounds,
        false_negative=false_negative,
        false_positive=false_positive,
        temperature=temperature,
        smoothing=smoothing,
        mixing=mixing,
        hint=hint,
        hint_law=hint_law,
        exact_states=exact_states,
    )
    chosen = _maps(maps, len(deltas), n_states)
    alphas = np.clip((1 + (n_states - 1) * deltas) / n_states, 0.0, 1.0)
    needs_tables = options["temperature"] != 1 or options["mixing"] > 0 or (options["hint"] > 0 and hint_law == "model")
    if engine == "sparse" and needs_tables:
        raise ValueError(
            "engine must be 'dense' or 'auto' for temperature, mixing or hints from the model, got 'sparse'"
        )
    attributes = {"delta": deltas, "n_states": n_states, **options}
    if engine == "dense" or needs_tables:
        _room(len(deltas), n_states)
        tables = np.empty((len(deltas), n_states, n_states))
        tables[:] = ((1 - alphas) / (n_states - 1))[:, None, None]
        for step in range(len(deltas)):
            tables[step, np.arange(n_states), chosen[step]] = alphas[step]
        law = np.full(n_states, 1 / n_states)
        return _run(seeds, chosen, attributes, tables=tables, law=law)
    return _run(seeds, chosen, attributes, alphas=alphas)


def simulate_tables(
    tables: Any,
    n_trajectories: int,
    n_rounds: int,
    seeds: Any,
    *,
    maps: Any = None,
    start: Any = None,
    false_negative: float = 0.0,
    false_positive: float = 0.0,
    temperature: float = 1.0,
    smoothing: float = 0.0,
    mixing: float = 0.0,
    hint: float = 0.0,
    hint_law: str = "model",
    exact_states: int = 64,
) -> xr.Dataset:
    """Run STaR from arbitrary tables, one replicate a seed.

    Parameters
    ----------
    tables : array_like
        Shape (N, M, M): probability of each successor (last axis), by step and state; N M^2 at most 2**26.
    start : array_like, optional
        Law of the start, shape (M,); uniform by default.
    n_trajectories, n_rounds, seeds, maps, false_negative, false_positive, temperature, smoothing, mixing
        As for :func:`simulate`.
    hint, hint_law, exact_states
        As for :func:`simulate`.

    Returns
    -------
    xarray.Dataset
        As for :func:`simulate`; ``step_right`` and ``rows_lost`` take all states alike, whatever the start law.

    Raises
    ------
    ValueError
        If an argument leaves its range, has the wrong shape, or a row does not sum to 1.

    Examples
    --------
    >>> run = simulate_tables([[[0.9, 0.1], [0.2, 0.8]]] * 2, 1000, 8, seeds=0)
    >>> float(run.accuracy[0, 0]).__round__(6), int(run.final_class[0])
    (0.745, 0)
    """
    options = _options(
        n_trajectories,
        n_rounds,
        false_negative=false_negative,
        false_positive=false_positive,
        temperature=temperature,
        smoothing=smoothing,
        mixing=mixing,
        hint=hint,
        hint_law=_validate.choice("hint_law", hint_law, ("model", "uniform")),
        exact_states=exact_states,
    )
    try:
        array = np.array(tables, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise ValueError(f"tables must be an array of numbers of shape (N, M, M), got {tables!r}") from None
    if array.ndim != 3 or array.shape[0] < 1 or array.shape[1] != array.shape[2] or array.shape[1] < 2:
        raise ValueError(f"tables must have shape (N, M, M) with N >= 1 and M >= 2, got {array.shape}")
    n_states = _validate.integer("n_states", array.shape[1], 2, MAX_STATES)
    _room(array.shape[0], n_states)
    _laws("tables", array)
    law = np.full(n_states, 1 / n_states)
    if start is not None:
        try:
            law = np.array(start, dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"start must be a probability vector over {n_states} states, got {start!r}") from None
        if law.shape != (n_states,):
            raise ValueError(f"start must have shape ({n_states},), got {law.shape}")
        _laws("start", law)
    return _run(seeds, _maps(maps, array.shape[0], n_states), {"n_states": n_states, **options}, tables=array, law=law)


def _deltas(delta: Any, n_states: int) -> np.ndarray:
    low = -1 / (n_states - 1)
    try:
        values = list(delta)
    except TypeError:
        raise ValueError(f"delta must be a sequence of the N >= 1 steps, got {delta!r}") from None
    if not values:
        raise ValueError("delta must hold at least one step, got an empty sequence")
    return np.array([_validate.real("delta", value, low, 1.0) for value in values])


def _maps(maps: Any, n_steps: int, n_states: int) -> np.ndarray:
    if maps is None:
        return np.tile(np.arange(n_states, dtype=np.int64), (n_steps, 1))
    try:
        array = np.asarray(maps)
    except ValueError:
        raise ValueError(f"maps must be an integer array of shape ({n_steps}, {n_states}), got {maps!r}") from None
    if array.shape != (n_steps, n_states):
        raise ValueError(f"maps must have shape ({n_steps}, {n_states}), got {array.shape}")
    if array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= n_states:
        raise ValueError(f"maps must hold integers in [0, {n_states - 1}], got {array!r}")
    return np.ascontiguousarray(array, dtype=np.int64)


def _laws(name: str, array: np.ndarray) -> None:
    if not np.isfinite(array).all() or array.min() < 0 or np.abs(array.sum(axis=-1) - 1).max() > 1e-9:
        raise ValueError(f"{name} must hold probabilities in [0, 1] that sum to 1 along the last axis, got {array!r}")


def _room(n_steps: int, n_states: int) -> None:
    if n_steps * n_states**2 > MAX_TABLE_ENTRIES:
        raise ValueError(f"n_states must keep N M^2 within {MAX_TABLE_ENTRIES} where tables are needed, got {n_states}")


def _options(n_trajectories: int, n_rounds: int, **given: Any) -> dict[str, Any]:
    options = {
        "n_trajectories": _validate.integer("n_trajectories", n_trajectories, 1, MAX_TRAJECTORIES),
        "n_rounds": _validate.integer("n_rounds", n_rounds, 0),
        "false_negative": _validate.real("false_negative", given["false_negative"], 0, 1),
        "false_positive": _validate.real("false_positive", given["false_positive"], 0, 1),
        "temperature": _validate.real("temperature", given["temperature"], 0, open_low=True),
        "smoothing": _validate.real("smoothing", given["smoothing"], 0),
        "mixing": _validate.real("mixing", given["mixing"], 0, 1, open_high=True),
        "hint": _validate.real("hint", given["hint"], 0, 1),
        "hint_law": given["hint_law"],
        "exact_states": _validate.integer("exact_states", given["exact_states"], 0),
    }
    noisy = options["false_negative"] > 0 or options["false_positive"] > 0
    if options["hint"] > 0 and noisy:
        raise ValueError(f"hint must be 0 with a noisy verifier, got {options['hint']}")
    if options["false_negative"] == 1 and options["false_positive"] == 0:
        raise ValueError("false_negative = 1 with false_positive = 0 accepts nothing, got exactly that")
    return options


def _run(
    seeds: Any,
    maps: np.ndarray,
    attributes: dict[str, Any],
    *,
    alphas: np.ndarray | None = None,
    tables: np.ndarray | None = None,
    law: np.ndarray | None = None,
) -> xr.Dataset:
    import xarray as xr

    keys = _validate.seeds(seeds)
    n_steps, n_states = maps.shape
    rounds = attributes["n_rounds"] + 1
    exact = n_states <= attributes["exact_states"]
    shape = (len(keys), rounds)
    accuracy, path_share = np.zeros(shape), np.zeros(shape)
    step_right = np.zeros((*shape, n_steps))
    kept, lost, unvisited = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    final = np.zeros(len(keys), dtype=np.int64)
    noise = (attributes["false_negative"], attributes["false_positive"])
    for index, seed in enumerate(keys):
        key = mix_seed(seed, CELL)
        outputs = (accuracy[index], path_share[index], step_right[index], kept[index], lost[index], unvisited[index])
        size = (attributes["n_trajectories"], attributes["n_rounds"])
        if tables is None:
            final[index] = run_sparse(
                key, alphas, maps, *size, *noise, attributes["smoothing"], attributes["hint"], exact, *outputs
            )
        else:
            final[index] = run_dense(
                key,
                tables.copy(),
                maps,
                law,
                *size,
                *noise,
                attributes["temperature"],
                attributes["smoothing"],
                attributes["mixing"],
                attributes["hint"],
                attributes["hint_law"] == "model",
                exact,
                *outputs,
            )
    over = ("replicate", "round")
    probability = {"units": "1"}
    return xr.Dataset(
        {
            "accuracy": (over, accuracy, {**probability, "long_name": "accuracy J of the model"}),
            "right_path_share": (over, path_share, {**probability, "long_name": "right answers without an error, R"}),
            "step_right": (
                (*over, "step"),
                step_right,
                {**probability, "long_name": "right probability of a step, mean over states"},
            ),
            "kept": (over, kept, {"units": "trajectories", "long_name": "trajectories kept"}),
            "rows_lost": (over, lost, {"units": "rows", "long_name": "rows without their right successor"}),
            "rows_unvisited": (over, unvisited, {"units": "rows", "long_name": "rows without a kept visit"}),
            "final_class": (
                "replicate",
                final,
                {"units": "1", "long_name": "; ".join(f"{i}: {name}" for i, name in enumerate(FINAL_CLASSES))},
            ),
        },
        coords={
            "seed": ("replicate", keys.astype(np.int64)),
            "round": ("round", np.arange(rounds), {"units": "rounds", "long_name": "rounds done"}),
            "step": ("step", np.arange(1, n_steps + 1), {"units": "1", "long_name": "step of the chain"}),
        },
        attrs={
            **attributes,
            "engine": "sparse" if tables is None else "dense",
            "accuracy_kind": "exact" if exact else "sampled",
        },
    )
