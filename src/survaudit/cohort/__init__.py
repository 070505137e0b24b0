"""What is specific to the audited paper: its tables, assumptions and endpoints."""
