"""DATEX II v2 measured data: road traffic."""
