"""@contexts at work: resolved once, fetched with care, stored and served (GS CIM 009 v1.9.1, 5.5.5, 5.13, 6.3.16)."""

from broker.contexts.contexts import Contexts
from broker.contexts.jsonld_contexts import JsonldContexts
from broker.contexts.preloaded import PreloadError
from broker.contexts.settings import ContextSettings

__all__ = ["ContextSettings", "Contexts", "JsonldContexts", "PreloadError"]
