"""DATEX II v2 and v3 situations."""
