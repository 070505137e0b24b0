"""What computes the results that a build only reads; see `survaudit.kept`."""
