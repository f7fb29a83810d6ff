"""A kind of provider that asks nobody: a code is whom it stands for."""

from typing import Any, ClassVar

from stormpath_app import providers
from stormpath_app.providers import Identity

#: What STORMPATH_SOCIAL has of it.
SOCIAL = {"FALCON": {"client_id": "site", "client_secret": "Kessel"}}


@providers.add_kind
class Falcon(providers.Provider):
    """It knows the people that a test tells it, by their codes and access tokens, which are the same here."""

    kind = "falcon"
    title = "Falcon Pass"
    optional = ("redirect_uri",)
    people: ClassVar[dict[str, Identity]] = {}
    asked: ClassVar[list[dict[str, Any]]] = []

    def from_code(
        self, code: str, *, redirect_uri: str, verifier: str | None = None, nonce: str | None = None
    ) -> Identity:
        self.asked.append({"redirect_uri": redirect_uri, "verifier": verifier, "nonce": nonce})
        return self.from_access_token(code)

    def from_access_token(self, token: str) -> Identity:
        if token not in self.people:
            raise self.refused("400 Bad Request")
        return self.people[token]
