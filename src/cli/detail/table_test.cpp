#include "cli/detail/table.h"

#include <gtest/gtest.h>

namespace zona::cli {
namespace {

Table sample() {
    Table table;
    table.columns = {{"id", Align::kRight, 0, 0},
                     {"name", Align::kLeft, 0, 6},
                     {"status", Align::kLeft, 1, 0},
                     {"pid", Align::kRight, 2, 0}};
    table.rows = {{{"0"}, {"a-long-name"}, {"online", Colour::kGreen}, {"4711"}},
                  {{"12"}, {"db"}, {"stopped"}, {"-"}}};
    return table;
}

Screen terminal(std::size_t columns) {
    Screen screen;
    screen.out_is_terminal = true;
    screen.unicode = true;
    screen.columns = columns;
    return screen;
}

TEST(TableLayout, AlignsPlainColumnsOffATerminal) {
    EXPECT_EQ(layout(sample(), {}),
              "id  name         status    pid\n"
              " 0  a-long-name  online   4711\n"
              "12  db           stopped     -\n");
}

// UX-11
TEST(TableLayout, DrawsABoxOnAUnicodeTerminal) {
    EXPECT_EQ(layout(sample(), terminal(80)),
              "┌────┬─────────────┬─────────┬──────┐\n"
              "│ id │ name        │ status  │  pid │\n"
              "├────┼─────────────┼─────────┼──────┤\n"
              "│  0 │ a-long-name │ online  │ 4711 │\n"
              "│ 12 │ db          │ stopped │    - │\n"
              "└────┴─────────────┴─────────┴──────┘\n");
}

TEST(TableLayout, ShortensTextsBeforeColumnsLeave) {
    EXPECT_EQ(layout(sample(), terminal(34)),
              "┌────┬──────────┬─────────┬──────┐\n"
              "│ id │ name     │ status  │  pid │\n"
              "├────┼──────────┼─────────┼──────┤\n"
              "│  0 │ a-long-… │ online  │ 4711 │\n"
              "│ 12 │ db       │ stopped │    - │\n"
              "└────┴──────────┴─────────┴──────┘\n");
}

TEST(TableLayout, ColumnsLeaveInTheirOrder) {
    EXPECT_EQ(layout(sample(), terminal(25)),
              "┌────┬────────┬─────────┐\n"
              "│ id │ name   │ status  │\n"
              "├────┼────────┼─────────┤\n"
              "│  0 │ a-lon… │ online  │\n"
              "│ 12 │ db     │ stopped │\n"
              "└────┴────────┴─────────┘\n");
}

TEST(TableLayout, NeverIsWiderThanTheTerminal) {
    for (std::size_t columns = 12; columns < 60; ++columns) {
        const std::string text = layout(sample(), terminal(columns));
        EXPECT_LE(display_width(text.substr(0, text.find('\n'))), columns);
    }
}

TEST(TableLayout, ColoursCellsWithoutMovingThem) {
    Screen screen = terminal(80);
    screen.colours = true;
    const std::string text = layout(sample(), screen);
    EXPECT_NE(text.find("│ \x1b[32monline\x1b[0m  │"), std::string::npos) << text;
}

TEST(TableLayout, EmptyTableIsItsHead) {
    Table table;
    table.columns = {{"id"}, {"name"}};
    EXPECT_EQ(layout(table, {}), "id  name\n");
}

}  // namespace
}  // namespace zona::cli
