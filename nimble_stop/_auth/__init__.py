"""Credentials and signature, both botocore's."""
