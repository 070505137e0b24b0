"""Every published claim beside its recomputation and verdict."""
