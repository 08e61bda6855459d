"""ChirpStack v4: LoRaWAN devices and what they measure."""
