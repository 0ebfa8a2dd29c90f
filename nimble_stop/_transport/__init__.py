"""How a signed request travels: requests for the sync client, aiohttp for the async one."""
