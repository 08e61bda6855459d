"""Entities of every kind, with the values on which two interpreters of a query could part ways."""

from hypothesis import strategies as st

from ngsi_ld.entity import Entity

NOW = "2026-11-23T17:02:01.250Z"


class Identity:
    """Names that are their own IRIs, with what MongoDB would trip over."""

    def iri(self, name):
        return {"a": "https://example.org/a", "b": "$b.%"}.get(name, name)

    def term(self, iri):
        return iri


NAMES = Identity()

times = st.sampled_from(
    [
        "2026-11-23T17:02:01Z",
        "2026-11-23T17:02:01.0Z",
        "2026-11-23T17:02:01.2Z",
        "2026-11-23T17:02:01.25Z",
        "2026-11-23T17:02:01.250Z",
        "2026-11-23T17:02:01.251Z",
        "2026-11-23T17:02:01.3Z",
        "2026-11-23T17:02:02Z",
        "2026-11-24T00:00:00Z",
    ]
)
canonical_times = times.filter(lambda text: "." not in text or not text[:-1].endswith("0"))
texts = st.sampled_from(["on", "off", "", "On", "é", "zebra", "urn:x:1", "urn:x:2", "x\ny", "2026-11", "a.b", "12"])
dates = st.sampled_from(["2026-11-22", "2026-11-23", "17:02:01Z", "17:02:01.5Z", "17:02:01.50Z"])
numbers = st.sampled_from([0, 1, 2, -1, 1.5, 2.0, 1e300, 2**53 + 1, 2**63, -0.0])
scalars = st.one_of(numbers, texts, times, dates, st.booleans())
typed = st.builds(lambda value: {"@type": "DateTime", "@value": value}, st.one_of(times, dates))
objects = st.dictionaries(
    st.sampled_from(["x", "y", "$in", "a.b", "en"]),
    st.one_of(
        scalars,
        st.none(),
        typed,
        st.lists(scalars, max_size=2),
        st.dictionaries(st.sampled_from(["x", "z"]), st.one_of(scalars, st.lists(scalars, max_size=2)), max_size=2),
        st.lists(st.dictionaries(st.sampled_from(["x", "z"]), scalars, max_size=1), max_size=2),
    ),
    max_size=2,
)
values = st.one_of(
    scalars,
    typed,
    objects,
    st.lists(st.one_of(scalars, typed, objects, st.lists(scalars, max_size=1)), max_size=3),
)
uris = st.sampled_from(["urn:x:1", "urn:x:2", "urn:x:3"])
# Tenths of a degree and some that share an edge's line, so that touching, crossing and meeting all happen.
degrees = st.integers(0, 6).map(lambda tenth: 4 + tenth / 10)
positions = st.tuples(degrees, degrees.map(lambda d: d + 44)).map(list)


def ring(corner):
    (west, south), width, height = corner
    east, north = round(west + width / 10, 6), round(south + height / 10, 6)
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def bow_tie(corner):
    a, b, c, d, _ = ring(corner)
    return [a, c, b, d, a]


corners = st.tuples(positions, st.integers(1, 4), st.integers(1, 4))
geometries = st.one_of(
    positions.map(lambda p: {"type": "Point", "coordinates": p}),
    positions.map(lambda p: {"type": "Point", "coordinates": p}),
    st.lists(positions, min_size=1, max_size=3).map(lambda p: {"type": "MultiPoint", "coordinates": p}),
    st.lists(positions, min_size=2, max_size=3, unique_by=tuple).map(
        lambda p: {"type": "LineString", "coordinates": p}
    ),
    corners.map(lambda c: {"type": "Polygon", "coordinates": [ring(c)]}),
    corners.map(lambda c: {"type": "Polygon", "coordinates": [bow_tie(c)]}),
    corners.map(lambda c: {"type": "MultiPolygon", "coordinates": [[ring(c)], [ring(((9, 48), 1, 1))]]}),
)
kinds = st.one_of(
    values.map(lambda v: {"type": "Property", "value": v}),
    values.map(lambda v: {"type": "Property", "value": v}),
    geometries.map(lambda v: {"type": "GeoProperty", "value": v}),
    st.one_of(uris, st.lists(uris, min_size=1, max_size=2)).map(lambda v: {"type": "Relationship", "object": v}),
    st.dictionaries(
        st.sampled_from(["en", "fr", "@none"]), st.one_of(texts, times, st.lists(texts, max_size=2)), min_size=1
    ).map(lambda v: {"type": "LanguageProperty", "languageMap": v}),
    st.one_of(objects, st.lists(objects, max_size=1), scalars).map(lambda v: {"type": "JsonProperty", "json": v}),
    st.one_of(uris, st.lists(uris, min_size=1, max_size=2)).map(lambda v: {"type": "VocabProperty", "vocab": v}),
    st.lists(st.one_of(scalars, objects), max_size=3).map(lambda v: {"type": "ListProperty", "valueList": v}),
    st.lists(uris, max_size=2).map(
        lambda v: {"type": "ListRelationship", "objectList": [{"object": uri} for uri in v]}
    ),
)


@st.composite
def instances(draw, depth=0):
    made = []
    for dataset in draw(st.lists(st.sampled_from(["", "urn:d:1", "urn:d:2"]), min_size=1, max_size=2, unique=True)):
        instance = dict(draw(kinds)) | {"createdAt": "2026-11-23T17:02:01.200Z", "modifiedAt": NOW}
        if dataset:
            instance["datasetId"] = dataset
        for member, rarity, value in (
            ("observedAt", 2, canonical_times),
            ("expiresAt", 8, canonical_times),
            ("unitCode", 2, st.sampled_from(["CEL", "KEL"])),
        ):
            if draw(st.integers(1, rarity)) == rarity:
                instance[member] = draw(value)
        if depth < 2 and draw(st.booleans()):
            instance["subs"] = {NAMES.iri("b"): draw(instances(depth=depth + 1))}
        made.append(instance)
    return made


@st.composite
def entities(draw):
    names = draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=2, unique=True))
    attributes = {NAMES.iri(name): draw(instances()) for name in names}
    if draw(st.booleans()):
        live = draw(st.lists(geometries, min_size=1, max_size=2))
        attributes["location"] = [
            {"type": "GeoProperty", "value": value, "createdAt": NOW, "modifiedAt": NOW}
            | ({"datasetId": f"urn:d:{number}"} if number else {})
            for number, value in enumerate(live)
        ]
    return Entity(
        id="",
        types=draw(st.lists(st.sampled_from(["T", "U", "V"]), min_size=1, max_size=2, unique=True)),
        attributes=attributes,
        scope=draw(st.lists(st.sampled_from(["/A", "/A/B", "/A/B/C", "/A/Bx", "/D/B"]), max_size=2, unique=True)),
        created_at=draw(st.sampled_from(["2026-11-23T17:02:01.200Z", NOW])),
        modified_at=NOW,
        expires_at=draw(st.one_of(st.none(), st.none(), st.none(), canonical_times)),
    )
