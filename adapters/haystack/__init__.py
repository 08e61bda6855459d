"""Project Haystack: points and sites of buildings."""
