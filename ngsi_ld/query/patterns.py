"""Regular expressions of `q` (`~=`, `!~=`) and `idPattern`: what clients may send, and why nothing can explode.

The standard asks for extended regular expressions (IEEE 1003.2). Taken are its common ground with what people write:
literals, `.`, `[...]` with ranges and `[:alpha:]` classes, `( )`, `(?: )`, `|`, `* + ? {n,m}`, `^`, `$`, and
`\\d \\w \\s` (ASCII). A pattern is searched for anywhere in the text unless it is anchored. Back-references and
look-around are refused.

In memory a pattern runs as an automaton made state by state as texts come: time is proportional to the text, whatever
the pattern. MongoDB backtracks (PCRE), so what grows exponentially there is refused for both: a repeated group may
hold neither another repetition of open length nor alternatives that can begin with the same character. What is left
is polynomial, held by PCRE's own match limit and by the time limit of the query.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NoReturn

from ngsi_ld.errors import bad_request_data
from ngsi_ld.query.automaton import (
    MAX_STATES,
    Automaton,
    Choice,
    End,
    Node,
    Ranges,
    Repeat,
    Sequence,
    Set,
    Start,
)
from ngsi_ld.query.syntax import DEFAULT_LIMITS, Limits, is_text

MAX_REPEAT = 255

_LAST = 0x10FFFF
_ANY: Ranges = ((0, _LAST),)
_CLASSES: dict[str, Ranges] = {
    "alpha": ((65, 90), (97, 122)),
    "digit": ((48, 57),),
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "upper": ((65, 90),),
    "lower": ((97, 122),),
    "space": ((9, 13), (32, 32)),
    "blank": ((9, 9), (32, 32)),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "xdigit": ((48, 57), (65, 70), (97, 102)),
    "print": ((32, 126),),
    "graph": ((33, 126),),
    "cntrl": ((0, 31), (127, 127)),
}
_WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_ESCAPES: dict[str, Ranges] = {"d": _CLASSES["digit"], "w": _WORD, "s": _CLASSES["space"]}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A checked pattern: `text` as the client wrote it, `pcre` the same for PCRE with its option `s`.

    Every text in which it is found begins with `prefix`, which is empty where that cannot be told.
    """

    text: str
    pcre: str
    prefix: str
    _automaton: Automaton = field(compare=False, repr=False)

    def search(self, text: str) -> bool:
        """Whether the pattern is found in the text, in time proportional to its length."""
        return self._automaton.search(text)


@lru_cache(maxsize=1024)
def parse_pattern(text: str, where: str, limits: Limits = DEFAULT_LIMITS) -> Pattern:
    """The pattern; BadRequestData that names `where` it stood if it is wrong, too long or could explode."""
    if len(text) > limits.pattern:
        raise bad_request_data(f"The regular expression of {where} is longer than {limits.pattern} characters")
    parser = _Parser(text, where)
    node = parser.whole()
    automaton = Automaton(node)
    if automaton.size > MAX_STATES:
        raise bad_request_data(f"The regular expression of {where} is too large once its repetitions are written out")
    return Pattern(text, _pcre(node), _prefix(node), automaton)


def _prefix(node: Node) -> str:
    parts = node.parts if isinstance(node, Sequence) else (node,)
    if not parts or not isinstance(parts[0], Start):
        return ""
    prefix = ""
    for part in parts[1:]:
        if not isinstance(part, Set) or len(part.ranges) != 1 or part.ranges[0][0] != part.ranges[0][1]:
            break
        prefix += chr(part.ranges[0][0])
    return prefix


class _Parser:
    def __init__(self, text: str, where: str) -> None:
        self.text = text
        self.where = where
        self.at = 0
        self.depth = 0

    def fail(self, problem: str) -> NoReturn:
        raise bad_request_data(
            f"The regular expression of {self.where}, {self.text!r}, is wrong at character {self.at + 1}: {problem}"
        )

    def whole(self) -> Node:
        if "\0" in self.text or not is_text(self.text):
            self.fail("it has a character that no text can have")
        node = self.choice()
        if self.at < len(self.text):
            self.fail("a ) without its (; a literal one is written \\)")
        return node

    def choice(self) -> Node:
        self.depth += 1
        if self.depth > DEFAULT_LIMITS.depth:
            self.fail("groups are nested too deeply")
        branches = [self.sequence()]
        while self.text.startswith("|", self.at):
            self.at += 1
            branches.append(self.sequence())
        self.depth -= 1
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            parts.append(self.repeated(self.atom()))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def atom(self) -> Node:
        character = self.text[self.at]
        if character in "*+?":
            self.fail(f"{character} has nothing before it to repeat; a literal one is written \\{character}")
        self.at += 1
        match character:
            case "(":
                return self.group()
            case "[":
                return Set(self.bracket())
            case ".":
                return Set(_ANY)
            case "^":
                return Start()
            case "$":
                return End()
            case "\\":
                return Set(self.escape())
            case _:
                return Set(((ord(character), ord(character)),))

    def group(self) -> Node:
        if self.text.startswith("?", self.at):
            if not self.text.startswith("?:", self.at):
                self.fail("look-around, flags and named groups are not supported")
            self.at += 2
        node = self.choice()
        if not self.text.startswith(")", self.at):
            self.fail("a ) is missing")
        self.at += 1
        return node

    def escape(self) -> Ranges:
        if self.at >= len(self.text):
            self.fail("it ends with a single \\")
        character = self.text[self.at]
        self.at += 1
        if character in _ESCAPES:
            return _ESCAPES[character]
        if character.lower() in _ESCAPES:
            return _complement(_ESCAPES[character.lower()])
        if character in _CONTROLS:
            character = _CONTROLS[character]
        elif character.isalnum():
            self.at -= 2
            self.fail(f"\\{character} is not supported")
        return ((ord(character), ord(character)),)

    def bracket(self) -> Ranges:
        negated = self.text.startswith("^", self.at)
        self.at += negated
        ranges: list[tuple[int, int]] = []
        first = True
        while first or not self.text.startswith("]", self.at):
            if self.at >= len(self.text):
                self.fail("a ] is missing")
            first = False
            low = self.bracket_item()
            dash = self.text.startswith("-", self.at) and not self.text.startswith("-]", self.at)
            if not dash or len(low) != 1 or low[0][0] != low[0][1]:
                ranges += low
                continue
            self.at += 1
            high = self.bracket_item() if self.at < len(self.text) else self.fail("a ] is missing")
            if len(high) != 1 or high[0][0] != high[0][1] or high[0][0] < low[0][0]:
                self.fail("a range in [] goes from a lower to a higher character")
            ranges.append((low[0][0], high[0][0]))
        self.at += 1
        merged = _merged(ranges)
        return _complement(merged) if negated else merged

    def bracket_item(self) -> Ranges:
        if self.text.startswith("[:", self.at):
            end = self.text.find(":]", self.at)
            name = self.text[self.at + 2 : end] if end > 0 else ""
            if name not in _CLASSES:
                self.fail(f"a class is one of {', '.join(f'[:{known}:]' for known in _CLASSES)}")
            self.at = end + 2
            return _CLASSES[name]
        character = self.text[self.at]
        self.at += 1
        return self.escape() if character == "\\" else ((ord(character), ord(character)),)

    def repeated(self, node: Node) -> Node:
        bounds = self.bounds()
        if bounds is None:
            return node
        if isinstance(node, Start | End):
            self.fail("an anchor cannot be repeated")
        least, most = bounds
        if most is None or most > 1:
            self.check_repeatable(node)
        if self.at < len(self.text) and self.text[self.at] in "*+?{":
            self.fail("a repetition of a repetition is not supported")
        return Repeat(node, least, most)

    def bounds(self) -> tuple[int, int | None] | None:
        if self.at >= len(self.text):
            return None
        character = self.text[self.at]
        if character in "*+?":
            self.at += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[character]
        if character != "{":
            return None
        end = self.text.find("}", self.at)
        low, comma, high = self.text[self.at + 1 : max(end, self.at + 1)].partition(",")
        if not _is_count(low) or not (high == "" or _is_count(high)):
            self.fail(f"a repetition is {{n}}, {{n,}} or {{n,m}} of at most {MAX_REPEAT}; a literal brace is \\{{")
        self.at = end + 1
        least = int(low)
        most = least if not comma else int(high) if high else None
        if most is not None and most < least:
            self.fail("a repetition goes from the lower to the higher number")
        return least, most

    def check_repeatable(self, node: Node) -> None:
        """Refuse what PCRE would try in exponentially many ways."""
        match node:
            case Repeat(body, least, most):
                if most != least:
                    self.fail("a repeated group must not hold another repetition, it could take for ever")
                self.check_repeatable(body)
            case Sequence(parts):
                for part in parts:
                    self.check_repeatable(part)
            case Choice(branches):
                firsts = [_first(branch) for branch in branches]
                if any(first is None for first in firsts) or _overlap([first for first in firsts if first]):
                    self.fail("the alternatives of a repeated group must begin with different characters")
                for branch in branches:
                    self.check_repeatable(branch)
            case Start() | End():
                self.fail("a repeated group must not hold an anchor")


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= MAX_REPEAT


def _first(node: Node) -> Ranges | None:
    """The characters a text of the node can begin with; None where it can be empty."""
    match node:
        case Set(ranges):
            return ranges
        case Sequence(parts):
            return _first(parts[0]) if parts else None
        case Choice(branches):
            firsts = [_first(branch) for branch in branches]
            return None if None in firsts else _merged([one for first in firsts if first for one in first])
        case Repeat(body, least, _):
            return _first(body) if least else None
    return None


def _overlap(sets: list[Ranges]) -> bool:
    total = sum(high - low + 1 for ranges in sets for low, high in ranges)
    return total != sum(high - low + 1 for low, high in _merged([one for ranges in sets for one in ranges]))


def _merged(ranges: list[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _complement(ranges: Ranges) -> Ranges:
    gaps, start = [], 0
    for low, high in ranges:
        if low > start:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= _LAST:
        gaps.append((start, _LAST))
    return tuple(gaps)


def _pcre(node: Node) -> str:
    match node:
        case Set(ranges):
            return _pcre_set(ranges)
        case Start():
            return "^"
        case End():
            return r"\z"
        case Sequence(parts):
            return "".join(_pcre(part) for part in parts)
        case Choice(branches):
            return "(?:" + "|".join(_pcre(branch) for branch in branches) + ")"
        case Repeat(body, least, most):
            text = _pcre(body)
            if not isinstance(body, Set):
                text = f"(?:{text})"
            sign = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((least, most))
            return text + (sign or (f"{{{least},{'' if most is None else most}}}"))


def _pcre_set(ranges: Ranges) -> str:
    if ranges == _ANY:
        return "."
    if not ranges:
        return r"[^\x{0}-\x{10FFFF}]"
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        character = chr(ranges[0][0])
        return character if character.isalnum() or character in "-_:/ " else f"\\x{{{ord(character):X}}}"
    return "[" + "".join(f"\\x{{{low:X}}}-\\x{{{high:X}}}" for low, high in ranges) + "]"
