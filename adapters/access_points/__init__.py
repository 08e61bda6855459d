"""Public Wi-Fi access points."""
