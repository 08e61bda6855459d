"""Context source registrations (5.2.9, 4.3.6, 5.12): what a source has, and which sources an operation concerns."""
