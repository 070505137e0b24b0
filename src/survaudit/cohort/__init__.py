"""The paper under audit: its tables, patients, choices, endpoints and panels."""
