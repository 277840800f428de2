"""Names that two sources of one library have for themselves.

The presets compile several sources as one (CMAKE_UNITY_BUILD), so an unnamed namespace is shared by all that end up in
the same file: two types, constants, or functions with the same parameters, collide. Texts count as one type of parameter
and numbers as another, since a call that meant one could silently take the other. An alias that says the same is fine.
"""

import collections
import re

from lint import code_only, cpp_files, line_of, run

UNNAMED = re.compile(r"^namespace \{\n(.*?)^\} // namespace$", re.M | re.S)
ENCLOSING = re.compile(r"^namespace ([\w:]+) \{", re.M)
ALIAS = re.compile(r"(?:using|namespace) (\w+) = ([^;]*);")
TYPE = re.compile(r"(?:struct|class|enum class|enum) (?:\[\[.*?\]\] )?(\w+)\b(?!.*;$)")
FUNCTION = re.compile(r"[\w:<>,&*\] ]*?[ *&>](\w+)\((.*)")
VARIABLE = re.compile(r"(?:static |inline |constexpr |const )+.*?\b(k_\w+|\w+)(?:\[[^\]]*\])?(?: =|\{|\(|;)")
FURTHER = re.compile(r", (k_\w+)\b(?= =|\{|\()")
TEXTS = re.compile(r"(const )?(std::string_view|std::string|char)\s*[&*]?")
NUMBERS = re.compile(r"(const )?(unsigned|int|bool|double|std::size_t|std::u?int\d+_t)")


def library_of(path):
    """What is linked together: a folder of src/, or one of tests/. A fuzz target is a program of its own."""
    return path if path.startswith("tests/fuzz/") else "/".join(path.split("/")[:2])


def parameters_of(text):
    """The types of a function's parameters, as far as they tell overloads apart."""
    depth, parts, part = 1, [], ""
    for character in text:
        depth += {"(": 1, "<": 1, "{": 1, ")": -1, ">": -1, "}": -1}.get(character, 0)
        if depth == 0:
            break
        if character == "," and depth == 1:
            parts, part = parts + [part], ""
        else:
            part += character
    types = []
    for one in filter(None, (p.split(" = ")[0].strip() for p in parts + [part])):
        if TEXTS.match(one):
            types.append("text")
        elif NUMBERS.match(one):
            types.append("number")
        else:
            types.append(re.sub(r"\s*\b\w+$", "", one) if re.search(r"[\s&*]\w+$", one) else one)
    return "(" + ", ".join(types) + ")"


def declarations(text):
    """(position, enclosing namespace, what is declared, what an alias says) of each name at the top of an unnamed namespace,
    and of each alias that a source has outside of one."""
    outside = code_only(UNNAMED.sub(lambda body: re.sub(r"[^\n]", " ", body.group(0)), text), keep_strings=True)
    for found in re.finditer(r"^using (\w+) = ([^;]*);", outside, re.M):
        yield found.start(), enclosing(text, found.start()), found.group(1), found.group(2)
    for body in UNNAMED.finditer(text):
        code = code_only(body.group(1), keep_strings=True)
        around = enclosing(text, body.start())
        at = 0
        for line in code.splitlines(keepends=True):
            written = re.sub(r"^(?:template <.*?>+ |\[\[\w+\]\] )", "", line.rstrip("\n"))
            names = names_of(written, code[at:]) if line[0].isalpha() or line[0] == "[" else []
            for name, alias in names:
                yield body.start(1) + at, around, name, alias
            at += len(line)


def names_of(written, rest):
    """(what is declared, what an alias says) of each name that the first line of a declaration has; `rest` begins with it."""
    if found := ALIAS.match(written):
        return [found.groups()]
    if found := TYPE.match(written):
        return [(found.group(1), None)]
    found = VARIABLE.match(written)
    if found and "(" not in written[:found.end() - 1]:
        return [(name, None) for name in [found.group(1), *FURTHER.findall(written[found.end() - 1:])]]
    if found := FUNCTION.match(written):
        name = found.group(1)
        return [(name + parameters_of(rest[rest.index(name + "(") + len(name) + 1:][:2000]), None)]
    return []


def enclosing(text, position):
    return (ENCLOSING.findall(text[:position]) or [""])[-1]


def same(one, other):
    """Whether two aliases say the same: as written, or one with more of the namespaces."""
    return one is not None and other is not None and (
        one == other or one.endswith("::" + other) or other.endswith("::" + one))


def check(files):
    found = collections.defaultdict(list)
    for path, text in files.items():
        if path.endswith(".cpp"):
            for position, around, name, alias in declarations(text):
                found[library_of(path), around, name].append((path, line_of(text, position), alias))
    problems = []
    for (library, _, name), places in sorted(found.items()):
        for path, line, alias in places[1:]:
            if path != places[0][0] and not same(alias, places[0][2]):
                problems.append(f"{path}:{line}: {places[0][0]} has '{name}' for itself too, and both may be compiled as one "
                                f"file: share it in a header of {library}, or choose another name")
    return problems


def two(first, second, other="src/base/b.cpp"):
    return {"src/base/a.cpp": f"namespace gantry {{\nnamespace {{\n\n{first}\n\n}} // namespace\n}}\n",
            other: f"namespace gantry {{\nnamespace {{\n\n{second}\n\n}} // namespace\n}}\n"}


PLANTED = [
    (two("constexpr int k_limit = 1;", "constexpr int k_limit = 2;"), "k_limit"),
    (two("const std::string k_name = \".a\";", "const std::string k_name = \".b\";"), "k_name"),
    (two("constexpr char k_link = '1', k_folder = '5';", "const std::string k_folder = \"cache\";"), "k_folder"),
    (two("struct A {\n};\nint f()\n{\n}\nconst int k_b = 1;", "struct B {\n};\nint g()\n{\n}\nconst int k_b = 2;"), "k_b"),
    (two("struct World {\n    int a;\n};", "class World {\n};"), "World"),
    (two("using Reader = int;", "using Reader = long;"), "Reader"),
    (two("using Reader = int;", "class Reader final : public A {\n};"), "Reader"),
    (two("void put(Json& json, int n)\n{\n}", "void put(Json& json, int number)\n{\n}"), "put(Json&, number)"),
    (two("bool has(const char* word)\n{\n}", "bool has(const std::string& word)\n{\n}"), "has(text)"),
    (two("void f(std::size_t n)\n{\n}", "void f(int n)\n{\n}"), "f(number)"),
    (two("[[noreturn]] void refuse(const char* why)\n{\n}", "[[noreturn]] void refuse(std::string why)\n{\n}"), "refuse(text)"),
    (two("std::optional<T> of(const std::map<int, int>& a,\n                    int b)\n{\n}",
         "std::optional<T> of(const std::map<int, int>& c, int d)\n{\n}"), "of("),
    ({"tests/base/a_test.cpp": "using Kind = A::Kind;\n", "tests/base/b_test.cpp": "using Kind = B::Kind;\n"}, "Kind"),
    (two("using Json = nlohmann::json;", "using Json = nlohmann::json;"), None),
    (two("using Kind = RunEvent::Kind;", "using Kind = runner::RunEvent::Kind;"), None),
    (two("namespace fs = std::filesystem;", "namespace fs = std::filesystem;"), None),
    (two("void put(Json& json, int n)\n{\n}", "void put(Text& text, int n)\n{\n}"), None),
    (two("constexpr int k_limit = 1;", "constexpr int k_limit = 2;", other="src/engine/b.cpp"), None),
    (two("int one()\n{\n    return 1;\n}", "int other()\n{\n    const int one = 1;\n    return one;\n}"), None),
]

if __name__ == "__main__":
    run(check, PLANTED, cpp_files())
