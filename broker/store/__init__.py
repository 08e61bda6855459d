"""Entities in MongoDB: one documented contract (`store`), and what stands behind it."""
