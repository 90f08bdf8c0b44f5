r"""Idealised STaR, where the refit sets conditional probabilities to the shares among the kept answers.

Two engines. :func:`refit_shares`: the chain of tokens is always exact, so that a round is three counts (long, short and
right, short and wrong), drawn at once as binomials; for the law of losing the long route, over millions of runs.
:func:`tabular_star`: every answer is drawn token by token from u, v+, v- and one error for each position, with wrong
tokens relative to the emitted prefix; for everything off calibration.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sims._kernels import kernel
from sims._streams import mix_seed, uniform_pair
from sims._validate import choice, integer, real
from sims._validate import seeds as checked_seeds

if TYPE_CHECKING:
    import xarray

__all__ = ["refit_shares", "tabular_star"]

CELL = np.uint64(52)
TABLE_CELL = np.uint64(53)
LONG, SHORT = np.uint64(0), np.uint64(1)
HEAD, CHAIN, DECISION = np.uint64(2), np.uint64(3), np.uint64(4)
SHIFT = np.uint64(40)


@kernel
def _binomial(u, n, p):  # type: ignore[no-untyped-def]
    """The Binomial(n, p) number of successes for one uniform u, by inversion from the mode outwards.

    Probabilities are taken off u in the order mode, mode + 1, mode - 1, ...: O(sqrt(n p (1-p))) steps on average.
    """
    if n <= 0 or p <= 0.0:
        return 0
    if p >= 1.0:
        return n
    mode = min(n, np.int64((n + 1) * p))
    ln_mass = math.lgamma(n + 1.0) - math.lgamma(mode + 1.0) - math.lgamma(n - mode + 1.0)
    ln_mass += mode * math.log(p) + (n - mode) * math.log1p(-p)
    above = math.exp(ln_mass)
    below = above
    odds = p / (1.0 - p)
    u -= above
    high = mode
    low = mode
    while u >= 0.0 and (low > 0 or high < n):
        if high < n:
            above *= odds * (n - high) / (high + 1.0)
            high += 1
            u -= above
            if u < 0.0:
                return high
        if low > 0:
            below *= low / (odds * (n - low + 1.0))
            low -= 1
            u -= below
            if u < 0.0:
                return low
        if above + below < 1e-300:
            break
    return mode


@kernel
def _run_shares(key, p, n_samples, n_rounds, factor_long, out):  # type: ignore[no-untyped-def]
    """One run; out (rounds + 1) shares. factor_long: chance that a long answer is kept."""
    out[0] = p
    for n in range(1, n_rounds + 1):
        if 0.0 < p < 1.0:
            u, v = uniform_pair(key, LONG, n, 0)
            w, _ = uniform_pair(key, SHORT, n, 0)
            drawn = _binomial(u, n_samples, p)
            kept_long = _binomial(v, drawn, factor_long)
            kept_short = _binomial(w, n_samples - drawn, 0.5)
            if kept_long + kept_short > 0:
                p = kept_long / (kept_long + kept_short)
        out[n] = p


@kernel
def _run_many_shares(keys, p, n_samples, n_rounds, factor_long, out):  # type: ignore[no-untyped-def]
    for r in range(len(keys)):
        _run_shares(keys[r], p, n_samples, n_rounds, factor_long, out[r])


@kernel
def _mix_all(seeds, cell, out):  # type: ignore[no-untyped-def]
    for r in range(len(seeds)):
        out[r] = mix_seed(seeds[r], cell)


def refit_shares(
    p_0: float, n_samples: int, n_rounds: int, seeds: int | Any, *, chain_right: float = 1.0
) -> xarray.Dataset:
    r"""STaR with an exact chain, N answers a round, and the share of long answers set to that among the kept ones.

    Parameters
    ----------
    p_0 : float
        Share of long answers at the start, in [0, 1].
    n_samples : int
        Answers N drawn in every round, an integer in [1, 1000000000].
    n_rounds : int
        Rounds, an integer in [0, 1000].
    seeds : int or sequence of int
        One run each, distinct, in [0, 2**63).
    chain_right : float, optional
        R in [0, 1], chance that a long answer is right in the first round; from the second round on it is 1, the
        refitted chain being clean.

    Returns
    -------
    xarray.Dataset
        ``long_fraction`` (replicate, round), the share p_n; 0 means that the long route is lost for ever. A round that
        keeps nothing leaves the share as it was.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    A round draws L ~ Bin(N, p) long answers and keeps Bin(N - L, 1/2) of the short ones: O(sqrt N) time, constant
    memory beside the result.

    Examples
    --------
    >>> lost = refit_shares(0.01, 100, 20, seeds=range(1000)).long_fraction.isel(round=-1) == 0
    >>> bool(0.35 < lost.mean() < 0.55)
    True
    """
    import xarray

    p_0 = real("p_0", p_0, 0.0, 1.0)
    n_samples = integer("n_samples", n_samples, 1, 10**9)
    n_rounds = integer("n_rounds", n_rounds, 0, 1000)
    replicates = checked_seeds(seeds)
    right = real("chain_right", chain_right, 0.0, 1.0)
    if len(replicates) * (n_rounds + 1) > 2**28:
        raise ValueError(f"n_rounds must be smaller for {len(replicates)} seeds, got {n_rounds}")
    keys = np.empty(len(replicates), np.uint64)
    _mix_all(replicates, CELL, keys)
    out = np.zeros((len(replicates), n_rounds + 1))
    if right < 1.0 and n_rounds:
        _run_many_shares(keys, p_0, n_samples, 1, right, out[:, :2])
        later = np.empty_like(keys)
        _mix_all(keys, CELL, later)  # the draws of the rounds after the first have keys of their own
        for r in range(len(keys)):
            _run_shares(later[r], out[r, 1], n_samples, n_rounds - 1, 1.0, out[r, 1:])
    else:
        _run_many_shares(keys, p_0, n_samples, n_rounds, 1.0, out)
    return xarray.Dataset(
        {"long_fraction": (("replicate", "round"), out, {"units": "1", "long_name": "share of long answers"})},
        {"seed": ("replicate", replicates.astype(np.int64)), "round": np.arange(n_rounds + 1)},
        {
            "experiment": "post_training.refit_shares",
            "p_0": p_0,
            "n_samples": n_samples,
            "chain_right": right,
        },
    )


@kernel
def _tempered(q, temperature):  # type: ignore[no-untyped-def]
    """The probability q after dividing its logit by the temperature."""
    if temperature == 1.0 or q <= 0.0 or q >= 1.0:
        return q
    logit = (math.log(q) - math.log1p(-q)) / temperature
    return 1.0 / (1.0 + math.exp(-logit)) if logit >= 0.0 else math.exp(logit) / (1.0 + math.exp(logit))


@kernel
def _table_round(  # type: ignore[no-untyped-def]
    key,
    number,
    d,
    n_samples,
    temperature,
    whole,
    keep_long,
    false_negative,
    false_positive,
    heads,
    errors,
    counts,
    wrong,
    tally,
):
    """Draw one round and set heads (u, v+, v-) and errors (d - 1) to the kept shares.

    counts: kept, kept agreeing, kept agreeing short, kept disagreeing, kept disagreeing short, kept long; wrong
    (d - 1): kept long answers with a wrong token there; tally: long drawn, right last tokens drawn, kept.
    """
    counts[:] = 0
    wrong[:] = 0
    tally[:] = 0
    u0 = _tempered(heads[0], temperature)
    stop = _tempered(heads[1], temperature)
    other = _tempered(heads[2], temperature)
    sampled = np.empty(d - 1)
    clean = True
    for j in range(d - 1):
        sampled[j] = _tempered(errors[j], temperature)
        clean = clean and sampled[j] == 0.0
    flips = np.zeros(d - 1, np.bool_)
    for i in range(n_samples):
        step = (np.uint64(number) << SHIFT) + np.uint64(i)
        a, b = uniform_pair(key, HEAD, step, 0)
        c, e = uniform_pair(key, DECISION, step, 0)
        f, _ = uniform_pair(key, DECISION, step, 1)
        agrees = a < u0
        is_long = not (b < (stop if agrees else other))
        same_parity = c < 0.5  # whether the parity of the prompt is x_1
        number_wrong = 0
        if is_long and not clean:
            spare = 0.0
            for j in range(d - 1):
                if j % 2 == 0:
                    g, spare = uniform_pair(key, CHAIN, step, j // 2)
                else:
                    g = spare
                flips[j] = g < sampled[j]
                number_wrong += flips[j]
        if is_long:
            ends_right = (number_wrong % 2 == 0) == agrees
            right = (agrees and number_wrong == 0) if whole else ends_right
        else:
            ends_right = agrees == same_parity
            right = ends_right
        tally[0] += is_long
        tally[1] += ends_right
        if not (e >= false_negative if right else e < false_positive):
            continue
        if is_long and not f < keep_long:
            continue
        tally[2] += 1
        counts[0] += 1
        if agrees:
            counts[1] += 1
            counts[2] += not is_long
        else:
            counts[3] += 1
            counts[4] += not is_long
        if is_long:
            counts[5] += 1
            if not clean:
                for j in range(d - 1):
                    wrong[j] += flips[j]
    if counts[0] > 0:
        heads[0] = counts[1] / counts[0]
    if counts[1] > 0:
        heads[1] = counts[2] / counts[1]
    if counts[3] > 0:
        heads[2] = counts[4] / counts[3]
    if counts[5] > 0:
        for j in range(d - 1):
            errors[j] = wrong[j] / counts[5]


def tabular_star(
    d: int,
    p_0: float,
    n_samples: int,
    n_rounds: int,
    seeds: int | Any,
    *,
    token_error: float = 0.0,
    stop_disagree: float = 1.0,
    first_token: float | None = None,
    stop_agree: float | None = None,
    reward: str = "r_cot",
    temperature: float = 1.0,
    length_penalty: float = 0.0,
    false_negative: float = 0.0,
    false_positive: float = 0.0,
    restored_error: float = 0.0,
) -> xarray.Dataset:
    r"""STaR of a learner that counts: every conditional probability becomes its share among the kept answers.

    Parameters
    ----------
    d : int
        Length of the prompt, an integer in [2, 4096].
    p_0 : float
        Share of long answers of the calibrated start, in [0, 1): u = (1+p_0)/2, v+ = (1-p_0)/(1+p_0).
    n_samples : int
        Answers drawn in every round, an integer in [1, 1000000000].
    n_rounds : int
        Rounds, an integer in [0, 1000].
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    token_error : float, optional
        e of every chain position at the start, in [0, 1].
    stop_disagree : float, optional
        v- at the start, in [0, 1].
    first_token, stop_agree : float, optional
        u and v+ at the start, each in [0, 1], in place of the calibrated ones.
    reward : {"r_cot", "r_e2e"}, optional
        Whether an answer must be one of the two right ones throughout, or only end in the parity.
    temperature : float, optional
        Divides every logit while answers are drawn, in [1e-3, 1e6].
    length_penalty : float, optional
        beta in [0, 1000]: a long answer is kept with the further probability exp(-beta (d-1)).
    false_negative, false_positive : float, optional
        Chances that the verifier rejects what is right or accepts what is wrong, each in [0, 1].
    restored_error : float, optional
        Floor in [0, 0.5] under every chain error after each refit, as a ridge would leave it.

    Returns
    -------
    xarray.Dataset
        Over (replicate, round): ``first_token``, ``stop_agree``, ``stop_disagree``, ``chain_error`` (mean over
        positions) of each round's model at temperature 1; and of the sample that led to it (0 in round 0)
        ``drawn_long``, ``drawn_correct`` and ``kept``, of ``n_samples``.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    What no kept answer shows keeps its value. O(1) time for a short answer and O(d) for a long one, O(d) memory.

    Examples
    --------
    >>> run = tabular_star(5, 0.2, 100_000, 1, seeds=0)
    >>> bool(abs(run.stop_agree.isel(round=1) - 0.5) < 0.01)
    True
    """
    import xarray

    d = integer("d", d, 2, 4096)
    p_0 = real("p_0", p_0, 0.0, 1.0, open_high=True)
    n_samples = integer("n_samples", n_samples, 1, 10**9)
    n_rounds = integer("n_rounds", n_rounds, 0, 1000)
    replicates = checked_seeds(seeds)
    e = real("token_error", token_error, 0.0, 1.0)
    other = real("stop_disagree", stop_disagree, 0.0, 1.0)
    u = (1 + p_0) / 2 if first_token is None else real("first_token", first_token, 0.0, 1.0)
    stop = (1 - p_0) / (1 + p_0) if stop_agree is None else real("stop_agree", stop_agree, 0.0, 1.0)
    whole = choice("reward", reward, ("r_cot", "r_e2e")) == "r_cot"
    temperature = real("temperature", temperature, 1e-3, 1e6)
    beta = real("length_penalty", length_penalty, 0.0, 1000.0)
    mu = real("false_negative", false_negative, 0.0, 1.0)
    nu = real("false_positive", false_positive, 0.0, 1.0)
    floor = real("restored_error", restored_error, 0.0, 0.5)
    shape = (len(replicates), n_rounds + 1)
    states, tallies = np.zeros((*shape, 4)), np.zeros((*shape, 3), np.int64)
    keep_long = math.exp(-beta * (d - 1))
    for r, seed in enumerate(replicates):
        key = np.uint64(mix_seed(seed, TABLE_CELL))
        heads, errors = np.array([u, stop, other]), np.full(d - 1, e)
        counts, wrong = np.zeros(6, np.int64), np.zeros(d - 1, np.int64)
        states[r, 0] = *heads, errors.mean()
        for n in range(1, n_rounds + 1):
            _table_round(
                key, n, d, n_samples, temperature, whole, keep_long, mu, nu, heads, errors, counts, wrong, tallies[r, n]
            )
            if floor > 0.0:
                np.maximum(errors, floor, out=errors)
            states[r, n] = *heads, errors.mean()
    over = ("replicate", "round")
    names = {
        "first_token": "P(y_1 = x_1)",
        "stop_agree": "P(EOS | y_1 = x_1)",
        "stop_disagree": "P(EOS | y_1 = -x_1)",
        "chain_error": "mean P(y_l != y_(l-1) x_l)",
    }
    variables: dict[str, Any] = {
        name: (over, states[..., k], {"units": "1", "long_name": meaning})
        for k, (name, meaning) in enumerate(names.items())
    }
    for k, name in enumerate(("drawn_long", "drawn_correct", "kept")):
        variables[name] = (over, tallies[..., k], {"units": "answers", "long_name": name.replace("_", ", ")})
    return xarray.Dataset(
        variables,
        {"seed": ("replicate", replicates.astype(np.int64)), "round": np.arange(n_rounds + 1)},
        {
            "experiment": "post_training.tabular_star",
            "d": d,
            "p_0": p_0,
            "n_samples": n_samples,
            "token_error": e,
            "stop_disagree": other,
            "reward": reward,
            "temperature": temperature,
            "length_penalty": beta,
            "false_negative": mu,
            "false_positive": nu,
            "restored_error": floor,
        },
    )
