"""Tokens of a test issuer, true and forged, before the verifier; and the keys behind it, read again when they may be."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from hashlib import sha256

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.utils import base64url_encode

from fixtures.issuing import ATTEMPTS, INTERNAL, KFP, Issuer, rsa_key
from headrace_identity.keys import LEAST_WAIT, LONGEST_KEPT, Keys, parse
from headrace_identity.verifying import LEEWAY, TokenVerifier
from headrace_servicekit.callers import Caller
from headrace_servicekit.errors import Reason, ServiceError

FOR = (INTERNAL,)


class Published:
    """What the verifier reads keys from, and how often it has."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer, self.times, self.now, self.away = issuer, 0, 1000.0, False

    async def fetch(self) -> bytes:
        self.times += 1
        if self.away:
            raise ConnectionRefusedError("nobody is there")
        return self.issuer.jwks()

    def verifier(self) -> TokenVerifier:
        return TokenVerifier(Keys(self.fetch, lambda: self.now), self.issuer.name)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def published(issuer) -> Published:
    return Published(issuer)


@pytest.fixture
def verifier(published) -> TokenVerifier:
    return published.verifier()


async def refused(verifier: TokenVerifier, token: str, audiences: tuple[str, ...] = FOR) -> str:
    with pytest.raises(ServiceError) as error:
        await verifier.verify(token, audiences)
    assert error.value.reason == Reason.UNAUTHENTICATED
    assert token not in error.value.message
    return error.value.message


async def test_a_bound_token_names_account_and_pod(issuer, verifier):
    token = issuer.token("team-a:headrace-task", ATTEMPTS, pod=("train-1", "uid-7"))
    expected = Caller("headrace-task", "team-a", "train-1", "uid-7", ATTEMPTS)
    assert await verifier.verify(token, (INTERNAL, ATTEMPTS)) == expected
    assert expected.name == "team-a:headrace-task"


async def test_a_token_may_be_bound_to_no_pod(issuer, verifier):
    caller = await verifier.verify(issuer.token("ci:robot", KFP, pod=None), (KFP,))
    assert (caller.pod_name, caller.pod_uid) == ("", "")


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
async def test_elliptic_keys_sign_too(curve):
    key = ec.generate_private_key(curve)
    algorithm = {256: "ES256", 384: "ES384", 521: "ES512"}[curve.key_size]
    issuer = Issuer()
    jwk = {**jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "ec", "use": "sig"}
    issuer.jwks = lambda: json.dumps({"keys": [jwk]}).encode()
    token = issuer.sign(issuer.claims(), key=key, algorithm=algorithm, kid="ec")
    assert (await Published(issuer).verifier().verify(token, FOR)).account == "headrace-scheduler"


async def test_what_is_wrong_with_the_claims_is_said(issuer, verifier):
    now = int(time.time())
    assert await refused(verifier, issuer.token(lives=-LEEWAY - 1)) == "the token has expired"
    assert await refused(verifier, issuer.token(audience=ATTEMPTS)) == "the token is for another audience"
    other = {**issuer.claims(), "iss": "https://elsewhere"}
    assert await refused(verifier, issuer.sign(other)) == "the token is of another issuer"
    for wrong in (
        {"nbf": now + 3600},
        {"iat": now + 3600},
        {"sub": "system:serviceaccount:headrace:headrace-apiserver"},
        {"sub": "jane@example.org"},
        {"kubernetes.io": {}},
        {"kubernetes.io": "x"},
        {"kubernetes.io": {"namespace": "", "serviceaccount": {"name": ""}}, "sub": "system:serviceaccount::"},
        {"kubernetes.io": {**issuer.claims()["kubernetes.io"], "pod": {"name": "a"}}},
        {"exp": "soon"},
    ):
        assert await refused(verifier, issuer.sign({**issuer.claims(), **wrong})) == "the token is not valid"


@pytest.mark.parametrize("missing", ["exp", "iat", "iss", "aud", "sub", "kubernetes.io"])
async def test_a_claim_that_is_not_there_is_not_overlooked(issuer, verifier, missing):
    claims = issuer.claims()
    del claims[missing]
    await refused(verifier, issuer.sign(claims))


async def test_clocks_may_differ_a_little(issuer, verifier):
    assert await verifier.verify(issuer.token(lives=-LEEWAY / 2), FOR)


def unsigned(header: dict, claims: dict) -> bytes:
    return b".".join(base64url_encode(json.dumps(part).encode()) for part in (header, claims))


async def test_no_algorithm_is_no_signature(issuer, verifier):
    for name in ("none", "None", "NONE"):
        forged = unsigned({"alg": name, "kid": "rsa-1", "typ": "JWT"}, issuer.claims()).decode() + "."
        assert await refused(verifier, forged) == "the token is not valid"


async def test_the_public_key_is_no_secret_to_sign_with(issuer, verifier):
    public = rsa_key().public_key()
    for encoding, form in (
        (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        (serialization.Encoding.PEM, serialization.PublicFormat.PKCS1),
        (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
    ):
        said = unsigned({"alg": "HS256", "kid": "rsa-1", "typ": "JWT"}, issuer.claims())
        signature = hmac.digest(public.public_bytes(encoding, form), said, sha256)
        forged = (said + b"." + base64url_encode(signature)).decode()
        assert await refused(verifier, forged) == "the token is not valid"


async def test_a_shared_secret_among_the_keys_is_left_out(issuer):
    secret = {"kty": "oct", "kid": "shared", "k": base64url_encode(b"s" * 32).decode(), "alg": "HS256"}
    elsewhere = {**json.loads(issuer.jwks())["keys"][0], "kid": "enc", "use": "enc"}
    assert parse(json.dumps({"keys": [secret, elsewhere, {"kty": "?"}, "x"]}).encode()) == {}


async def test_another_key_of_the_same_name_signs_nothing(issuer, verifier):
    forged = issuer.sign(issuer.claims(), key=rsa_key("second"))
    assert await refused(verifier, forged) == "the token is not valid"
    mixed = issuer.sign(issuer.claims(), key=ec.generate_private_key(ec.SECP256R1()))
    assert await refused(verifier, mixed) == "the token is not valid"


async def test_a_key_in_the_tokens_own_header_is_not_looked_at(issuer, verifier):
    own = rsa_key("second")
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(own.public_key(), as_dict=True)
    for header in ({"jwk": jwk, "kid": "mine"}, {"jku": "https://127.0.0.1:1/keys", "kid": "mine"}):
        assert "key that the cluster does not publish" in await refused(
            verifier, issuer.sign(issuer.claims(), key=own, **header)
        )


async def test_a_changed_payload_breaks_the_signature(issuer, verifier):
    header, _, signature = issuer.token().split(".")
    body = base64url_encode(json.dumps(issuer.claims("kube-system:admin")).encode()).decode()
    assert await refused(verifier, f"{header}.{body}.{signature}") == "the token is not valid"


@pytest.mark.parametrize("text", ["", "x", "a.b", "a.b.c", "ü.ü.ü", "...", "[" * 20_000, "eyJhbGciOiJSUzI1NiJ9..x"])
async def test_what_is_no_token_is_not_valid(verifier, text):
    with pytest.raises(ServiceError, match="the token is not valid"):
        await verifier.verify(text, FOR)


async def test_a_new_key_is_read_when_a_token_names_it(issuer, published, verifier):
    await verifier.verify(issuer.token(), FOR)
    issuer.rotate("ec-2")
    assert "does not publish" in await refused(verifier, issuer.token())
    published.now += LEAST_WAIT + 1
    assert await verifier.verify(issuer.token(), FOR)
    assert published.times == 2


async def test_unknown_keys_do_not_make_us_ask_all_the_time(issuer, published, verifier):
    await verifier.verify(issuer.token(), FOR)
    published.now += LEAST_WAIT + 1
    for number in range(50):
        await refused(verifier, issuer.sign(issuer.claims(), kid=f"made-up-{number}"))
    assert published.times == 2


async def test_a_withdrawn_key_goes(issuer, published, verifier):
    old = issuer.token()
    await verifier.verify(old, FOR)
    issuer.rotate("ec-2")
    del issuer.keys["rsa-1"]
    published.now += LONGEST_KEPT + 1
    assert await verifier.verify(issuer.token(), FOR)
    assert "does not publish" in await refused(verifier, old)


async def test_a_withdrawn_key_goes_also_where_its_token_is_the_only_one(issuer, published, verifier):
    old = issuer.token()
    await verifier.verify(old, FOR)
    issuer.rotate("ec-2")
    del issuer.keys["rsa-1"]
    published.now += LONGEST_KEPT + 1
    await verifier.verify(old, FOR)  # nobody waits for the keys
    async with asyncio.timeout(30):
        while published.times < 2:
            await asyncio.sleep(0)
    assert "does not publish" in await refused(verifier, old)


async def test_keys_that_changed_under_their_name_count(issuer, published, verifier):
    old = issuer.token()
    await verifier.verify(old, FOR)
    issuer.keys["rsa-1"] = rsa_key("second")
    published.now += LONGEST_KEPT + 1
    await refused(verifier, issuer.sign(issuer.claims(), kid="made-up"))  # reads the keys again
    assert await refused(verifier, old) == "the token is not valid"


async def test_an_api_server_that_is_away_changes_nothing_for_known_keys(issuer, published, verifier, caplog):
    await verifier.verify(issuer.token(), FOR)
    published.away = True
    published.now += LONGEST_KEPT + 1
    with caplog.at_level(logging.WARNING):
        assert await verifier.verify(issuer.token("headrace:another"), FOR)
        with pytest.raises(ServiceError, match="keys of the cluster cannot be read now") as error:
            await verifier.verify(issuer.sign(issuer.claims(), kid="new"), FOR)
    assert error.value.reason == Reason.UNAVAILABLE
    assert error.value.retry_after
    assert "cannot be read: nobody is there" in caplog.text
    assert issuer.token().split(".")[2] not in caplog.text


async def test_without_any_keys_nobody_is_let_in_and_nobody_is_told_to_go(issuer, published, verifier):
    published.away = True
    with pytest.raises(ServiceError) as error:
        await verifier.verify(issuer.token(), FOR)
    assert error.value.reason == Reason.UNAVAILABLE
    published.away = False
    published.now += LEAST_WAIT + 1
    assert await verifier.verify(issuer.token(), FOR)


async def test_a_remembered_token_expires_and_is_for_its_audience(issuer, verifier, monkeypatch):
    token = issuer.token(lives=60)
    await verifier.verify(token, FOR)
    assert await refused(verifier, token, (ATTEMPTS,)) == "the token is for another audience"
    import headrace_identity.verifying as module

    later = time.time() + 60 + LEEWAY + 1
    monkeypatch.setattr(module.time, "time", lambda: later)
    calls = []
    monkeypatch.setattr(module.jwt, "decode", lambda *_, **__: calls.append(1) or {}["gone"])
    assert await refused(verifier, token) == "the token is not valid"
    assert calls, "the token was looked at again"
