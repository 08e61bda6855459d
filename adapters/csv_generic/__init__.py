"""CSV files of any vendor."""
