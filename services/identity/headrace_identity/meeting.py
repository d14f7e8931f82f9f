"""The `Network` that a service's settings ask for. Called by the composition root for `headrace serve`, and by nobody else."""

from __future__ import annotations

from urllib.parse import urlsplit

import jwt

from headrace_identity.keys import Keys, fetcher
from headrace_identity.verifying import TokenVerifier, caller_of, claims_of
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.network import Network
from headrace_servicekit.policies import Accounts
from headrace_servicekit.settings import Settings
from headrace_servicekit.tokens import TokenFile


def network_of(settings: Settings) -> Network:
    """With HEADRACE_TOKEN_FILE: whose it is, and how callers are checked; raises INVALID_INPUT where the settings are wrong."""
    assert settings.token_file is not None
    if urlsplit(settings.jwks_url).scheme not in ("https", "file"):
        raise ServiceError(Reason.INVALID_INPUT, "HEADRACE_JWKS_URL is neither an https nor a file URL")
    own = TokenFile(settings.token_file)
    try:
        claims = claims_of(own.read())
        here = caller_of(claims, ())
    except (jwt.PyJWTError, KeyError, ValueError, TypeError):
        unknown = f"{own.path} holds no service account's token: HEADRACE_TOKEN_FILE names a projected one"
        raise ServiceError(Reason.INVALID_INPUT, unknown) from None
    fetch = fetcher(settings.jwks_url, settings.jwks_ca_file, settings.jwks_token_file)
    return Network(
        token=own,
        verifier=TokenVerifier(Keys(fetch), settings.token_issuer or str(claims["iss"])),
        control=Accounts.parse(settings.control_accounts or here.name, here.namespace),
        public=Accounts.parse(f"{here.namespace}:* {settings.api_accounts}", here.namespace),
    )
