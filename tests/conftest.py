"""Settings shared by all tests."""

from __future__ import annotations

import contextlib
import os

import matplotlib
from hypothesis import HealthCheck, settings

matplotlib.use("Agg")

# The first example pays for compilation, so no deadline; derandomized, so that a red run replays.
settings.register_profile(
    "cotbounds", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("cotbounds"), derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("COTBOUNDS_HYPOTHESIS", "cotbounds"))

# A runaway allocation should be a MemoryError in one test, not the end of the machine.
with contextlib.suppress(ImportError, ValueError, OSError):
    import resource

    _soft, _hard = resource.getrlimit(resource.RLIMIT_AS)
    _cap = 12 * 2**30
    if _soft == resource.RLIM_INFINITY or _soft > _cap:
        resource.setrlimit(resource.RLIMIT_AS, (_cap, _hard))
