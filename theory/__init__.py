"""Closed forms: what the theory of reinforcement learning after next-token prediction predicts.

One module or package a subject. Functions are pure: parameters in, numbers out; they accept floats,
arrays, exact rationals, SymPy expressions and Arb balls where the formula has no numerical
solver in it. Nothing here samples, and nothing here imports the simulators.
"""

__version__ = "0.1.0"
