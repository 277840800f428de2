"""Temporaries that g++ 12 destroys twice in awaited expressions (docs/dev/decisions.md, "Coroutines").

Refused in the operand of co_await: a braced temporary (`co_await f(Spec{…})`, `co_await f({.a = 1})`), a lambda that
captures by value (`co_await pool([s] { … })`), and a choice among arguments (`co_await f(a ? b : c)`). Refused in a braced
initialiser (`Spec s{.n = co_await g()}`) and behind the `?` of a choice (`a ? co_await g() : b`): co_await.
"""

import re

from lint import code_only, cpp_files, line_of, run

AWAIT = re.compile(r"\bco_await\b")
CLOSING = {"(": ")", "[": "]", "{": "}"}
LAMBDA = re.compile(r"\[(?P<captures>[^\[\]]*)\]\s*(\([^()]*(\([^()]*\)[^()]*)*\)\s*)?(mutable\s*)?(noexcept\s*)?(->[^{;]*)?\{")
# A closure of references and pointers may be destroyed twice: nothing happens.
HARMLESS = re.compile(r"\s*(?:(?:&\s*\w*|this)\s*(?:,\s*|$))*")
IN_BRACES = re.compile(r"[{,]\s*\.\w+\s*=[^{};,]*\bco_await\b|\b[A-Z]\w*(?:<[^;{}]*>)?(?:\s+\w+)?\s*\{[^{};]*\bco_await\b")


def skip(code, start):
    """The position behind the bracket that closes the one at `start`."""
    depth = 0
    for position in range(start, len(code)):
        if code[position] in "([{":
            depth += 1
        elif code[position] in ")]}":
            depth -= 1
            if depth == 0:
                return position + 1
    return len(code)


def operand_problems(code, start):
    """Looks at the expression from `start` to its end: `;`, or the bracket that closes what it stands in."""
    depth, position = 0, start
    while position < len(code):
        character = code[position]
        if character == ";" or (character in ")]}" and depth == 0) or (character == "," and depth == 0):
            return
        if character == "[":
            found = LAMBDA.match(code, position)
            before = code[:position].rstrip()[-1:]
            if found and before in "(,=&{":
                if not HARMLESS.fullmatch(found.group("captures")):
                    yield position, "a lambda that captures, in an awaited expression: name it first, then move it"
                position = skip(code, found.end() - 1)
                continue
        if character == "{":
            if depth == 0 and re.search(r"\)\s*$", code[start:position]):
                return  # the body of `if (co_await x) {`
            if not re.match(r"\{\s*\}", code[position:position + 20]):
                yield position, "a braced temporary in an awaited expression: name it first"
            position = skip(code, position)
            continue
        if character == "?" and depth > 0:
            yield position, "a choice among the arguments of an awaited call: name it first"
        if character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        position += 1


def has_awaited_choice(code, start):
    """Whether co_await stands in what a `?` at `start` chooses among."""
    depth = 0
    for position in range(start, len(code)):
        if code[position] in "([":
            depth += 1
        elif code[position] in ")]":
            depth -= 1
        if depth < 0 or code[position] in ";{}":
            return False
        if AWAIT.match(code, position):
            return True
    return False


def check(files):
    problems = []
    for path, text in files.items():
        code = code_only(text)
        for match in AWAIT.finditer(code):
            for position, problem in operand_problems(code, match.end()):
                problems.append(f"{path}:{line_of(code, position)}: {problem}")
        for match in re.finditer(r"\?", code):
            if has_awaited_choice(code, match.start()):
                problems.append(f"{path}:{line_of(code, match.start())}: co_await behind the '?' of a choice: use if and else")
        for match in IN_BRACES.finditer(code):
            problems.append(f"{path}:{line_of(code, match.start())}: co_await in a braced initialiser: await into a "
                            "variable first")
    return sorted(set(problems))


def sample(line):
    return {"src/base/a.cpp": "awaitable<void> f()\n{\n    " + line + "\n}\n"}


PLANTED = [
    (sample("co_await start(Spec{1, 2});"), "a braced temporary"),
    (sample("co_await start({.name = x});"), "a braced temporary"),
    (sample("auto x = co_await in(pool, [s] { return s; });"), "a lambda that captures"),
    (sample("auto x = co_await in(pool,\n    [s, this]() mutable -> int { return s; });"), "a lambda that captures"),
    (sample("co_await place(a.empty() ? b : a);"), "a choice among the arguments"),
    (sample("x = a ? co_await g() : b;"), "behind the '?' of a choice"),
    (sample("x = a ? b : f(co_await g());"), "behind the '?' of a choice"),
    (sample("if (a ? b : c) co_await g();"), None),
    (sample("const auto x = co_await get() ? 1 : 2; co_await in(pool, [&] { return x ? y : z; });"), None),
    (sample("Spec s{.n = co_await g()};"), "co_await in a braced initialiser"),
    (sample("Spec s{co_await g()};"), "co_await in a braced initialiser"),
    (sample("auto x = co_await in(pool, [&s, t = u] { return t; });"), "a lambda that captures"),
    (sample("co_await until([&] { return x; }); co_await until([this, &y]() mutable { return y; });"), None),
    (sample("try {\n a.b = co_await g();\n } catch (...) {}"), None),
    (sample("co_await in(pool, [] { return Spec{1}; });"), None),
    (sample("if (co_await ready()) { go(Spec{1}); }"), None),
    (sample("for (auto& x : co_await all()) { go([x] { return x; }); }"), None),
    (sample("// co_await start(Spec{1});\n    const Spec spec{1};\n    co_await start(spec);"), None),
    (sample('log("co_await f({1})"); values[co_await g()] = 1;'), None),
]

if __name__ == "__main__":
    # The tests of base show that the traps are still there, so they must fall into them.
    run(check, PLANTED, {p: t for p, t in cpp_files().items() if not p.endswith("coroutine_traps_test.cpp")})
