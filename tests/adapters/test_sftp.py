"""The sftp source: files on a real SFTP server."""

import asyncio
import json

import pytest

from adapters.definition import load
from adapters.errors import DefinitionError
from adapters.sources.opening import open_source
from tests.adapters.peer import dead_letters, free_port, until

asyncssh = pytest.importorskip("asyncssh")

ENTITIES = {"lamp": {"id": "urn:ngsi-ld:Streetlight:{name}", "type": "Streetlight", "attributes": {"name": "name"}}}


class Server:
    """A server with a folder `drop` for the user `vendor`; it can go away and come back."""

    def __init__(self, directory):
        self.port = free_port()
        self.drop = directory / "sftp" / "drop"
        self.drop.mkdir(parents=True)
        self._key = asyncssh.generate_private_key("ssh-ed25519")
        self.known_hosts = directory / "known_hosts"
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} " + self._key.export_public_key().decode())
        self._listener = None

    async def start(self):
        class Users(asyncssh.SSHServer):
            def begin_auth(self, username):
                return True

            def password_auth_supported(self):
                return True

            def validate_password(self, username, password):
                return (username, password) == ("vendor", "secret")

        root = str(self.drop.parent)
        self._listener = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_factory=Users,
            server_host_keys=[self._key],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=root),
        )

    async def stop(self):
        if self._listener:
            self._listener.close()
            await self._listener.wait_closed()
            self._listener = None


@pytest.fixture
async def server(tmp_path):
    server = Server(tmp_path)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def file(adapter_file, server):
    def write(**options):
        source = {
            "kind": "sftp",
            "host": "127.0.0.1",
            "port": server.port,
            "username": "vendor",
            "password": "secret",
            "known_hosts": str(server.known_hosts),
            "path": "/drop",
            "pattern": "*.json",
            "interval": 0.2,
            "quiet": 0.2,
            "retry_most": 0.5,
        }
        return adapter_file({"source": source | options, "format": "json", "entities": ENTITIES, "validate": "off"})

    return write


async def test_files_are_read_and_moved(file, server, adapter, peer, tmp_path):
    (server.drop / "1.json").write_text(json.dumps([{"name": "a"}, {"name": "b"}]))
    (server.drop / "2.json").write_text("[{")
    (server.drop / "other.txt").write_text("no")

    adapter(file())

    await peer.holds(2)
    await until(lambda: (server.drop / "done/1.json").exists() and (server.drop / "failed/2.json").exists())
    assert sorted(each.name for each in server.drop.iterdir()) == ["done", "failed", "other.txt"]
    (letter,) = dead_letters(tmp_path / "state/test")
    assert letter["reason"].startswith("2.json: not JSON")

    (server.drop / "1.json").write_text(json.dumps([{"name": "c"}]))
    await peer.holds(3)
    await until(lambda: len(list((server.drop / "done").iterdir())) == 2)


async def test_a_server_that_is_away_is_waited_for(file, server, adapter, peer, log):
    await server.stop()
    adapter(file())
    await until(lambda: "next try" in log())

    (server.drop / "1.json").write_text(json.dumps([{"name": "a"}]))
    await server.start()

    await peer.holds(1)


async def test_a_file_that_is_still_being_written_is_left_alone(file, server, adapter, peer):
    path = server.drop / "1.json"
    path.write_text("[")
    adapter(file(quiet=0.5))
    for number in range(15):
        await asyncio.sleep(0.1)
        with path.open("a") as growing:
            growing.write(" " * (number + 1))
    with path.open("a") as growing:
        growing.write('{"name": "a"}]')

    await peer.holds(1)
    assert not (server.drop / "failed").exists()


async def test_another_server_than_the_known_one_is_not_spoken_to(file, server, adapter, peer, log):
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {other}")
    (server.drop / "1.json").write_text(json.dumps([{"name": "a"}]))

    adapter(file())

    await until(lambda: "next try" in log())
    assert "Host key is not trusted" in log()
    assert peer.entities == {}


async def test_a_file_that_is_too_long_is_set_aside(file, server, adapter, tmp_path):
    (server.drop / "1.json").write_text(json.dumps([{"name": "a" * 100}]))

    adapter(file(max_bytes=50))

    await until(lambda: (server.drop / "failed/1.json").exists())
    assert "more than 50 bytes" in dead_letters(tmp_path / "state/test")[0]["reason"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"password": ""}, "must have a key"),
        ({"known_hosts": "/nowhere"}, "there is no file /nowhere"),
        ({"failed": ""}, "must name a folder"),
    ],
)
async def test_what_is_missing_is_said(file, tmp_path, options, told):
    with pytest.raises(DefinitionError, match=told):
        open_source(load(file(**options)), None, tmp_path)
