"""Families and the kinds of data that they take."""

import pytest

from lebm_tf.assembly.data import check_kind, family_for
from lebm_tf.errors import InputError
from lebm_tf.families import FAMILIES
from lebm_tf.kinds import IMAGE, KINDS, TRAJECTORY


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_refuses_what_it_does_not_take_and_names_who_does(name):
    taken = FAMILIES[name].Config.kinds
    assert taken and set(taken) <= set(KINDS)
    for kind in KINDS:
        if kind in taken:
            check_kind(name, kind, FAMILIES)
            continue
        takers = [other for other in FAMILIES
                  if kind in FAMILIES[other].Config.kinds
                  and set(FAMILIES[other].Config.kinds) != set(KINDS)]
        with pytest.raises(InputError, match=f"needs {KINDS[taken[0]]}.*are "
                                             "accepted by "
                                             f"{', '.join(takers)}"):
            check_kind(name, kind, FAMILIES)


def test_the_family_follows_where_one_fits():
    assert family_for(TRAJECTORY, FAMILIES, "image") == "trajectory"
    assert family_for(IMAGE, FAMILIES, "image") == "image"
    several = {name: FAMILIES[name] for name in ("vae", "rae")}
    with pytest.raises(InputError, match="must be given for images: .* rae"):
        family_for(IMAGE, several, "image")
    with pytest.raises(InputError, match="accepted by no family"):
        family_for(TRAJECTORY, several, "image")
