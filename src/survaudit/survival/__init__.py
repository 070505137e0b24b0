"""Survival curves, their tests and models; thin over lifelines, SciPy and firthmodels."""
