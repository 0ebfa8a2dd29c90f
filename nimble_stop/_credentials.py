"""Who signs: credentials that were passed in, or botocore's whole chain.

Credentials are asked for anew for each attempt, so that temporary ones are refreshed in time.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Final

from nimble_stop._config import make_session
from nimble_stop._fork import renew_in_children
from nimble_stop.exceptions import ConfigurationError

if TYPE_CHECKING:
    from botocore.credentials import Credentials, ReadOnlyCredentials


_HEADER_TEXT: Final = re.compile(r"[!-~]+", re.ASCII)


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
        self._found: Credentials | None = None
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
        # Only credentials that expire have this.
        refresh_needed = getattr(credentials, "refresh_needed", None)
        if refresh_needed is not None:
            return bool(refresh_needed())
        from botocore.credentials import Credentials

        # A class of somebody's own may do anything to get them.
        return type(credentials) is not Credentials

    def frozen(self) -> ReadOnlyCredentials:
        """Give the access key, secret key and session token to sign with now.

        Raises:
            ConfigurationError: There are none, or they cannot be refreshed; the message says where
                they were looked for.
        """
        from botocore.exceptions import BotoCoreError

        try:
            frozen = self._credentials().get_frozen_credentials()
        except (BotoCoreError, OSError, ValueError, RuntimeError) as error:
            raise ConfigurationError(
                f"The credentials cannot be loaded or refreshed: {error}"
            ) from error
        problem = _problem_of(frozen)
        if problem is None:
            return frozen
        del frozen  # A traceback may show local variables.
        raise ConfigurationError(problem)

    def renew_after_fork(self) -> None:
        """Replace the lock, which another thread of the parent may hold."""
        self._lock = threading.Lock()

    def _credentials(self) -> Credentials:
        if self._given is not None:
            return self._given
        with self._lock:
            if self._found is None:
                self._found = _find_credentials(self._profile_name)
            return self._found


def _problem_of(frozen: ReadOnlyCredentials) -> str | None:
    """Tell why no request can be signed with these credentials, without quoting them."""
    if not (frozen.access_key and frozen.secret_key):
        return "The credentials have no access key id or no secret access key."
    if not all(_HEADER_TEXT.fullmatch(text) for text in (frozen.access_key, frozen.token or "-")):
        return (
            "The access key id or the session token holds a blank, a line break or another "
            "character that cannot be sent. Copy it again."
        )
    return None


def _find_credentials(profile_name: str | None) -> Credentials:
    from botocore.credentials import EnvProvider

    # The chain begins with the environment unless a profile is asked for in code. Asking it alone
    # first spares those who use it the import of the rest.
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
            "AWS_PROFILE, or pass credentials=boto3.Session().get_credentials()."
        )
    return found
