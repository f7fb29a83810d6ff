"""Many cases in one test."""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

Test = Callable[..., None]


def together(names: str | Sequence[str], cases: Iterable[Any], *, ids: Iterable[object] = ()) -> Callable[[Test], Test]:
    """Try all cases in one test, on one app: as `pytest.mark.parametrize`, which makes an app for each.

    It is for cases that leave nothing behind. Each is a subtest: one that fails is named, and the others are tried.
    """
    keys = [names] if isinstance(names, str) else list(names)
    tried = [dict(zip(keys, [case] if isinstance(names, str) else case, strict=True)) for case in cases]
    told = list(ids) or [", ".join(ascii(value)[:60] for value in case.values()) for case in tried]

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def try_all(*, subtests: pytest.Subtests, **fixtures: Any) -> None:
            for case, name in zip(tried, told, strict=True):
                with subtests.test(str(name)):
                    test(**fixtures, **case, **({"subtests": subtests} if is_nested else {}))

        asked = inspect.signature(test).parameters.values()
        is_nested = any(one.name == "subtests" for one in asked)
        own = [one.name for one in asked if one.name not in {*keys, "subtests"}]
        parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in [*own, "subtests"]]
        try_all.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return try_all

    return decorate
