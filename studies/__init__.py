"""What computes the results that a build only reads: `study.py` says how, and `survaudit.kept` reads them."""
