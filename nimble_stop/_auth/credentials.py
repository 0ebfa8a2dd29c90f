"""Who signs: credentials that were passed in, or botocore's whole chain.

Credentials are asked for anew for each attempt, so that temporary ones are refreshed in time.
"""

from __future__ import annotations

import os
import re
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from nimble_stop._config.fork import renew_in_children
from nimble_stop._config.settings import make_session
from nimble_stop.exceptions import ConfigurationError

if TYPE_CHECKING:
    from botocore.credentials import Credentials


_HEADER_TEXT: Final = re.compile(r"[!-~]+", re.ASCII)
# Both names of the session token are in use; botocore, too, looks in this order.
_TOKEN_VARIABLES: Final = ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")


class Keys(NamedTuple):
    """What one attempt is signed with. The repr shows none of it."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        """Show no key: a traceback may print it."""
        return f"<{type(self).__name__}>"


class CredentialSource:
    """Finds credentials on first use, and hands out what is valid at the moment."""

    def __init__(self, credentials: Credentials | None, profile_name: str | None) -> None:
        if credentials is not None and not hasattr(credentials, "get_frozen_credentials"):
            raise ConfigurationError(
                "credentials must be botocore Credentials, such as "
                "boto3.Session().get_credentials() returns, not "
                f"{type(credentials).__name__}."
            )
        self._given = credentials
        self._profile_name = profile_name
        self._found: Credentials | Keys | None = None
        self._lock = threading.Lock()
        renew_in_children(self)

    @property
    def given(self) -> bool:
        """Whether they were passed in, rather than found."""
        return self._given is not None

    @property
    def may_block(self) -> bool:
        """Whether asking may read files, run processes or use the network."""
        credentials = self._given or self._found
        if credentials is None:
            return True
        if isinstance(credentials, Keys):
            return False
        # Only credentials that expire have this.
        refresh_needed = getattr(credentials, "refresh_needed", None)
        if refresh_needed is not None:
            return bool(refresh_needed())
        from botocore.credentials import Credentials

        # A class of somebody's own may do anything to get them.
        return type(credentials) is not Credentials

    def frozen(self) -> Keys:
        """Give the access key, secret key and session token to sign with now.

        Raises:
            ConfigurationError: There are none, or they cannot be refreshed; the message says where
                they were looked for.
        """
        credentials = self._given or self._find()
        keys = credentials if isinstance(credentials, Keys) else _refreshed(credentials)
        problem = _problem_of(keys)
        if problem is None:
            return keys
        del credentials, keys  # A traceback may show local variables.
        raise ConfigurationError(problem)

    def renew_after_fork(self) -> None:
        """Replace the lock, which another thread of the parent may hold."""
        self._lock = threading.Lock()

    def _find(self) -> Credentials | Keys:
        with self._lock:
            if self._found is None:
                self._found = _find_credentials(self._profile_name)
            return self._found


def _refreshed(credentials: Credentials) -> Keys:
    from botocore.exceptions import BotoCoreError

    try:
        frozen = credentials.get_frozen_credentials()
    except (BotoCoreError, OSError, ValueError, RuntimeError) as error:
        raise _unusable(error) from error
    return Keys(frozen.access_key or "", frozen.secret_key or "", frozen.token)


def _unusable(error: Exception) -> ConfigurationError:
    return ConfigurationError(f"The credentials cannot be loaded or refreshed: {error}")


def _problem_of(keys: Keys) -> str | None:
    """Tell why no request can be signed with these keys, without quoting them."""
    if not (keys.access_key and keys.secret_key):
        return "The credentials have no access key id or no secret access key."
    if not all(_HEADER_TEXT.fullmatch(text) for text in (keys.access_key, keys.token or "-")):
        return (
            "The access key id or the session token holds a blank, a line break or another "
            "character that cannot be sent. Copy it again."
        )
    # What is no UTF-8 in the environment is unprintable here, and cannot be encoded.
    if not keys.secret_key.isprintable():
        return (
            "The secret access key holds a line break or another character that is no text. "
            "Copy it again."
        )
    return None


def _find_credentials(profile_name: str | None) -> Credentials | Keys:
    # The chain begins with the environment unless a profile is asked for in code. Lasting keys are
    # read without botocore, whose import takes longer than the call.
    keys = None if profile_name else _keys_of_environment()
    if keys is not None:
        return keys
    from botocore.exceptions import BotoCoreError

    try:
        return _ask_chain(profile_name)
    except (BotoCoreError, OSError, ValueError, RuntimeError) as error:
        raise _unusable(error) from error


def _keys_of_environment() -> Keys | None:
    """Read keys that do not expire; all else in the environment is left to botocore."""
    access_key = os.environ.get("AWS_ACCESS_KEY_ID")
    secret_key = os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key or os.environ.get("AWS_CREDENTIAL_EXPIRATION"):
        return None
    tokens = (os.environ.get(name) for name in _TOKEN_VARIABLES)
    return Keys(access_key, secret_key, next(filter(None, tokens), None))


def _ask_chain(profile_name: str | None) -> Credentials:
    session = make_session(profile_name)
    found = session.get_credentials()
    if found is None:
        profile = session.profile or "default"
        raise ConfigurationError(
            "There are no credentials. Looked, in this order, at the argument credentials, at "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, at profile "
            f"{profile!r} in AWS's shared files (keys, assumed roles, SSO, login, processes), and "
            "at the container's and the instance's metadata. Set one of them, for example "
            "AWS_PROFILE, or pass credentials=boto3.Session().get_credentials()."
        )
    return found
