"""LoRaWAN by The Things Stack v3."""
