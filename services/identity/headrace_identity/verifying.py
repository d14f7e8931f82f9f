"""From a token to the caller that it names: signature, issuer, audience, expiry, and what Kubernetes says of account and Pod.

Never by TokenReview: that would put the API server into every call. No token is ever logged or part of a message. Made by
`meeting`, asked by `headrace_servicekit.network`.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import jwt

from headrace_identity.keys import ALGORITHMS, Keys
from headrace_servicekit.callers import Caller
from headrace_servicekit.tokens import unauthenticated

LEEWAY: Final = 10  # seconds that clocks may differ
REMEMBERED: Final = 10_000  # accepted tokens; a replica has at most some 5,000 companions
REQUIRED: Final = ["exp", "iat", "iss", "aud", "sub"]
PREFIX: Final = "system:serviceaccount:"


class TokenVerifier:
    """Turns tokens of one issuer into callers."""

    def __init__(self, keys: Keys, issuer: str) -> None:
        self._keys, self._issuer = keys, issuer
        self._accepted: OrderedDict[tuple[bytes, tuple[str, ...]], tuple[float, int, Caller]] = OrderedDict()

    async def verify(self, token: str, audiences: tuple[str, ...]) -> Caller:
        """Who presents TOKEN, for one of AUDIENCES; raises UNAUTHENTICATED with what is wrong with it."""
        self._keys.freshen()
        known = (hashlib.sha256(token.encode(errors="replace")).digest(), audiences)
        expires, generation, remembered = self._accepted.get(known, (0.0, -1, None))
        if remembered is not None and generation == self._keys.generation and time.time() < expires + LEEWAY:
            return remembered
        self._accepted.pop(known, None)
        try:
            claims = await self._claims(token, audiences)
            caller = caller_of(claims, audiences)
        except jwt.ExpiredSignatureError:
            raise unauthenticated("the token has expired") from None
        except jwt.InvalidAudienceError:
            raise unauthenticated("the token is for another audience") from None
        except jwt.InvalidIssuerError:
            raise unauthenticated("the token is of another issuer") from None
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, OverflowError, RecursionError):
            raise unauthenticated("the token is not valid") from None
        self._accepted[known] = (float(claims["exp"]), self._keys.generation, caller)
        if len(self._accepted) > REMEMBERED:
            self._accepted.popitem(last=False)
        return caller

    async def _claims(self, token: str, audiences: tuple[str, ...]) -> Mapping[str, Any]:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS or not isinstance(header.get("kid"), str):
            raise unauthenticated("the token is not valid")
        if (key := await self._keys.find(header["kid"])) is None:
            raise unauthenticated("the token is signed with a key that the cluster does not publish")
        given: Any = {"audience": audiences, "issuer": self._issuer, "options": {"require": REQUIRED}}
        # The algorithm is the key's, never what the token asks for.
        return jwt.decode(token, key, algorithms=[key.algorithm_name], leeway=LEEWAY, **given)


def caller_of(claims: Mapping[str, Any], audiences: tuple[str, ...]) -> Caller:
    """The account and Pod in verified CLAIMS; raises where they do not agree on one account, or are no account's."""
    own = claims["kubernetes.io"]
    namespace, name = own["namespace"], own["serviceaccount"]["name"]
    if not (namespace and name) or claims["sub"] != f"{PREFIX}{namespace}:{name}":
        raise ValueError("the claims name no one account")
    pod = own.get("pod") or {"name": "", "uid": ""}
    named = [claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"]
    audience = next((one for one in audiences if one in named), "")
    return Caller(name, namespace, str(pod["name"]), str(pod["uid"]), audience)


def claims_of(token: str) -> Mapping[str, Any]:
    """What our own token says of us: the file is the kubelet's, nobody else's words are read like that."""
    claims: Mapping[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims
