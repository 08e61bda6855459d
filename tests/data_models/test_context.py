"""The territory's @context: every name means what Smart Data Models says, in JSON-LD's words and in the broker's."""

import pytest
from pyld import jsonld

import data_models
from data_models import composition
from data_models.attributes import attributes
from ngsi_ld.context import compile_context

SDM = "https://smartdatamodels.org/"
OWN_CONTEXT = data_models.context()["@context"]
CONTEXT = compile_context(OWN_CONTEXT, {})

IRIS = {
    "Streetlight": f"{SDM}dataModel.Streetlighting/Streetlight",
    "StreetLight": f"{SDM}dataModel.Streetlighting/Streetlight",
    "StreetlightControlCabinet": f"{SDM}dataModel.Streetlighting/StreetlightControlCabinet",
    "Building": f"{SDM}dataModel.Building/Building",
    "TrafficFlowObserved": f"{SDM}dataModel.Transportation/TrafficFlowObserved",
    "Device": f"{SDM}dataModel.Device/Device",
    "GreenspaceRecord": f"{SDM}dataModel.ParksAndGardens/GreenspaceRecord",
    "Garden": f"{SDM}dataModel.ParksAndGardens/Garden",
    "name": f"{SDM}name",
    "address": f"{SDM}address",
    "streetAddress": f"{SDM}streetAddress",
    "dateObserved": f"{SDM}dateObserved",
    "openingHours": f"{SDM}openingHours",
    "description": "http://purl.org/dc/terms/description",
    "location": "https://uri.etsi.org/ngsi-ld/location",
    "status": "https://uri.etsi.org/ngsi-ld/status",
    "powerState": f"{SDM}dataModel.Streetlighting/powerState",
    "totalActivePower": f"{SDM}dataModel.Streetlighting/totalActivePower",
    "intensity": f"{SDM}dataModel.Transportation/intensity",
    "category": f"{SDM}dataModel.Building/category",
    "sdmParksAndGardens:category": f"{SDM}dataModel.ParksAndGardens/category",
    "serialNumber": f"{SDM}dataModel.Device/serialNumber",
    "sdmStreetlighting:serialNumber": f"{SDM}dataModel.Streetlighting/serialNumber",
    "refDevice": f"{SDM}dataModel.ParksAndGardens/refDevice",
    "sdmStreetlighting:refDevice": f"{SDM}dataModel.Streetlighting/refDevice",
}


@pytest.mark.parametrize(("name", "iri"), IRIS.items())
def test_a_name_means_what_smart_data_models_says(name, iri):
    assert CONTEXT.iri(name) == iri


@pytest.mark.parametrize(("name", "iri"), [pair for pair in IRIS.items() if pair[0] != "StreetLight"])
def test_an_iri_is_answered_with_that_name(name, iri):
    assert CONTEXT.term(iri) == name


@pytest.mark.parametrize("written", ["Streetlight", "StreetLight"])
def test_both_spellings_are_one_type_and_the_official_one_is_answered(written):
    expanded = jsonld.expand({"@context": OWN_CONTEXT, "@id": "urn:ngsi-ld:Streetlight:1", "@type": written})

    compacted = jsonld.compact(expanded, OWN_CONTEXT)

    assert expanded[0]["@type"] == [IRIS["Streetlight"]]
    assert compacted["@type"] == "Streetlight"


@pytest.mark.parametrize("entity_type", data_models.types())
def test_every_attribute_of_a_model_can_be_written_and_is_answered(entity_type):
    subject = data_models.subject(entity_type)

    for attribute in attributes(entity_type).values():
        name = CONTEXT.term(attribute.iri)

        assert name in (attribute.name, f"sdm{subject}:{attribute.name}")
        assert CONTEXT.iri(name) == attribute.iri


def test_the_file_is_what_the_models_compose():
    assert composition.compose() == data_models.context()


def test_a_name_that_several_subjects_claim_must_be_decided():
    with pytest.raises(composition.UndecidedError, match="category"):
        composition.decided("category", {f"{SDM}dataModel.Device/category", f"{SDM}dataModel.Building/category"}, {})
