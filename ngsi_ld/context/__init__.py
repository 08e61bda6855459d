"""@contexts: the core one as data, and any other compiled into dictionaries (GS CIM 009 v1.9.1, 4.4 and 5.5.7)."""

from ngsi_ld.context.compiled import CORE, Context, compile_context
from ngsi_ld.context.core import CORE_DOCUMENT, CORE_URL, DEFAULT_VOCABULARY, is_core_url
from ngsi_ld.context.documents import context_of, references

__all__ = [
    "CORE",
    "CORE_DOCUMENT",
    "CORE_URL",
    "DEFAULT_VOCABULARY",
    "Context",
    "compile_context",
    "context_of",
    "is_core_url",
    "references",
]
