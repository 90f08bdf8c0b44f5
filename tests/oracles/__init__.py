"""Literal transcriptions that the code is held against."""
