"""What the routes of the admin API do, each a function of the endpoint and a request's values."""
