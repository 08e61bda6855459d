"""Kuzzle IoT platform: measures."""
