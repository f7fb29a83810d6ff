"""ID tokens: whether one is signed by who it says, for this site and this login, and of now. Needs Authlib."""

from collections.abc import Iterator
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwk, jws, jwt
from joserfc.errors import InvalidKeyIdError, JoseError

#: How tokens may be signed: with a key that only the provider has, so neither "none" nor HS256.
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"})
#: How far two clocks may be apart, in seconds.
LEEWAY = 60


class Untrue(Exception):
    """The token is not to be believed. `str()`: why, without the token."""


def is_of_unknown_key(text: str, keys: dict[str, Any]) -> bool:
    """Tell whether a token names a key that is none of these: the provider may have a new one."""
    try:
        header = jws.extract_compact(text.encode()).headers()
    except (JoseError, ValueError):
        return False
    return not any(_candidates(header, keys))


def claims(
    text: str,
    keys: dict[str, Any],
    *,
    algorithms: Any,
    issuer: str,
    client_id: str,
    nonce: str | None,
    access_token: str,
) -> dict[str, Any]:
    """Return what a token says.

    :param keys: the provider's JWK set.
    :param algorithms: those that the provider says it signs with, where it says so.
    :param nonce: that of this login; None: it had none.
    :raises Untrue: it is not to be believed.
    """
    offered = algorithms if isinstance(algorithms, list) else ["RS256"]
    allowed = [name for name in offered if isinstance(name, str) and name in ALGORITHMS]
    try:
        registry = jws.JWSRegistry(algorithms=allowed or ["RS256"], strict_check_header=False)
        token = jwt.decode(text, lambda found: _key(found.headers(), keys), registry=registry)
        found = CodeIDToken(
            token.claims,
            token.header,
            {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}},
            {"client_id": client_id, "nonce": nonce, "access_token": access_token},
        )
        found.validate(leeway=LEEWAY)
    except JoseError as error:
        raise Untrue(f"{error.error}: {error.description}") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Untrue(f"It is not written as it must be ({type(error).__name__}).") from None
    return dict(found)


def _key(header: dict[str, Any], keys: dict[str, Any]) -> jwk.Key:
    found = list(_candidates(header, keys))
    if len(found) != 1 and not (found and header.get("kid")):
        raise InvalidKeyIdError("It names none of the provider's keys.")
    return jwk.import_key(found[0])


def _candidates(header: dict[str, Any], keys: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the keys that a token may be signed with: the one that it names, or any where it names none."""
    kid = header.get("kid")
    for key in keys["keys"]:
        if isinstance(key, dict) and key.get("use", "sig") == "sig" and (kid is None or key.get("kid") == kid):
            yield key
