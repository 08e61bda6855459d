"""Video protection: the state of equipment and counts, never images."""
