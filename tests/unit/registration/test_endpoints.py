"""Where a registration may have the broker send requests to: what can be told when it is written."""

import pytest

from broker.notifications.endpoints import EndpointPolicy
from ngsi_ld.errors import NgsiLdError

STRANGERS = EndpointPolicy(private=False, networks=("10.1.0.0/16",))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1026",
        "https://10.0.0.1",
        "http://[::1]/x",
        "http://169.254.169.254",
        "http://[::ffff:10.0.0.1]",
    ],
)
def test_private_addresses_are_refused_where_tenants_are_strangers(url):
    with pytest.raises(NgsiLdError, match="endpoint cannot be asked"):
        STRANGERS.check_url(url, "endpoint")
    EndpointPolicy().check_url(url, "endpoint")


@pytest.mark.parametrize("url", ["http://10.1.2.3", "https://broker.example:8443", "http://9.9.9.9"])
def test_the_internet_and_what_the_operator_allows(url):
    STRANGERS.check_url(url, "endpoint")
