"""Terms applied to the states of other roles."""

import dataclasses
from typing import Any, Mapping

import tensorflow as tf

from lebm_tf.objectives.objective import Term
from lebm_tf.samplers.draws import Draws


@dataclasses.dataclass(frozen=True)
class OnRoles:
    """A term with the states of some roles replaced by those of others.

    With {"positive": "proposal"}, a term of positive states is evaluated on
    those that a learned sampler proposes.

    Attributes:
        term: The term.
        roles: Role of the term -> role whose states it gets.
    """
    term: Term
    roles: Mapping[str, str]

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        return self.term(model, draws.with_states(**{
            known: draws.states[role] for known, role in self.roles.items()}))
