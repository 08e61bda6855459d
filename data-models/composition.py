"""The territory's @context, made from the models: `python -m data_models.composition` writes `context.jsonld`.

Smart Data Models gives one short name several IRIs, one a subject (`category` has 13), and an @context gives a name
one. So each subject has a prefix, `sdmDevice:serialNumber`, by which all its attributes can be written; a name that
one IRI claims is a term; a name that several claim is a term for the subject that `composition.json` decides, with
the reason, and is written and answered with its prefix for the others.
"""

import json
import sys
from typing import Any

import data_models
from data_models.attributes import CORE_IRIS, NAMESPACE, attributes, subject_namespace


class UndecidedError(Exception):
    """A name that several subjects claim and that `composition.json` does not decide."""


def compose() -> dict[str, Any]:
    """The @context document and its version: prefixes, then types, aliases, attributes and the members of an address.

    The terms of the core context stay out: they always apply, are protected, and have the same IRIs.
    """
    decisions = data_models.read("composition.json")
    subjects = sorted({data_models.subject(name) for name in data_models.types()})
    terms: dict[str, Any] = {f"sdm{subject}": subject_namespace(subject) for subject in subjects}
    for entity_type in data_models.types():
        terms[entity_type] = _type_iri(entity_type)
    for alias, decision in decisions["aliases"].items():
        terms[alias] = _input_only(_type_iri(decision["type"]))
    for name, iris in sorted(_claims().items()):
        if name not in CORE_IRIS:
            terms[name] = decided(name, iris, decisions["conflicts"])
    return {"version": decisions["version"], "@context": terms}


def _type_iri(entity_type: str) -> str:
    return subject_namespace(data_models.subject(entity_type)) + entity_type


def _input_only(iri: str) -> dict[str, str]:
    """A term that expands to an IRI and that no type is ever answered with.

    Of two terms for one IRI JSON-LD answers the shorter, then the first by code point: `StreetLight` before
    `Streetlight`. A term with a container is answered only for values in such a container, and a type is in none
    (JSON-LD 1.1 API, 4.3.2 and 6.3).
    """
    return {"@id": iri, "@container": "@language"}


def _claims() -> dict[str, set[str]]:
    """Each attribute name to the IRIs that models claim for it."""
    claims: dict[str, set[str]] = {}
    for entity_type in data_models.types():
        for attribute in attributes(entity_type).values():
            claims.setdefault(attribute.name, set()).add(attribute.iri)
    address = data_models.read("common.schema.json")["$defs"]["place"]["properties"]["address"]
    for member in address["properties"]:
        claims.setdefault(member, set()).add(NAMESPACE + member)
    return claims


def decided(name: str, iris: set[str], conflicts: dict[str, dict[str, str]]) -> str:
    """The IRI that a name stands for; raises `UndecidedError` where `conflicts` must say and does not."""
    if len(iris) == 1 and name not in conflicts:
        return next(iter(iris))
    if name not in conflicts:
        raise UndecidedError(f"composition.json must decide to which subject {name} belongs: {', '.join(sorted(iris))}")
    iri = subject_namespace(conflicts[name]["subject"]) + name
    if len(iris) == 1 or iri not in iris:
        raise UndecidedError(f"composition.json decides {name}, which is claimed by {', '.join(sorted(iris))} only")
    return iri


if __name__ == "__main__":
    target = data_models.FOLDER / "context.jsonld"
    target.write_text(json.dumps(compose(), indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{target}: {len(compose()['@context'])} terms\n")
