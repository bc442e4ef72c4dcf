#include "cli/detail/table.h"

#include <algorithm>
#include <numeric>
#include <optional>

namespace zona::cli {
namespace {

using Widths = std::vector<std::size_t>;

/// One column that is shown: its place in the table and its width in the output.
struct Shown {
    std::size_t index;
    std::size_t width;
};

bool in_box(const Screen& screen) {
    return screen.out_is_terminal && screen.unicode;
}

std::size_t total_width(const std::vector<Shown>& shown, const Screen& screen) {
    const std::size_t texts =
        std::accumulate(shown.begin(), shown.end(), std::size_t{0},
                        [](std::size_t sum, const Shown& column) { return sum + column.width; });
    if (in_box(screen)) return texts + 3 * shown.size() + 1;
    return texts + 2 * (shown.empty() ? 0 : shown.size() - 1);
}

std::vector<Shown> natural(const Table& table) {
    std::vector<Shown> shown;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        std::size_t width = display_width(table.columns[i].title);
        for (const auto& row : table.rows)
            width = std::max(width, display_width(row[i].text));
        shown.push_back({i, width});
    }
    return shown;
}

/// Takes up to `excess` columns from the widest shrinkable columns, each down to `least`.
std::size_t shrink(std::vector<Shown>& shown, const Table& table, std::size_t excess,
                   std::optional<std::size_t> floor) {
    while (excess > 0) {
        Shown* widest = nullptr;
        for (Shown& column : shown) {
            const std::size_t own = table.columns[column.index].least;
            if (own == 0 || column.width <= floor.value_or(own)) continue;
            if (widest == nullptr || column.width > widest->width) widest = &column;
        }
        if (widest == nullptr) return excess;
        --widest->width;
        --excess;
    }
    return 0;
}

/// What the shrinkable columns can give away in all.
std::size_t slack(const std::vector<Shown>& shown, const Table& table) {
    std::size_t sum = 0;
    for (const Shown& column : shown) {
        const std::size_t least = table.columns[column.index].least;
        if (least > 0 && column.width > least) sum += column.width - least;
    }
    return sum;
}

bool drop_one(std::vector<Shown>& shown, const Table& table) {
    const auto leaves = [&](const Shown& column) { return table.columns[column.index].leaves; };
    const auto last = std::ranges::max_element(shown, {}, leaves);
    if (last == shown.end() || leaves(*last) == 0) return false;
    shown.erase(last);
    return true;
}

std::vector<Shown> fit(const Table& table, const Screen& screen) {
    std::vector<Shown> shown = natural(table);
    if (!screen.columns) return shown;
    const auto excess = [&] {
        const std::size_t width = total_width(shown, screen);
        return width > *screen.columns ? width - *screen.columns : 0;
    };
    while (excess() > slack(shown, table) && drop_one(shown, table)) {
    }
    if (shrink(shown, table, excess(), std::nullopt) > 0) shrink(shown, table, excess(), 1);
    return shown;
}

std::string pad(const Cell& cell, const Shown& column, Align align, const Screen& screen) {
    const std::string text = shorten(cell.text, column.width, screen.ellipsis());
    const std::size_t width = display_width(text);
    const std::string space(column.width > width ? column.width - width : 0, ' ');
    const std::string painted = paint(screen, cell.colour, text);
    return align == Align::kRight ? space + painted : painted + space;
}

std::string line_of(const std::vector<Cell>& cells, const std::vector<Shown>& shown,
                    const Table& table, const Screen& screen) {
    const bool box = in_box(screen);
    std::string line = box ? "│ " : "";
    for (std::size_t i = 0; i < shown.size(); ++i) {
        if (i > 0) line += box ? " │ " : "  ";
        const Shown& column = shown[i];
        line += pad(cells[column.index], column, table.columns[column.index].align, screen);
    }
    if (box) return line + " │\n";
    line.erase(line.find_last_not_of(' ') + 1);
    return line + '\n';
}

std::string rule(const std::vector<Shown>& shown, const char* left, const char* middle,
                 const char* right) {
    std::string line = left;
    for (std::size_t i = 0; i < shown.size(); ++i) {
        if (i > 0) line += middle;
        for (std::size_t n = 0; n < shown[i].width + 2; ++n)
            line += "─";
    }
    return line + right + '\n';
}

}  // namespace

std::string layout(const Table& table, const Screen& screen) {
    const std::vector<Shown> shown = fit(table, screen);
    std::vector<Cell> titles;
    titles.reserve(table.columns.size());
    for (const Column& column : table.columns)
        titles.push_back({column.title, Colour::kBold});
    const bool box = in_box(screen);
    std::string text;
    if (box) text += rule(shown, "┌", "┬", "┐");
    text += line_of(titles, shown, table, screen);
    if (box) text += rule(shown, "├", "┼", "┤");
    for (const auto& row : table.rows)
        text += line_of(row, shown, table, screen);
    if (box) text += rule(shown, "└", "┴", "┘");
    return text;
}

}  // namespace zona::cli
