"""JSON of any vendor."""
