"""Tests; oracles and helpers import nothing from the code that they judge."""
