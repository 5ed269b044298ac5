#include "unit/lexer.hpp"
#include "unit/parse.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::unit;
using namespace std::string_literals;

namespace {

/// "1:[Unit]", "2:key=value", "3!complaint".
std::vector<std::string> tokens(std::string_view text) {
    std::vector<std::string> found;
    Lexer lexer(text);
    Token token;
    while (lexer.next(token)) {
        const std::string line = std::to_string(token.line);
        switch (token.kind) {
        case Token::Kind::Section:
            found.push_back(line + ":[" + std::string(token.name) + "]");
            break;
        case Token::Kind::Assignment:
            found.push_back(line + ":" + std::string(token.name) + "=" + std::string(token.value));
            break;
        case Token::Kind::Bad:
            found.push_back(line + "!" + std::string(token.complaint));
            break;
        }
    }
    return found;
}

using Lines = std::vector<std::string>;

} // namespace

TEST_CASE("sections and assignments") {
    CHECK(tokens("[A]\nk=v\n\n  x = y z  \nempty=\nlast=1") == Lines{"1:[A]", "2:k=v", "4:x=y z", "5:empty=", "6:last=1"});
    CHECK(tokens("  [A]  \nk=[v]\n") == Lines{"1:[A]", "2:k=[v]"});
    CHECK(tokens("k=a=b") == Lines{"1:k=a=b"});
    CHECK(tokens("").empty());
    CHECK(tokens("\n\n \t\n").empty());
}

TEST_CASE("comments") {
    CHECK(tokens("# a\n;b\n  # c=d\nk=v # not one\n#") == Lines{"4:k=v # not one"});
    CHECK(tokens("# a comment does not go on \\\nk=v\n") == Lines{"2:k=v"});
}

TEST_CASE("continuation: the backslash becomes a blank, comments between are dropped") {
    CHECK(tokens("k=a\\\nb\nx=1") == Lines{"1:k=a b", "3:x=1"});
    CHECK(tokens("k=a \\\n# c\n ; d\n b") == Lines{"1:k=a   b"});
    CHECK(tokens("k=a \\\n\nx=1") == Lines{"1:k=a", "3:x=1"}); // an empty line ends it
    CHECK(tokens("k=a \\") == Lines{"1:k=a"});
    CHECK(tokens("k=a \\\n# c") == Lines{"1:k=a"});
    CHECK(tokens("k=a\\\\\nx=1") == Lines{"1:k=a\\\\", "2:x=1"}); // an escaped backslash does not continue
    CHECK(tokens("k=a\\\\\\\nb") == Lines{"1:k=a\\\\ b"});
    CHECK(tokens("k=a\\ \nx=1") == Lines{"1:k=a\\", "2:x=1"}); // nor does one with a blank behind it
    CHECK(tokens("\\\nk=v") == Lines{"1:k=v"});
}

TEST_CASE("line ends and byte order mark") {
    CHECK(tokens("\xef\xbb\xbf[A]\r\nk=v\rx=y\n") == Lines{"1:[A]", "2:k=v", "3:x=y"});
    CHECK(tokens("k=a\\\r\nb\r\n") == Lines{"1:k=a b"});
}

TEST_CASE("bad lines") {
    CHECK(tokens("word") == Lines{"1!neither a [Section] nor Key=value"});
    CHECK(tokens("=v") == Lines{"1!nothing before \"=\""});
    CHECK(tokens("[A") == Lines{"1!section header without closing bracket"});
    CHECK(tokens("[]") == Lines{"1!section header without closing bracket"});
    CHECK(tokens("k=a\0b\nx=1"s) == Lines{"1!line holds a NUL byte", "2:x=1"});
    CHECK(tokens("k=\xc3\nx=1") == Lines{"1!line is not valid UTF-8", "2:x=1"});
}

TEST_CASE("a line may be as long as the limit, joined or not") {
    CHECK(tokens("k=" + std::string(line_limit - 2, 'v')).at(0).size() == line_limit + 2);
    CHECK(tokens("k=" + std::string(line_limit, 'v') + "\nx=1") == Lines{"1!line too long", "2:x=1"});
    std::string joined;
    for (int i = 0; i < 3; i++)
        joined += std::string(line_limit / 2, 'v') + "\\\n";
    CHECK(tokens("k=" + joined + "\nx=1").at(0) == "1!line too long");
}
