"""Treatments that begin during follow-up, and the time that a group guarantees."""
