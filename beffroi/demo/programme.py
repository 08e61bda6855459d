"""What a newcomer reads when everything runs: what is where, and four requests to try."""

from pathlib import Path

from beffroi.demo.vendors import citizens


def text(url: str, folder: Path, reports: str) -> str:
    """The programme, with rich's markup. `url` is the broker's, `folder` holds the demonstration's files, `reports` is
    the URL of the citizens' Open311 service."""
    entities = f"{url}/ngsi-ld/v1/entities"
    return f"""
[bold]The territory is live.[/]

  NGSI-LD API        {url}/ngsi-ld/v1     documentation: {url}/docs
  Vendors            the systems above, each with its protocol: simulated, on loopback
  Adapters           {folder}/adapters/*.yaml, run by `beffroi adapter run`
  Application        prints below what it is notified of; all of it in {folder}/notified.ndjson
  Logs               {folder}/logs

[bold]Try:[/]

  curl {entities}/urn:ngsi-ld:Streetlight:chalons-LP-00001

  curl -G {entities} -d type=Streetlight -d options=keyValues --data-urlencode 'q=status=="defectiveLamp"'

  curl -G {entities} -d type=TrafficFlowObserved -d options=keyValues -d geometry=Point \\
       --data-urlencode 'coordinates=\\[4.364,48.957]' --data-urlencode 'georel=near;maxDistance==800'

  curl {reports}/requests.json -d api_key={citizens.KEY} -d service_code=001 \\
       -d lat=48.957 -d long=4.364 --data-urlencode 'description=The lamp before my door blinks'

Ctrl-C stops everything.
"""
