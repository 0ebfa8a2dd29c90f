"""Which credentials sign: those that were passed in, or those that botocore finds.

They are asked for anew for each attempt, so that temporary ones are refreshed in time.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from botocore.credentials import Credentials, EnvProvider

from nimble_stop._config.config import make_session
from nimble_stop._config.endpoint_url import TRY_IT
from nimble_stop._config.runtime import ForkSafeLock
from nimble_stop.exceptions import ConfigurationError

_HEADER_TEXT: Final = re.compile(r"[!-~]+", re.ASCII)


class Keys(NamedTuple):
    """What one attempt is signed with. The repr shows none of it."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        """Show no key: a traceback may print it."""
        return f"<{type(self).__name__}>"


class CredentialSource:
    """Finds credentials on first use, and gives the keys that are valid at the moment."""

    def __init__(self, credentials: Credentials | None, profile_name: str | None) -> None:
        if credentials is not None and not hasattr(credentials, "get_frozen_credentials"):
            raise ConfigurationError(
                "credentials must be botocore Credentials, such as "
                "boto3.Session().get_credentials() returns, not "
                f"{type(credentials).__name__}."
            )
        self.given = credentials
        self._profile_name = profile_name
        self._found: Credentials | None = None
        self._lock = ForkSafeLock()

    @property
    def may_block(self) -> bool:
        """Whether asking may read files, run processes or use the network."""
        credentials = self.given or self._found
        if credentials is None:
            return True
        # Only credentials that expire have this.
        refresh_needed = getattr(credentials, "refresh_needed", None)
        if refresh_needed is not None:
            return bool(refresh_needed())
        # A class of somebody's own may do anything to get them.
        return type(credentials) is not Credentials

    def keys(self) -> Keys:
        """Give the keys to sign with now, or raise a ConfigurationError that says why not."""
        try:
            keys = _freeze(self.given or self._find())
        except ConfigurationError:
            raise
        except Exception as error:
            # botocore's, and those of a process, a plugin or a class of the caller's own.
            raise ConfigurationError(
                f"The credentials cannot be loaded or refreshed: {error}"
            ) from error
        _check(keys)
        return keys

    def _find(self) -> Credentials:
        with self._lock:
            if self._found is None:
                self._found = _find_credentials(self._profile_name)
            return self._found


def _freeze(credentials: Credentials) -> Keys:
    # The repr of frozen credentials shows the secret, so no frame that may raise keeps them.
    frozen = credentials.get_frozen_credentials()
    return Keys(frozen.access_key or "", frozen.secret_key or "", frozen.token)


def _check(keys: Keys) -> None:
    """Refuse keys that no request can be signed with, without quoting them."""
    if not (keys.access_key and keys.secret_key):
        raise ConfigurationError("The credentials have no access key id or no secret access key.")
    if not all(_HEADER_TEXT.fullmatch(text) for text in (keys.access_key, keys.token or "-")):
        raise ConfigurationError(
            "The access key id or the session token holds a blank, a line break or another "
            "character that cannot be sent. Copy it again."
        )
    # What is no UTF-8 in the environment is unprintable here, and cannot be encoded.
    if not keys.secret_key.isprintable():
        raise ConfigurationError(
            "The secret access key holds a line break or another character that is no text. "
            "Copy it again."
        )


def _find_credentials(profile_name: str | None) -> Credentials:
    # botocore's chain begins with the environment unless a profile is asked for in code. Keys that
    # stand there need no session, whose import takes longer than a call.
    found = None if profile_name else EnvProvider().load()
    if found is not None:
        return found
    session = make_session(profile_name)
    found = session.get_credentials()
    if found is None:
        profile = session.profile or "default"
        raise ConfigurationError(
            "There are no credentials. Looked, in this order, at the argument credentials, at "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, at profile "
            f"{profile!r} in AWS's shared files (keys, assumed roles, SSO, login, processes), and "
            "at the container's and the instance's metadata. Set one of them, for example "
            "AWS_PROFILE, or pass credentials=boto3.Session().get_credentials(). "
            f"{TRY_IT}"
        )
    return found
