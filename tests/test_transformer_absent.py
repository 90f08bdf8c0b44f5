"""What holds without PyTorch: nothing asks for it but the package that needs it, and that one says so."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from pathlib import Path

import pytest

from sims import _experiments
from tests.oracles import transformer as oracle

ROOT = Path(__file__).resolve().parents[1]
WITHOUT = "import sys; sys.modules['torch'] = None; "  # an import of it is an ImportError now


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


def test_nothing_else_imports_torch() -> None:
    """Every module of the rooms, private ones too, and the listing of the simulators."""
    code = (
        "import sys; from tests.public_names import modules; "
        "names = [m.__name__ for m in modules('theory', 'sims', 'proofs_check', private=True)]; "
        "from proofs_check.claims import find; find(); "
        "from sims.__main__ import main; code = main(['list']); "
        "print(code, 'torch' in sys.modules, len(names) > 60, [n for n in names if n.startswith('sims.transformer')])"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "0 False True []"
    assert "transformer.star: " in done.stdout


def test_the_package_says_what_it_needs() -> None:
    done = run(WITHOUT + "import sims.transformer")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        "ImportError: sims.transformer needs PyTorch: install the extra, pip install 'cotbounds[transformer]'"
    )


def test_the_command_says_what_it_needs() -> None:
    for name in ("transformer.pretrain", "transformer.zip_star"):
        done = run(WITHOUT + f"from sims.__main__ import main; sys.exit(main(['run', {name!r}]))")
        assert done.returncode == 2
        assert done.stderr == f"error: {name} needs torch: install the extra, pip install 'cotbounds[transformer]'\n"


def test_a_sweep_says_what_it_needs() -> None:
    done = run(WITHOUT + "from sims import sweeps; sweeps.run('transformer.star')")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("ValueError: transformer.star needs torch: install the")


def test_the_demonstration_says_what_it_needs() -> None:
    done = run(WITHOUT + "from proofs_check.transformer.__main__ import app; app(['demo'])")
    assert done.returncode == 2
    assert done.stderr == "error: PyTorch is missing: install the extra, pip install 'cotbounds[transformer]'\n"


def test_the_sizes_of_the_paper_are_a_sweep_of_a_registered_simulator() -> None:
    from proofs_check.transformer.demo import PAPER_PRESET
    from sims.sweeps._grid import Sweep

    experiment = _experiments.find(PAPER_PRESET["experiment"])
    sweep = Sweep.build(experiment, PAPER_PRESET["sweep"], PAPER_PRESET["fixed"], PAPER_PRESET["seeds"])
    assert sweep.n_cells == 7 * 3 * 2
    assert sweep.values(0)["d"] == 50


def test_the_extra_is_known_to_the_registry_and_pinned() -> None:
    import configparser

    extras = {experiment.extra for experiment in _experiments.EXPERIMENTS}
    assert extras == {None, *_experiments.NEEDED}
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    needed = settings["options.extras_require"]["transformer"].split()
    assert [line.partition(">=")[0] for line in needed] == list(_experiments.NEEDED.values())
    pins = (ROOT / "constraints-transformer.txt").read_text().splitlines()
    names = [line.partition("==")[0] for line in pins if not line.startswith("#")]
    assert "torch" in names
    others = [line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    assert not set(names) & set(others)


# The reference decoder on cases worked by hand


def plain(width: int, n_tokens: int, n_positions: int, outputs: int) -> dict[str, list]:  # type: ignore[type-arg]
    """A decoder of one layer that only passes its embedding on."""

    def zeros(rows: int, columns: int) -> list[list[float]]:
        return [[0.0] * columns for _ in range(rows)]

    return {
        "token": zeros(n_tokens, width),
        "position": zeros(n_positions, width),
        "0.norm1.weight": [1.0] * width,
        "0.norm1.bias": [0.0] * width,
        "0.attention.weight": zeros(3 * width, width),
        "0.attention.bias": [0.0] * (3 * width),
        "0.projection.weight": zeros(width, width),
        "0.projection.bias": [0.0] * width,
        "0.norm2.weight": [1.0] * width,
        "0.norm2.bias": [0.0] * width,
        "0.up.weight": zeros(4 * width, width),
        "0.up.bias": [0.0] * (4 * width),
        "0.down.weight": zeros(width, 4 * width),
        "0.down.bias": [0.0] * width,
        "norm.weight": [1.0] * width,
        "norm.bias": [0.0] * width,
        "head": zeros(outputs, width),
    }


def test_reference_decoder_passes_embeddings_on() -> None:
    """(3, 1) has mean 2 and variance 1, so its norm is (1, -1)/sqrt(1 + 1e-5)."""
    w = plain(2, 2, 3, 2)
    w["token"][1], w["position"][0] = [3.0, 0.0], [0.0, 1.0]
    w["head"] = [[1.0, 0.0], [2.0, 5.0]]
    scale = 1 / math.sqrt(1 + 1e-5)
    assert oracle.logits(w, 1, 1, [1])[0] == pytest.approx([scale, (2 - 5) * scale], rel=1e-12)


def test_reference_decoder_attends_backwards_by_softmax() -> None:
    """Keys +-a, query a: the second position reads (e^s v_1 + e^-s v_2)/(e^s + e^-s), s = a^2/sqrt 2, v = +-a."""
    w = plain(2, 2, 2, 1)
    w["token"] = [[-1.0, 1.0], [1.0, -1.0]]
    w["0.attention.weight"][0] = [1.0, 0.0]  # query: the first coordinate
    w["0.attention.weight"][2] = [1.0, 0.0]  # key: the same
    w["0.attention.weight"][4] = [1.0, 0.0]  # value: the same
    w["0.projection.weight"] = [[3.0, 0.0], [0.0, 0.0]]
    w["head"] = [[1.0, 0.0]]
    a = 1 / math.sqrt(1 + 1e-5)
    s = a * a / math.sqrt(2)
    read = a * math.tanh(s)  # token 0 then token 1: values -a, a; the query is a
    h = (1.0 + 3 * read, -1.0)
    half = (h[0] - h[1]) / 2
    want = half / math.sqrt(half * half + 1e-5)
    both = oracle.logits(w, 1, 1, [0, 1])
    assert both[1][0] == pytest.approx(want, rel=1e-12)
    assert both[0] == oracle.logits(w, 1, 1, [0])[0]  # what comes later changes nothing


def test_reference_feed_forward_is_gelu_in_the_middle() -> None:
    """One inner unit at z = 2 a: gelu(z) times 7 is added to the first coordinate."""
    w = plain(2, 1, 1, 1)
    w["token"] = [[1.0, -1.0]]
    w["0.up.weight"][0] = [2.0, 0.0]
    w["0.down.weight"][0][0] = 7.0
    w["head"] = [[1.0, 0.0]]
    a = 1 / math.sqrt(1 + 1e-5)
    h = 1.0 + 7 * oracle.gelu(2 * a)
    half = (h + 1.0) / 2
    assert oracle.logits(w, 1, 1, [0])[0][0] == pytest.approx(half / math.sqrt(half * half + 1e-5), rel=1e-12)
    assert oracle.gelu(1.0) == pytest.approx(0.841192, abs=5e-7)  # published value of the tanh form


def test_reference_law_of_answers_and_chains() -> None:
    w = plain(2, 4, 8, 3)
    found = oracle.answer_law(w, 1, 1, [0, 1], 3)
    assert sum(found.values()) == pytest.approx(1, abs=1e-12)
    assert found[(2,)] == pytest.approx(1 / 3)
    assert found[(0, 1, 2)] == pytest.approx(1 / 27)
    assert len(found) == 1 + 2 + 2 * 2 * 3
    assert oracle.right_chain([1, 0, 1, 1, 1], 1) == [1, 1, 0, 1, 0]
    assert oracle.right_chain([1, 0, 1, 1, 1], 2) == [1, 1, 0]
    assert oracle.law([0.0, math.log(3.0)], 0.5) == pytest.approx([0.1, 0.9])
    assert [oracle.zipped("011", "101", done) for done in range(4)] == ["011101", "011101", "011011", "011011"]
    assert len({oracle.zipped(a, b, 1) for a, b in itertools.product(("00", "01", "10", "11"), repeat=2)}) == 16


def test_reference_adamw_first_step_has_the_size_of_the_rate() -> None:
    """Bias corrections make the first step rate sign(gradient), after the decay."""
    after = oracle.adamw([2.0, -1.0], [[0.3, -5.0]], 0.1, 0.9, 0.99, [0.5, 0.0])
    assert after == pytest.approx([2.0 - 0.1 * 0.5 * 2.0 - 0.1, -1.0 + 0.1], abs=1e-7)
