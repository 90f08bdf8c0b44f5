r"""Small GPT-2 style decoders trained from scratch on parity mixtures and on a rewriting task.

The data is the mixture D(p) of long and short demonstrations (Tsilivis, Malach, Ullrich and Kempe, arXiv 2510.11495),
written in the tokens 0, 1, EOS and PAD, a bit 1 standing for the sign -1. A decoder reads prompt and answer and
predicts 0, 1 or EOS; nothing about the right answer is built in.

* :func:`pretrain` (d, p_cot, n_steps, seeds) trains by next-token prediction on answer tokens and evaluates on the way;
  :func:`pretrained` returns the weights, :func:`demonstrations` the data.
* :func:`star` (d, p_cot, pretrain_steps, n_rounds, seeds), :func:`reinforce` and :func:`grpo` (d, p_cot,
  pretrain_steps, n_steps, seeds) pre-train and go on with the decoder's own answers.
* :func:`zip_star` (delta, pretrain_steps, n_rounds, seeds) is STaR on the rewriting of two numbers into digit pairs
  (Chang, Lee, Shih, Tseng and Wu, arXiv 2410.23912); :func:`successors` is the truth, :func:`zip_demonstrations` the
  data.

Every function takes seeds, one replicate each, and returns a labelled dataset whose first dimension is ``replicate``.
The same seed gives the same bits on one machine, device and number of threads (one by default): all data and draws come
from counter-based streams, PyTorch's generator only fills the weights at the start. With a directory ``checkpoints``
(or the environment variable COTBOUNDS_CHECKPOINTS) a run that was stopped goes on where it was, and the stages of
post-training share one pre-training.

Probabilities in the datasets are exact conditional probabilities of the decoder, averaged over the prompts, wherever
two passes with given answers determine them; only answers that leave the right chain are drawn.

This package, alone here, needs PyTorch: the extra ``transformer``. It has run on processors; CUDA is used where there
is one, which has not been tried.
"""

from __future__ import annotations

try:
    import torch as _torch  # noqa: F401 - a clear word where it is missing
except ImportError as _error:
    raise ImportError(
        "sims.transformer needs PyTorch: install the extra, pip install 'cotbounds[transformer]'"
    ) from _error

from sims.transformer._data import demonstrations
from sims.transformer._post_training import grpo, reinforce, star
from sims.transformer._training import OPTIMISER, pretrain, pretrained
from sims.transformer._zip import successors, zip_demonstrations, zip_star

__all__ = [
    "OPTIMISER",
    "demonstrations",
    "grpo",
    "pretrain",
    "pretrained",
    "reinforce",
    "star",
    "successors",
    "zip_demonstrations",
    "zip_star",
]
