"""Every cut of a covariate, the best of them, and what its P is worth."""
