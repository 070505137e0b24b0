"""Figures that draw results and compute nothing."""
