"""The OpenAPI document of the admin API, made of its routes and of the classes that they show."""
