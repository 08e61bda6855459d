"""@context documents that the operator brings along: never fetched, errors in one sentence."""

import orjson
import pytest

from broker.contexts import PreloadError

URL = "https://smart-data-models.github.io/dataModel.Streetlighting/context.jsonld"


def write(directory, **files):
    for name, content in files.items():
        (directory / name.replace("_", ".")).write_bytes(
            content if isinstance(content, bytes) else orjson.dumps(content)
        )


async def test_a_preloaded_url_is_not_fetched(contexts, tmp_path):
    write(
        tmp_path,
        index_json={URL: "lighting.jsonld", "https://example.org/all": "all.jsonld"},
        lighting_jsonld={"@context": {"lamp": "https://example.org/lamp"}},
        all_jsonld={"@context": [URL, {"pole": "https://example.org/pole"}]},
    )
    each = await contexts(preload=tmp_path, allowed_networks=())

    context = await each.resolve("", "https://example.org/all")

    assert context.iri("lamp") == "https://example.org/lamp"
    assert context.iri("pole") == "https://example.org/pole"
    assert URL in await each.stored.list("", "Cached")
    assert (await each.stored.serve("", URL, details=True))["kind"] == "Cached"


async def test_documents_of_the_program_itself(contexts):
    url = "http://broker.example/contexts/territory.jsonld"
    each = await contexts(documents={url: {"@context": {"lamp": "https://example.org/lamp"}}})

    assert (await each.resolve("", url)).iri("lamp") == "https://example.org/lamp"


async def test_reloading_reads_the_files_again(contexts, tmp_path, refused):
    write(tmp_path, index_json={URL: "c.json"}, c_json={"@context": {"lamp": "https://example.org/1"}})
    each = await contexts(preload=tmp_path)
    await each.resolve("", URL)
    write(tmp_path, c_json={"@context": {"lamp": "https://example.org/2"}})

    await each.stored.delete("", URL, reload=True)
    assert (await each.resolve("", URL)).iri("lamp") == "https://example.org/2"

    write(tmp_path, c_json=b"{")
    with refused("LdContextNotAvailable", "not JSON"):
        await each.stored.delete("", URL, reload=True)
    assert (await each.resolve("", URL)).iri("lamp") == "https://example.org/2"


async def test_deleting_drops_the_copy_and_the_file_is_read_again(contexts, tmp_path):
    write(tmp_path, index_json={URL: "c.json"}, c_json={"@context": {"lamp": "https://example.org/1"}})
    each = await contexts(preload=tmp_path)
    await each.resolve("", URL)
    write(tmp_path, c_json={"@context": {"lamp": "https://example.org/2"}})

    await each.stored.delete("", URL)

    assert (await each.resolve("", URL)).iri("lamp") == "https://example.org/2"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "index.json cannot be read"),
        ({"index_json": b"{"}, "index.json is not JSON"),
        ({"index_json": [URL]}, "must be an object"),
        ({"index_json": {URL: 5}}, "must be an object"),
        ({"index_json": {URL: "c.json"}}, "c.json cannot be read"),
        ({"index_json": {URL: "../c.json"}}, "is not in"),
        ({"index_json": {URL: "c.json"}, "c_json": {"lamp": 1}}, "c.json: "),
    ],
)
async def test_what_is_wrong_is_said_at_the_start(contexts, tmp_path, files, told):
    write(tmp_path, **files)

    with pytest.raises(PreloadError, match=told):
        await contexts(preload=tmp_path)
