"""Simulators: sampling and training, compiled, reproducible, and ignorant of every closed form.

One module a subject, with the same name as in :mod:`theory`. ``seeds`` is an int or a
sequence of ints everywhere, one replicate each; a replicate's draws depend on its seed alone.
"""

__version__ = "0.1.0"
