// Tables, colours, sizes.
#include "cli/terminal.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::cli;

TEST_CASE("columns are as wide as their widest cell, East Asian text counted as it shows") {
    Table table;
    table.add({"UNIT", "STATE", "NOTE"});
    table.add({"日本語.service", "running", ""});
    table.add({"web", "failed", "203/EXEC: a long note that is not cut, whatever the width of the terminal"});
    CHECK(table.render(false, 2) == "UNIT            STATE    NOTE\n"
                                    "日本語.service  running\n"
                                    "web             failed   203/EXEC: a long note that is not cut, whatever the width of the terminal\n");
}

TEST_CASE("numbers stand on the right") {
    Table table;
    table.add({"a", Cell("1", Color::None, true), "x"});
    table.add({"b", Cell("1000", Color::None, true), "y"});
    CHECK(table.render(false) == "a    1 x\nb 1000 y\n");
}

TEST_CASE("colour does not change the layout, and is only there when wanted") {
    Table table;
    table.add({Cell("●", Color::Green), Cell("running", Color::Green), "x"});
    table.add({Cell("×", Color::Red), Cell("failed", Color::Red), "y"});
    CHECK(table.render(false) == "● running x\n× failed  y\n");
    CHECK(table.render(true) == "\x1b[32m●\x1b[0m \x1b[32mrunning\x1b[0m x\n\x1b[1;31m×\x1b[0m \x1b[1;31mfailed\x1b[0m  y\n");
}

TEST_CASE("rows of different length, an empty table") {
    CHECK(Table{}.render(true).empty());
    Table table;
    table.add({"only"});
    table.add({"two", "cells"});
    CHECK(table.render(false, 1, "  ") == "  only\n  two  cells\n");
}

TEST_CASE("sizes") {
    CHECK(human_size(999) == "999 B");
    CHECK(human_size(131'000'000) == "131 MB");
    CHECK(human_size(2'250'000) == "2.3 MB");
    CHECK(human_size(28'000) == "28 kB");
    CHECK(systemd_size(0) == "0B");
    CHECK(systemd_size(249856) == "244.0K");
    CHECK(systemd_size(2957312) == "2.8M");
}
