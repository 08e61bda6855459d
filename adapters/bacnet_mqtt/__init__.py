"""BACnet points through an MQTT gateway."""
