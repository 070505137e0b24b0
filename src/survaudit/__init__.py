"""Tools for auditing a published survival analysis from its supplementary tables."""
