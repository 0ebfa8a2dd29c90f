"""All that is aiohttp: the serving thread, the request handler, the delivery of answers."""
