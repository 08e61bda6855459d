"""OGC SensorThings API v1.1."""
