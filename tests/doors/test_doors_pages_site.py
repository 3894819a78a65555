"""The site really has every verb that the pages call, with the arguments with which they call it."""

from __future__ import annotations

import inspect

import pytest
from house_for_pages import House

from isocenter.doors.pages_site import PagesSite
from isocenter.site.verbs import Site

VERBS = sorted(name for name in vars(PagesSite) if not name.startswith("_"))


@pytest.mark.parametrize("kind", [Site, House])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_can_be_called_as_the_pages_call_it(kind: type, verb: str) -> None:
    asked = inspect.signature(getattr(PagesSite, verb))
    there = inspect.signature(getattr(kind, verb))
    for name, parameter in asked.parameters.items():
        assert name in there.parameters, f"{kind.__name__}.{verb} lacks '{name}'"
        own = there.parameters[name]
        if parameter.default is not inspect.Parameter.empty:
            assert own.default == parameter.default, f"{kind.__name__}.{verb}({name}=…)"
    more = set(there.parameters) - set(asked.parameters)
    wanted = [n for n in more if there.parameters[n].default is inspect.Parameter.empty]
    assert not wanted, f"{kind.__name__}.{verb} wants {wanted}, which the pages do not give"
