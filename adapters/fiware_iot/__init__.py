"""FIWARE IoT Agent JSON and UltraLight 2.0."""
