"""Electricity consumption by Enedis."""
