"""MQTT Sparkplug B."""
