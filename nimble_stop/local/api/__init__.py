"""The protocol, pure: routes, inputs, signatures, errors."""
