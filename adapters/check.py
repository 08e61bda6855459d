"""`beffroi adapter check FILE [--sample RECORDS]`: what an adapter would send, before it sends anything."""

import io
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import orjson

from adapters.commands.execution import templates_of
from adapters.decoding import Decoder, Fault, open_decoder
from adapters.definition import PROFILES, load
from adapters.errors import AdapterError, DecodingError, MappingError
from adapters.mapping import Mapper
from adapters.validation import Validator, open_validator


@dataclass(slots=True)
class Checked:
    """What a sample came to: the entities, what is wrong with some of them, and the records that fail."""

    entities: list[dict[str, Any]] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    failures: list[tuple[str, Any]] = field(default_factory=list)
    records: int = 0


def examine(file: Path, sample: Path | None = None) -> Checked:
    """Maps a sample, a file or a folder of files in the order of their names, as the adapter would.

    Raises AdapterError where the adapter's file itself is not right.
    """
    definition = load(Path(file))
    mapper = Mapper(definition)
    templates_of(definition, mapper)
    decoder = open_decoder(definition.format, f"{definition.file}: format")
    validate = open_validator(definition.validate)
    checked = Checked()
    if sample is None:
        return checked
    mapper.begin(datetime.now(UTC))
    sample = Path(sample)
    for each in sorted(sample.iterdir()) if sample.is_dir() else [sample]:
        _map_sample(each, decoder, mapper, validate, checked)
    return checked


def _map_sample(sample: Path, decoder: Decoder, mapper: Mapper, validate: Validator, checked: Checked) -> None:
    try:
        data = sample.read_bytes()
    except OSError as error:
        raise AdapterError(f"{sample} cannot be read: {error.strerror}") from None
    try:
        for document in decoder.decode(io.BytesIO(data), {}):
            if isinstance(document, Fault):
                checked.failures.append((document.reason, document.record))
                continue
            for record in mapper.records(document):
                checked.records += 1
                try:
                    made = mapper.entities(record)
                except MappingError as error:
                    checked.failures.append((str(error), record))
                    continue
                checked.entities += made
                checked.invalid += [reason for entity in made if (reason := validate(entity))]
    except DecodingError as error:
        checked.failures.append((f"{sample}: {error}", None))
    except MappingError as error:
        checked.failures.append((f"records: {error}", None))


def main(file: Path, sample: Path | None = None, out: TextIO = sys.stdout, err: TextIO = sys.stderr) -> int:
    """Prints the entities as JSON, one after the other, then on `err` what fails: the expression and the record.

    `sample`: a file, or a folder of them; None for the samples of the profile. 0 where every record can be mapped and
    is valid, 1 where one is not or the file is not right.
    """
    try:
        sample = _samples(file) if sample is None else sample
        checked = examine(file, sample)
    except AdapterError as error:
        err.write(f"{error}\n")
        return 1
    for entity in checked.entities:
        out.write(orjson.dumps(entity, option=orjson.OPT_INDENT_2).decode() + "\n")
    for reason in checked.invalid:
        err.write(f"not valid: {reason}\n")
    for reason, record in checked.failures:
        err.write(f"{reason}\n")
        if record is not None:
            err.write("  in the record " + orjson.dumps(record, default=repr).decode() + "\n")
    if sample is None:
        err.write(f"{file} is right; give a sample of records to see the entities it makes\n")
        return 0
    if not checked.records and not checked.failures:
        err.write(f"{sample} has no record\n")
        return 1
    err.write(f"{checked.records} records, {len(checked.entities)} entities, {len(checked.failures)} failures\n")
    return 1 if checked.failures or checked.invalid else 0


def _samples(file: Path) -> Path | None:
    profile = load(Path(file)).profile
    samples = PROFILES / profile / "samples" if profile else None
    return samples if samples and samples.is_dir() else None
