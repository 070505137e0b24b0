"""Complete follow-ups: drawn, extreme, supplied, or read off a curve."""
