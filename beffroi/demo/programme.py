"""What a newcomer reads when everything runs: what is where, and three requests to try."""

from pathlib import Path


def text(url: str, folder: Path) -> str:
    """The programme, with rich's markup. `url` is the broker's, `folder` holds the demonstration's files."""
    entities = f"{url}/ngsi-ld/v1/entities"
    return f"""
[bold]The territory is live.[/]

  NGSI-LD API        {url}/ngsi-ld/v1     documentation: {url}/docs
  Vendors            TALQ gateway, DATEX II publisher, ChirpStack: simulated, on loopback
  Adapters           {folder}/adapters/*.yaml, run by `beffroi adapter run`
  Application        prints below what it is notified of; all of it in {folder}/notified.ndjson
  Logs               {folder}/logs

[bold]Try:[/]

  curl {entities}/urn:ngsi-ld:Streetlight:chalons-LP-00001

  curl -G {entities} -d type=Streetlight -d options=keyValues --data-urlencode 'q=status=="defectiveLamp"'

  curl -G {entities} -d type=TrafficFlowObserved -d options=keyValues -d geometry=Point \\
       --data-urlencode 'coordinates=\\[4.364,48.957]' --data-urlencode 'georel=near;maxDistance==800'

Ctrl-C stops everything.
"""
