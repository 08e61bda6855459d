"""How a notification travels, by the scheme of its endpoint: HTTP (6.3.8), MQTT (7)."""
