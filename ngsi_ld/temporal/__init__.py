"""Temporal evolution (4.5.6 to 4.5.9, 4.5.19, 4.11): what is asked of it, and how it is read and shown."""
