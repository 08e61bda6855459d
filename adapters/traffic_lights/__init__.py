"""Traffic lights: signal states and faults."""
