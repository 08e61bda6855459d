"""Regular expressions as trees, and the automaton that searches texts for one in time proportional to the text."""

from dataclasses import dataclass

MAX_STATES = 4000
"""How many states an automaton may have before it is made deterministic."""

_MAX_CACHED = 2000

Ranges = tuple[tuple[int, int], ...]
"""Code points as inclusive, sorted, disjoint ranges."""


@dataclass(frozen=True, slots=True)
class Set:
    """One character of these."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Start:
    """The start of the text."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of the text."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """One part after the other."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the branches."""

    branches: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Repeat:
    """The body from `least` to `most` times, None for any number."""

    body: "Node"
    least: int
    most: int | None


Node = Set | Start | End | Sequence | Choice | Repeat


class Automaton:
    """A Thompson automaton whose deterministic states are made as texts ask for them.

    State 0 accepts. `moves[state]` is (ranges, next); `free[state]` are the steps that read nothing, each with the
    condition "" (none), "^" (at the start only) or "$" (at the end only).
    """

    def __init__(self, node: Node) -> None:
        self.moves: list[tuple[Ranges, int] | None] = [None]
        self.free: list[list[tuple[str, int]]] = [[]]
        self.entry = self._add(node, 0)
        self.size = len(self.moves)
        self._restart()

    def _restart(self) -> None:
        self.known: dict[frozenset[int], int] = {}
        self.states: list[frozenset[int]] = []
        self.steps: list[dict[str, int]] = []
        self.accepts: list[bool] = []
        self.accepts_at_end: list[bool | None] = []
        self.first = self._state(self._closure({self.entry}, "^"))

    def _new(self, move: tuple[Ranges, int] | None, free: list[tuple[str, int]]) -> int:
        if len(self.moves) > MAX_STATES:
            return 0
        self.moves.append(move)
        self.free.append(free)
        return len(self.moves) - 1

    def _add(self, node: Node, after: int) -> int:
        """The state to enter so that `node` is read and `after` is reached."""
        match node:
            case Set(ranges):
                return self._new((ranges, after), [])
            case Start():
                return self._new(None, [("^", after)])
            case End():
                return self._new(None, [("$", after)])
            case Sequence(parts):
                for part in reversed(parts):
                    after = self._add(part, after)
                return after
            case Choice(branches):
                return self._new(None, [("", self._add(branch, after)) for branch in branches])
            case Repeat(body, least, most):
                return self._add_repeat(body, least, most, after)

    def _add_repeat(self, body: Node, least: int, most: int | None, after: int) -> int:
        if most is None:
            loop = self._new(None, [])
            if loop:
                self.free[loop] += [("", self._add(body, loop)), ("", after)]
            after = loop
        else:
            end = after
            for _ in range(most - least):
                if len(self.moves) > MAX_STATES:
                    break
                after = self._new(None, [("", self._add(body, after)), ("", end)])
        for _ in range(least):
            if len(self.moves) > MAX_STATES:
                break
            after = self._add(body, after)
        return after

    def _closure(self, states: set[int], conditions: str) -> frozenset[int]:
        todo, seen = list(states), set(states)
        while todo:
            for condition, state in self.free[todo.pop()]:
                if state not in seen and condition in conditions:
                    seen.add(state)
                    todo.append(state)
        return frozenset(seen)

    def _state(self, members: frozenset[int]) -> int:
        number = self.known.get(members)
        if number is None:
            number = self.known[members] = len(self.states)
            self.states.append(members)
            self.steps.append({})
            self.accepts.append(0 in members)
            self.accepts_at_end.append(None)
        return number

    def _step(self, number: int, character: str) -> int:
        code = ord(character)
        reached = {self.entry}  # the search may begin at any character
        for state in self.states[number]:
            move = self.moves[state]
            if move is not None and any(low <= code <= high for low, high in move[0]):
                reached.add(move[1])
        following = self._state(self._closure(reached, ""))
        self.steps[number][character] = following
        return following

    def search(self, text: str) -> bool:
        """Whether the expression is found anywhere in the text."""
        if len(self.states) > _MAX_CACHED:
            self._restart()
        number, steps, accepts = self.first, self.steps, self.accepts
        if accepts[number]:
            return True
        for character in text:
            following = steps[number].get(character)
            number = self._step(number, character) if following is None else following
            if accepts[number]:
                return True
        at_end = self.accepts_at_end[number] if text else None
        if at_end is None:
            at_end = 0 in self._closure(set(self.states[number]), "$" if text else "^$")
            if text:
                self.accepts_at_end[number] = at_end
        return at_end
