"""Where requests go: the rules for endpoint URLs and for AWS's own host names."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import attrs

from nimble_stop.exceptions import ConfigurationError

# https://docs.aws.amazon.com/nimble-studio/latest/userguide/what-is-nimble-studio.html
CLOSED_NOTICE: Final = (
    "AWS has closed this API: it was open only to customers whose cloud studio was created before "
    "2023-06-19, and has not been accessible since 2024-06-19. Point the client elsewhere with "
    "endpoint_url= or AWS_ENDPOINT_URL_NIMBLE, or start the embedded endpoint: "
    "'nimble-stop serve', or nimble_stop.local.LocalNimble in Python."
)
TRY_IT: Final = (
    "To try the library without AWS, start the embedded endpoint: 'nimble-stop serve --sample' "
    "prints the environment that leads to it; in Python it is nimble_stop.local.LocalNimble."
)

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_REGION: Final = re.compile(r"(?!\d+\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
# What may stand in a base path: RFC 3986's path characters, percent-encoded where needed.
_BASE_PATH: Final = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*)*")
_ESCAPE: Final = re.compile("%..")
# DNS allows labels of 63 characters and names of 253; the underscore is common in local networks.
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9][A-Za-z0-9_-]{0,62}(?:\.[A-Za-z0-9_-]{1,63})*\.?", re.ASCII
)
_IPV6_NETLOC: Final = re.compile(r"\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9]+)?\](?::\d*)?", re.ASCII)


@attrs.frozen
class Endpoint:
    """One server that speaks the API.

    ``host`` is in lower case, an IPv6 address without brackets. ``base_path`` comes before
    ``/2020-08-01``, without a slash at its end. ``is_aws`` is true for AWS's own server, chosen by
    region because nothing else was configured.
    """

    scheme: str
    host: str
    port: int
    base_path: str = ""
    is_aws: bool = False

    @property
    def host_header(self) -> str:
        """The Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host_header}"

    @property
    def url(self) -> str:
        return f"{self.origin}{self.base_path}"

    def url_of(self, path: str, query: str) -> str:
        return f"{self.url}{path}?{query}" if query else f"{self.url}{path}"


def checked_region(region_name: str, source: str) -> str:
    """Check a region before it becomes part of a host name or of a signature."""
    if _REGION.fullmatch(region_name):
        return region_name
    raise ConfigurationError(
        f"{source} is {region_name!r}, which is no region name: letters, digits and hyphens, "
        "such as 'us-west-2'."
    )


def parse_endpoint(url: str, source: str) -> Endpoint:
    """Read an absolute http(s) URL, such as ``https://host/base/``; an error names its source."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _bad_endpoint(source, url, str(error)) from None
    if url != url.strip() or not url.isprintable():
        raise _bad_endpoint(source, url, "it has blanks or control characters in it")
    if parts.scheme not in _DEFAULT_PORTS:
        raise _bad_endpoint(source, url, "it does not begin with http:// or https://")
    if "@" in parts.netloc:
        raise _bad_endpoint(source, url, "it holds a user name; credentials are not part of it")
    if not _is_host(parts.netloc, host) or port == 0:
        raise _bad_endpoint(source, url, "it has no valid host and port")
    if parts.query or parts.fragment:
        raise _bad_endpoint(source, url, "it has a query or a fragment")
    if not _BASE_PATH.fullmatch(parts.path):
        raise _bad_endpoint(source, url, "its path is not percent-encoded")
    if {".", ".."} & set(unquote(parts.path).split("/")):
        raise _bad_endpoint(
            source, url, "its path has dot segments, which are signed as another path"
        )
    port = port or _DEFAULT_PORTS[parts.scheme]
    # urllib3 sends escapes in upper case, so that is how they are signed.
    path = _ESCAPE.sub(lambda escape: escape[0].upper(), parts.path)
    return Endpoint(parts.scheme, host, port, path.removesuffix("/"))


def _is_host(netloc: str, host: str) -> bool:
    if "[" not in netloc:
        return bool(_NAME.fullmatch(host))
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return bool(_IPV6_NETLOC.fullmatch(netloc))


def _bad_endpoint(source: str, url: str, reason: str) -> ConfigurationError:
    # What stands before an @ may be a user name and a password.
    _, at_sign, rest = url.rpartition("@")
    shown = f"...@{rest}" if at_sign else rest
    return ConfigurationError(
        f"{source} is no endpoint URL: {reason}. It is {shown!r}; an endpoint URL looks like "
        "'http://127.0.0.1:8080'."
    )


def aws_endpoint(region_name: str, *, fips: bool, dualstack: bool) -> Endpoint:
    """Give AWS's own endpoint in a checked region, or its variant for FIPS 140 or for IPv6 too."""
    from botocore.loaders import create_loader

    partitions: list[dict[str, Any]] = create_loader().load_data("partitions")["partitions"]
    matching = (
        each
        for each in partitions
        if region_name in each["regions"] or re.match(each["regionRegex"], region_name)
    )
    # botocore, too, takes a region that no partition knows for one of the first, aws.
    outputs = next(matching, partitions[0])["outputs"]
    suffix: str = outputs["dualStackDnsSuffix" if dualstack else "dnsSuffix"]
    host = f"{'nimble-fips' if fips else 'nimble'}.{region_name}.{suffix}".lower()
    return Endpoint("https", host, _DEFAULT_PORTS["https"], is_aws=True)
