from __future__ import annotations

import pytest
from botocore.session import Session
from hypothesis import given, strategies as st

from nimble_stop._config.endpoint_url import (
    Endpoint,
    aws_endpoint,
    checked_region,
    parse_endpoint,
)
from nimble_stop.exceptions import ConfigurationError

# URL, scheme, host, port, base path, Host header, and the URL as it is shown.
GOOD = [
    ("http://127.0.0.1:8080", "http", "127.0.0.1", 8080, "", "127.0.0.1:8080"),
    ("http://127.0.0.1:8080/", "http", "127.0.0.1", 8080, "", "127.0.0.1:8080"),
    ("http://localhost", "http", "localhost", 80, "", "localhost"),
    ("http://localhost:80", "http", "localhost", 80, "", "localhost"),
    ("https://localhost:443", "https", "localhost", 443, "", "localhost"),
    ("https://localhost:80", "https", "localhost", 80, "", "localhost:80"),
    ("HTTPS://HOST.Example/", "https", "host.example", 443, "", "host.example"),
    ("http://h/base/", "http", "h", 80, "/base", "h"),
    ("http://h/base/path", "http", "h", 80, "/base/path", "h"),
    ("http://h/a%20b/~c", "http", "h", 80, "/a%20b/~c", "h"),
    ("http://h/a%2fb%c3%Bc", "http", "h", 80, "/a%2Fb%C3%BC", "h"),
    ("http://h:8080/Base", "http", "h", 8080, "/Base", "h:8080"),
    ("http://[::1]:8080", "http", "::1", 8080, "", "[::1]:8080"),
    ("https://[2001:DB8::1]", "https", "2001:db8::1", 443, "", "[2001:db8::1]"),
    ("http://my_host-1.local.", "http", "my_host-1.local.", 80, "", "my_host-1.local."),
    (f"http://{'a' * 63}.example", "http", f"{'a' * 63}.example", 80, "", f"{'a' * 63}.example"),
]


@pytest.mark.parametrize(("url", "scheme", "host", "port", "base", "header"), GOOD)
def test_good(url: str, *, scheme: str, host: str, port: int, base: str, header: str) -> None:
    """An absolute http(s) URL is an endpoint, with its base path."""
    endpoint = parse_endpoint(url, "endpoint_url")

    assert endpoint == Endpoint(scheme, host, port, base)
    assert endpoint.host_header == header
    assert endpoint.url == f"{scheme}://{header}{base}"
    assert endpoint.url_of("/p", "q=1") == f"{scheme}://{header}{base}/p?q=1"
    assert endpoint.url_of("/p", "") == f"{scheme}://{header}{base}/p"
    assert parse_endpoint(endpoint.url, "endpoint_url") == endpoint


BAD = [
    "",
    " ",
    "localhost",
    "localhost:8080",
    "127.0.0.1:8080",
    "//localhost",
    "/path",
    "ftp://localhost",
    "file:///etc/passwd",
    "unix:///socket",
    "http:",
    "http://",
    "http:///path",
    "http://:8080",
    "http://h:0",
    "http://h:65536",
    "http://h:-1",
    "http://h:port",
    "http://h h",
    " http://h",
    "http://h ",
    "http://h\n",
    "http://h\r\nX-Evil: 1",
    "http://h/\tpath",
    "http://h/\x00",
    "http://user:secret@h",
    "http://user@h",
    "http://@h",
    "http://h?query",
    "http://h/#fragment",
    "http://h/a b",
    "http://h/ä",
    "http://ä.example",
    "http://h/%zz",
    "http://h/%2",
    "http://h/../x",
    "http://h/./x",
    "http://h/%2e%2e/x",
    "http://h/x/..",
    "http://h/%2E",
    "http://[::1",
    "http://::1",
    "http://[::1]x",
    "http://[v1.a]",
    "http://a..b",
    "http://.a",
    "http://a\\b",
    "http://a;b",
    f"http://{'a' * 64}.example",
    f"http://{'a.' * 200}",
    "http://1.2.3.4.5%",
]


@pytest.mark.parametrize("url", BAD, ids=ascii)
def test_bad(url: str) -> None:
    """Whatever is no absolute http(s) URL is refused, with its source and an example."""
    with pytest.raises(ConfigurationError) as failure:
        parse_endpoint(url, "AWS_ENDPOINT_URL")

    assert str(failure.value).startswith("AWS_ENDPOINT_URL is no endpoint URL: ")
    assert "'http://127.0.0.1:8080'" in str(failure.value)


QUOTED = [
    ("http://user:hush@h", "'...@h'"),
    ("http://hush@h:8080/x?y", "'...@h:8080/x?y'"),
    ("http:/hush:hush@h@x", "'...@x'"),
    ("localhost:8080", "'localhost:8080'"),
    ("", "''"),
]


@pytest.mark.parametrize(("url", "quoted"), QUOTED)
def test_quoted_without_user_info(url: str, quoted: str) -> None:
    """The message quotes the URL, without what may be a user name and a password."""
    with pytest.raises(ConfigurationError) as failure:
        parse_endpoint(url, "endpoint_url")

    assert f"It is {quoted};" in str(failure.value)
    assert "hush" not in str(failure.value)


@given(
    st.text()
    | st.text("abc.[]:%@-_1/", max_size=20).map("http://{}".format)
    | st.text().map("http://h/{}".format)
)
def test_any_text(url: str) -> None:
    """Any text is an endpoint that can be written on the wire, or a ConfigurationError."""
    try:
        endpoint = parse_endpoint(url, "endpoint_url")
    except ConfigurationError:
        return
    line = endpoint.url_of("/p", "") + endpoint.host_header
    assert line.isascii()
    assert not set(line) & set(" \r\n\t\0?#\\")
    endpoint.host.encode("idna")


REGIONS = """
    ap-northeast-1 ap-southeast-1 ap-southeast-2 ca-central-1 eu-central-1 eu-north-1 eu-west-1
    eu-west-2 us-east-1 us-east-2 us-west-2 cn-north-1 us-gov-west-1 us-iso-east-1 mars-central-1
    eu-isoe-west-1 US-WEST-2 local x 1a
"""


@pytest.mark.parametrize("region", REGIONS.split())
def test_good_regions(region: str) -> None:
    """Letters, digits and hyphens are a region."""
    assert checked_region(region, "AWS_REGION") == region


@pytest.mark.parametrize(
    "region",
    [
        "",
        " ",
        "us west",
        "us-west-2 ",
        "us-west-2\n",
        "x.evil.com/",
        "us-west-2#",
        "us-west-2.",
        "us_west_2",
        "-us",
        "us-",
        "a/b",
        "a@b",
        "a:b",
        "ü",
        "٣a",
        "123",
        "a" * 64,
    ],
    ids=ascii,
)
def test_bad_regions(region: str) -> None:
    """What cannot stand in a host name is refused before a host is built."""
    with pytest.raises(ConfigurationError, match=r"^AWS_REGION is .* no region name"):
        checked_region(region, "AWS_REGION")


# Region, FIPS, dual stack, host.
HOSTS = [
    ("us-west-2", False, False, "nimble.us-west-2.amazonaws.com"),
    ("us-west-2", True, False, "nimble-fips.us-west-2.amazonaws.com"),
    ("us-west-2", False, True, "nimble.us-west-2.api.aws"),
    ("us-west-2", True, True, "nimble-fips.us-west-2.api.aws"),
    ("cn-north-1", False, False, "nimble.cn-north-1.amazonaws.com.cn"),
    ("cn-north-1", False, True, "nimble.cn-north-1.api.amazonwebservices.com.cn"),
    ("us-gov-west-1", True, False, "nimble-fips.us-gov-west-1.amazonaws.com"),
    ("us-iso-east-1", False, False, "nimble.us-iso-east-1.c2s.ic.gov"),
    ("us-isob-east-1", False, False, "nimble.us-isob-east-1.sc2s.sgov.gov"),
    ("eu-west-99", False, False, "nimble.eu-west-99.amazonaws.com"),
    ("cn-south-9", False, False, "nimble.cn-south-9.amazonaws.com.cn"),
    ("mars-central-1", False, False, "nimble.mars-central-1.amazonaws.com"),
    ("US-WEST-2", False, False, "nimble.us-west-2.amazonaws.com"),
]


@pytest.mark.parametrize(("region", "fips", "dualstack", "host"), HOSTS)
def test_aws_hosts(region: str, *, fips: bool, dualstack: bool, host: str) -> None:
    """AWS's own host name follows from region, partition and variant."""
    assert aws_endpoint(region, fips=fips, dualstack=dualstack) == Endpoint(
        "https", host, 443, is_aws=True
    )


@pytest.mark.parametrize("region", REGIONS.split()[:15])
def test_botocore_chooses_the_same_suffix(region: str) -> None:
    """The host's suffix is the one that botocore gives to any service in the region."""
    theirs = Session().create_client(
        "dynamodb", region_name=region, aws_access_key_id="a", aws_secret_access_key="b"
    )

    host = aws_endpoint(region, fips=False, dualstack=False).host
    assert f"https://{host}" == theirs.meta.endpoint_url.replace("dynamodb", "nimble")
