"""adapter.yaml: what is taken from it, and what a person is told of what is wrong in it."""

import re

import pytest
import yaml

from adapters.definition import PROFILES, load, profiles
from adapters.errors import AdapterError, DefinitionError
from adapters.mapping import Mapper
from adapters.run import main

RIGHT = {
    "source": {"kind": "file", "path": "feed"},
    "broker": {"url": "http://localhost:1026"},
    "entities": {"lamp": {"id": "urn:x:{name}", "type": "Streetlight", "attributes": {"name": "name"}}},
}


def written(tmp_path, definition):
    file = tmp_path / "lighting.yaml"
    file.write_text(definition if isinstance(definition, str) else yaml.safe_dump(definition))
    return file


def changed(path, value):
    """RIGHT with another value at a path such as `entities.lamp.type`."""
    copy = yaml.safe_load(yaml.safe_dump(RIGHT))
    place = copy
    *parents, last = path.split(".")
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = value
    return copy


def test_a_profile_is_turned_on_by_a_few_settings(tmp_path):
    file = written(
        tmp_path,
        """
        profile: talq
        settings: {site: chalons, port: 9000}
        broker: {url: "http://localhost:1026", tenant: chalons}
        """,
    )

    definition = load(file, {})

    assert definition.name == "lighting"
    assert definition.source == {"kind": "talq", "port": 9000, "host": "127.0.0.1", "token": ""}
    assert definition.entities["streetlight"]["id"] == "urn:ngsi-ld:Streetlight:chalons-{id}"
    assert definition.broker.context_url == "http://localhost:1026/contexts/territory.jsonld"


def test_what_the_file_says_is_laid_over_the_profile(tmp_path):
    file = written(
        tmp_path,
        """
        profile: talq
        settings: {site: chalons}
        broker: {url: "http://localhost:1026"}
        source: {kind: file, path: recorded.json}
        entities:
          cabinet: null
          streetlight: {attributes: {voltage: null, owner: {const: Ville de Châlons, static: true}}}
        """,
    )

    definition = load(file, {})

    assert definition.source == {"kind": "file", "path": "recorded.json"}
    assert list(definition.entities) == ["streetlight"]
    attributes = definition.entities["streetlight"]["attributes"]
    assert "voltage" not in attributes
    assert attributes["owner"]["const"] == "Ville de Châlons"
    assert attributes["powerConsumption"]["unit"] == "WTT"


def test_secrets_come_from_the_environment(tmp_path):
    file = written(tmp_path, changed("broker.token", "${TOKEN}"))

    assert load(file, {"TOKEN": "s3cret"}).broker.token == "s3cret"


def test_a_dollar_can_be_written(tmp_path):
    assert load(written(tmp_path, changed("broker.token", "$${TOKEN}")), {}).broker.token == "${TOKEN}"


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("a: [", "is not YAML"),
        ("- a", "must hold a mapping such as `profile: talq`"),
        ("profile: tallq", "profile: 'tallq' is not a profile; there are: access_points, bacnet_mqtt"),
        ("{profile: talq, broker: {url: 'http://x'}}", "settings.site: is missing; the profile talq needs it"),
        (changed("sorce", {}), "sorce: is not known; did you mean source?"),
        (changed("broker.url", "localhost"), "broker.url: must be a URL such as http://localhost:1026"),
        (changed("broker.urll", "x"), "broker.urll: is not known; did you mean url?"),
        (changed("broker.timeout", "long"), "broker.timeout: must be a number, not 'long'"),
        (changed("broker.tenant", "a b"), "broker.tenant: must be at most 64 letters, digits, _ and -"),
        (changed("broker.token", "${NOWHERE}"), "${NOWHERE} is neither a setting nor an environment variable"),
        (changed("delivery.batch", 0), "delivery.batch: must be more than 0, not 0"),
        (changed("limits.when_full", "panic"), "limits.when_full: must be one of wait, drop_oldest, not 'panic'"),
        (changed("validate", "perhaps"), "validate: must be one of strict, warn, off, not 'perhaps'"),
        (changed("name", "a/b"), "name: must be letters, digits, . _ and -, not 'a/b'"),
        (changed("entities", {}), "entities: is empty"),
        (changed("source", {"path": "x"}), "source.kind: is missing"),
        (changed("time_zone", "Paris"), "time_zone: 'Paris' is not a time zone such as Europe/Paris"),
        (changed("entities.lamp.type", "Street Light"), "entities.lamp.type: must be an entity type"),
        (changed("entities.lamp.id", "lamp {name}"), "entities.lamp.id: must make a URI"),
        (changed("entities.lamp.when", "a =="), "entities.lamp.when: is not a JMESPath expression"),
        (changed("entities.lamp.when", "upcase(a)"), "entities.lamp.when: calls upcase(), which is no function"),
        (changed("entities.lamp.attributes.name", {}), "attributes.name: must have one of value, const, object, point"),
        (changed("entities.lamp.attributes.x y", "a"), "attributes.x y: must be an attribute's name"),
        (changed("entities.lamp.attributes.name", {"value": "a", "unti": "WTT"}), "did you mean unit?"),
        (changed("entities.lamp.attributes.name", {"value": "a", "unit": "watts"}), "must be a UN/CEFACT code"),
        (
            changed("entities.lamp.attributes.name", {"value": "a", "unit": "WTT", "from_unit": "VLT"}),
            "from_unit: VLT cannot become WTT: voltage, power",
        ),
        (changed("entities.lamp.attributes.name", {"point": ["a"]}), "point: must be [longitude, latitude]"),
        (changed("entities.lamp.attributes.name", {"value": "a", "range": [2, 1]}), "range: must be [least, most]"),
        (changed("entities.lamp.attributes.name", {"value": "a", "type": "watt"}), "type: must be one of number"),
        (changed("tables.sites", {"file": "none.csv", "key": "id"}), "none.csv cannot be read: No such file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, definition, message):
    file = written(tmp_path, definition)

    with pytest.raises(DefinitionError) as error:
        Mapper(load(file, {}))

    assert str(error.value).startswith(str(file))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"kind": "carrier_pigeon"}, "source.kind: 'carrier_pigeon' is not known; it is one of http_poll, webhook"),
        ({"kind": "file", "path": "nowhere.json"}, "source.path: there is no file nowhere.json"),
        ({"kind": "http_poll", "url": "ftp://x"}, "source.url: must be a URL that begins with http:// or https://"),
        ({"kind": "mqtt", "host": "x", "topic": "a", "version": 4}, "source.version: must be 3 (for MQTT 3.1.1) or 5"),
        ({"kind": "webhook"}, "source.port: is missing; it must be a whole number"),
        ({"kind": "talq", "port": 1}, "source: the talq source reads the format talq and no other"),
    ],
)
def test_a_source_that_is_not_right_stops_the_start_with_a_sentence(tmp_path, caplog, monkeypatch, source, message):
    monkeypatch.setenv("BEFFROI_ADAPTER_STATE", str(tmp_path))

    code = main([written(tmp_path, changed("source", source))])

    assert code == 1
    (error,) = (record for record in caplog.records if record.levelname == "ERROR")
    assert message in error.getMessage()
    assert error.exc_info is None


async def test_two_adapters_of_one_name_are_refused(tmp_path):
    from adapters.run import run

    definition = load(written(tmp_path, RIGHT), {})

    with pytest.raises(AdapterError, match="two adapters are named lighting"):
        await run([definition, definition])


CSV = re.compile(r"\b[A-Za-z]+\.csv\b")
TABLES = {"meters.csv": "id,prm,longitude,latitude\n", "refDir.csv": "code_pme;x_deb;y_deb;axe\n"}


@pytest.mark.parametrize("readme", ["README.md", *(f"{profile}/README.md" for profile in profiles())])
def test_the_examples_in_the_documentation_are_right(tmp_path, readme):
    text = (PROFILES / readme).read_text()
    environment = dict.fromkeys(re.findall(r"\$\{([A-Z_]+)\}", text), "x")
    samples = {name: (PROFILES / readme).with_name(name.replace(".csv", ".sample.csv")) for name in CSV.findall(text)}
    for name, sample in samples.items():
        known = next(iter(sample.parent.glob("*.sample.csv")), None)
        (tmp_path / name).write_text(TABLES.get(name) or (known.read_text() if known else "id\n"))
    examples = [part.partition("```")[0] for part in text.split("```yaml\n")[1:]]
    assert examples

    for example in examples:
        definition = yaml.safe_load(example)
        if "broker" not in definition:  # a piece to add to the file before it
            definition = {**yaml.safe_load(examples[0]), **definition}
        Mapper(load(written(tmp_path, definition), environment))
