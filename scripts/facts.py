"""What the public headers say of their functions: the six facts of each, told apart by their lead words.

CONTRIBUTING has the form of the comments. Invariant: a function is never without a fact, since that
is Wrong, with file and line. Surprise: a fact may stand elsewhere, in the heading of the group or with
the function that it is like. scripts/man makes pages of it.
"""
import re
from dataclasses import dataclass, field
from pathlib import Path

# In the order in which a comment tells them.
FACTS = ("effect", "arguments", "result", "lifetime", "record", "failure")
LEADS = (("result", r"Result: "), ("lifetime", r"Lives "), ("record", r"Records "),
         ("failure", r"Misuse: |Fails: |Fails the scenario: |Cannot fail\b"))
SINCE = re.compile(r"^Since (0\.\d+)\.$")
FIRST = "0.1"


class Wrong(Exception):
    """What the author of a header is told."""


@dataclass
class Comment:
    """A comment by its facts: each a text, the arguments a text a name."""
    facts: dict = field(default_factory=dict)
    arguments: dict = field(default_factory=dict)
    examples: list = field(default_factory=list)
    like: str = None
    since: str = None


@dataclass
class Group:
    header: str
    title: str
    comment: Comment = field(default_factory=Comment)
    functions: list = field(default_factory=list)


@dataclass
class Function:
    name: str
    prototype: str
    params: list
    void: bool
    pointer: bool
    noreturn: bool
    nonnull: bool
    comment: Comment
    group: Group
    place: str


@dataclass
class Type:
    name: str
    code: str
    text: str


# ---- reading comments ----

def strip_comment(text):
    """The lines of a comment without its frame."""
    text = re.sub(r"^/\*+ ?|\s*\*/$", "", text.strip())
    return [re.sub(r"^\s*\* ?", "", line).rstrip() for line in text.split("\n")]


def paragraphs(lines):
    """Runs of prose and indented blocks: (is_code, text) in order."""
    out = []
    for block in re.split(r"\n\s*\n", "\n".join(lines)):
        if not block.strip():
            continue
        code = all(line.startswith("    ") for line in block.split("\n"))
        if code and out and out[-1][0]:
            out[-1] = (True, out[-1][1] + "\n\n" + block)
        else:
            out.append((code, block if code else " ".join(block.split())))
    return out


NAMES = r"(?:\w+|\.\.\.)(?:, (?:\w+|\.\.\.))*"


def sentences(text):
    """Sentences end before a capital, a quote, or the names of arguments with their colon."""
    return re.split(rf"(?<=[.?!])\s+(?=[A-Z\"]|{NAMES}: )", text)


def arguments_of(sentence, params):
    found = re.match(rf"({NAMES}): ", sentence)
    if not found or lead_of(sentence):
        return None
    names = found.group(1).split(", ")
    if params is not None and not any(name in params for name in names):
        return None
    return names, sentence[found.end():]


def lead_of(sentence):
    for fact, pattern in LEADS:
        if re.match(pattern, sentence):
            return fact
    return None


def join(before, more):
    return f"{before} {more}" if before else more


def read_comment(lines, params, place):
    """Sorts a comment's sentences. params None: any name may lead, as in a heading."""
    comment = Comment()
    at, names = "effect", []
    for code, text in paragraphs(lines):
        if code:
            comment.examples.append(text)
            continue
        for sentence in sentences(text):
            if since := SINCE.match(sentence):
                comment.since = since.group(1)
                continue
            if like := re.match(r"(?:Else like|Like) (fish_\w+)", sentence):
                comment.like = like.group(1)
                continue
            led = arguments_of(sentence, params)
            fact = "arguments" if led else lead_of(sentence) or at
            if FACTS.index(fact) < FACTS.index(at):
                raise Wrong(f"{place}: {fact} comes before {at}, not after it: \"{sentence[:60]}\"")
            at = fact
            if led:
                names, sentence = led
                if params is not None and (strange := [n for n in names if n not in params]):
                    raise Wrong(f"{place}: {strange[0]} is no argument")
            if fact == "arguments":
                for name in names:
                    comment.arguments[name] = join(comment.arguments.get(name), sentence)
            else:
                sentence = re.sub(r"^Result: ", "", sentence)
                comment.facts[fact] = join(comment.facts.get(fact), sentence)
    told = " ".join(comment.facts.get(fact, "") for fact in ("effect", "record"))
    if not comment.like and (like := re.search(r"\blike (fish_\w+)", told)):
        comment.like = like.group(1)
    return comment


# ---- reading headers ----

TOKEN = re.compile(r"(?P<comment>/\*.*?\*/)|(?P<macro>^#define (?:\\\n|[^\n])*)|(?P<other>^#[^\n]*)|"
                   r"(?P<end>;|\{|\})", re.M | re.S)
QUALIFIERS = re.compile(r"\bFISH_(PRINTF\(\d\)|NORETURN|NONNULL|USE)")


def declarations(text):
    """Each comment, macro and declaration of C with its line: (kind, text, line, line's end)."""
    begin, depth, at = None, 0, 0
    for token in TOKEN.finditer(text):
        line = text.count("\n", 0, token.start()) + 1
        between = text[at:token.start()]
        if begin is None and between.strip():
            begin = at + len(between) - len(between.lstrip())
        at = token.end()
        kind = token.lastgroup
        if kind == "comment" and begin is None:
            yield "comment", token.group(), line
        elif kind == "macro":
            if re.match(r"#define \w+\n?$", token.group()):
                continue                     # the guard against being included twice
            yield "macro", re.sub(r"\s*/\*.*", "", token.group().replace("\\\n", "")), line
        elif kind == "end" and token.group() == "{":
            begin = token.start() if begin is None else begin
            depth += 1
        elif kind == "end":
            depth -= token.group() == "}"
            if depth < 0:
                depth, begin = 0, None
            if token.group() == ";" and depth == 0 and begin is not None:
                yield "code", text[begin:token.end()], text.count("\n", 0, begin) + 1
                begin = None


def parameters(inside):
    """The names, "..." included; of a pointer to function the name in its parentheses."""
    names, depth, word = [], 0, ""
    for c in inside + ",":
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            if inner := re.search(r"\(\*(\w+)\)", word):
                names.append(inner.group(1))
            elif found := re.search(r"(\.\.\.|\w+)(?:\[\w*\])?\s*$", word.strip()):
                names.append(found.group(1))
            word = ""
        else:
            word += c
    return [name for name in names if name != "void"]


def function_of(code, lines, group, place):
    plain = " ".join(QUALIFIERS.sub("", code).split()).replace(" ;", ";")
    found = re.match(r"(.*?)\b(fish_\w+)\((.*)\);$", plain)
    if not found or plain.startswith("typedef"):
        return None
    result, name, inside = found.groups()
    params = parameters(inside)
    if not lines:
        raise Wrong(f"{place}: {name} has no comment")
    return Function(name, plain, params, result.strip() == "void", "*" in result,
                    "FISH_NORETURN" in code, "FISH_NONNULL" in code,
                    read_comment(lines, params, f"{place}: {name}"), group, f"{place}: {name}")


class Header:
    """What one header holds: groups of functions, types, constants, and its opening words."""

    def __init__(self, path):
        self.path = Path(path)
        self.name = self.path.name
        self.groups, self.types, self.macros, self.opening = [], [], [], []
        self.shared = Comment()        # what the opening comments say of arguments
        self.read(self.path.read_text())
        if not self.functions():
            raise Wrong(f"{path}: no function was found")

    def functions(self):
        return [function for group in self.groups for function in group.functions]

    def read(self, text):
        group, comment, comment_end = Group(self.name, "the rest"), None, -1
        tokens = list(declarations(re.sub(r"#ifdef __cplusplus\n.*?#(?:else|endif)\n",
                                          lambda m: "\n" * m.group().count("\n"), text, flags=re.S)))
        lines = text.split("\n")
        for i, (kind, words, line) in enumerate(tokens):
            place = f"{self.path}:{line}"
            if kind == "comment":
                heading = re.match(r"/\* ---- (.*?) ----", words)
                if heading:
                    group = Group(self.name, heading.group(1))
                    group.comment = read_comment(strip_comment(words[heading.end():]), None, place)
                    self.groups.append(group)
                elif not lines[line - 1].strip().startswith("/*"):
                    continue                     # behind its declaration: taken with that
                elif not self.declared_next(tokens, i):
                    self.open_with(strip_comment(words), place)
                else:
                    comment, comment_end = strip_comment(words), line + words.count("\n") + 1
                    continue
            else:
                above = comment if comment_end == line or kind == "macro" else None
                self.declare(kind, words, above or self.behind(lines, line, words), group, place)
            if kind != "macro" or not words.startswith("#define FISH_HOOKS"):
                comment = None

    @staticmethod
    def declared_next(tokens, i):
        _, words, line = tokens[i]
        below = line + words.count("\n") + 1
        return i + 1 < len(tokens) and tokens[i + 1][0] != "comment" and tokens[i + 1][2] == below

    @staticmethod
    def behind(lines, line, words):
        """The comment at the end of a declaration's line."""
        found = re.search(r"/\*.*?\*/\s*$", lines[line - 1 + words.count("\n")])
        return strip_comment(found.group()) if found else None

    def open_with(self, lines, place):
        """Opening words; a paragraph that begins with arguments says them for the whole header."""
        prose = []
        for code, text in paragraphs(lines):
            if not code and arguments_of(text, None) and "." in text:
                self.shared.arguments.update(read_comment([text], None, place).arguments)
            else:
                prose.append((code, text))
        self.opening.append(prose)

    def declare(self, kind, words, lines, group, place):
        text = " ".join(" ".join(lines or []).split())
        if kind == "macro":
            if found := re.match(r"#define (fish_\w+)\(", words):
                self.macro_function(found.group(1), lines, group, place)
            elif found := re.match(r"#define (FISH_(?!PRINTF|NORETURN|NONNULL|USE|HOOKS)\w+)", words):
                self.macros.append((found.group(1), words, text))
            return
        if function := function_of(words, lines, group, place):
            if not group.functions and group not in self.groups:
                self.groups.append(group)
            group.functions.append(function)
        elif found := re.search(r"(?:enum|struct) (fish_\w+) \{|\b(fish_\w+)(?:;|\()", words):
            self.types.append(Type(found.group(1) or found.group(2), words, text))

    def macro_function(self, name, lines, group, place):
        found = re.match(rf"(.*?\b{name}\([^)]*\)): ", " ".join(lines or []))
        if not found:
            raise Wrong(f"{place}: the comment of {name} does not begin with its prototype and a colon")
        group = next((g for g in self.groups for f in g.functions if f.name.startswith(name)), group)
        rest = [" ".join(lines)[found.end():]]
        group.functions.append(function_of(found.group(1) + ";", rest, group, place))


# ---- the six facts of a function ----

def fact_of(function, fact, everything, seen=()):
    """A fact where it is told: by the function, its group, or the one that it is like."""
    own = function.comment.facts.get(fact)
    if own:
        return own
    if fact == "result":
        if function.noreturn:
            return "Does not return."
        if function.void:
            return "None."
    if fact == "lifetime" and not function.pointer:
        return "The result is a value; nothing is to be freed." if not function.void else "Nothing is handed out."
    like = everything.get(function.comment.like)
    if like and like.name not in seen and fact != "effect":
        if found := fact_of(like, fact, everything, (*seen, function.name)):
            return found
    return function.group.comment.facts.get(fact)


def argument_of(function, name, headers, everything, seen=()):
    """None when nobody tells it."""
    told = function.comment.arguments.get(name) or function.group.comment.arguments.get(name)
    like = everything.get(function.comment.like)
    if not told and like and like.name not in seen:
        told = argument_of(like, name, headers, everything, (*seen, function.name))
    shared = next(header.shared for header in headers if function.group.header == header.name)
    return told or shared.arguments.get(name)


def check(function, headers, everything):
    like = function.comment.like
    if like and like not in everything:
        raise Wrong(f"{function.place} is like {like}, which no header declares")
    for fact in FACTS:
        if fact != "arguments" and not fact_of(function, fact, everything):
            raise Wrong(f"{function.place} does not tell its {fact} (CONTRIBUTING has the form)")
    for name in function.params:
        if not argument_of(function, name, headers, everything):
            raise Wrong(f"{function.place} does not tell its argument {name} (CONTRIBUTING has the form)")


def read_headers(paths):
    """The headers and all their functions by name, each with all its facts."""
    headers = [Header(path) for path in paths]
    everything = {f.name: f for header in headers for f in header.functions()}
    for function in everything.values():
        check(function, headers, everything)
    return headers, everything
