"""The admin API without its server: what its routes are, who may use them and what they do.

Nothing here knows aiohttp: an action takes the values of a request and returns what is answered.
`nimble_stop.local.web.admin` reads requests and sends replies.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "/_nimble-stop"
"""What stands before the path of each route."""
