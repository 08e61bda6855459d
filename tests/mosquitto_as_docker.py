"""What stands in for `docker` where the ETSI suite starts its MQTT broker and there is no Docker engine.

The suite says `docker run … -e CONF=mosquitto.conf --name NAME IMAGE` and later `docker rm -f NAME`. `stand_in` puts a
program `docker` into a directory for its PATH, which starts and ends a `mosquitto` of this machine by the same words:
on an address of the loopback interface that is this run's own, so that runs at the same time do not meet, with the
listeners and the users that the configuration of that name has in the suite.
"""

import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PORT = 1883
_USER, _PASSWORD = "user_with_password", "password"
_SECONDS = 5.0


def found(program: str) -> str | None:
    """The path of a program, also of one for administrators."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")


def wanted() -> bool:
    """Whether there is a mosquitto and no Docker engine that answers."""
    docker = found("docker")
    engine = docker and subprocess.run([docker, "info"], capture_output=True, timeout=30, check=False).returncode == 0
    return not engine and found("mosquitto") is not None


def own_address() -> str:
    """An address of the loopback interface for this process: ports have the same number on each."""
    return str(ipaddress.ip_address("127.1.0.0") + os.getpid() % 65000 + 1)


def stand_in(directory: Path, address: str, other_port: int) -> Path:
    """A directory to put first on the suite's PATH; its `docker` serves on `address`, on 1883 and the other port."""
    programs = directory / "programs"
    programs.mkdir()
    docker = programs / "docker"
    docker.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" "{directory}" {address} {other_port} "$@"\n'
    )
    docker.chmod(0o755)
    return programs


def main(directory: Path, address: str, other_port: int, words: list[str]) -> int:
    """Does what the words say: `run`, or `rm` in both of its spellings."""
    stop(directory / "mosquitto.pid")
    if "run" in words:
        users = any("with_user" in word for word in words)
        return start(directory, address, other_port, users=users)
    return 0


def start(directory: Path, address: str, other_port: int, *, users: bool) -> int:
    """Starts mosquitto and returns when it answers."""
    lines = [f"listener {port} {address}" for port in (PORT, other_port)]
    lines += [f"pid_file {directory}/mosquitto.pid", f"log_dest file {directory}/mosquitto.log"]
    if os.geteuid() == 0:
        lines.append("user root")
    if users:
        passwords = directory / "passwords"
        command = [found("mosquitto_passwd") or "mosquitto_passwd", "-b", "-c", str(passwords), _USER, _PASSWORD]
        subprocess.run(command, check=True, capture_output=True)
        lines.append(f"password_file {passwords}")
    lines.append(f"allow_anonymous {'false' if users else 'true'}")
    configuration = directory / "mosquitto.conf"
    configuration.write_text("\n".join(lines) + "\n")
    subprocess.run([found("mosquitto") or "mosquitto", "-d", "-c", str(configuration)], check=True)
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        try:
            socket.create_connection((address, other_port), 1.0).close()
        except OSError:
            time.sleep(0.02)
        else:
            return 0
    return 1


def stop(pid_file: Path) -> None:
    """Ends the mosquitto that was started here, if there is one, and returns when it is gone."""
    try:
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGKILL)
    except (OSError, ValueError):
        return
    pid_file.unlink(missing_ok=True)
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except OSError:
            return
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
