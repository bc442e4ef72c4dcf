/// @file
/// Tables that fit the terminal. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/detail/console.h"

namespace zona::cli {

enum class Align : std::uint8_t { kLeft, kRight };

struct Column {
    std::string title;
    Align align = Align::kLeft;
    /// Columns leave a narrow terminal by this number, the highest first; 0 never leaves.
    int leaves = 0;
    /// How narrow its texts may be shortened; 0: they are not.
    std::size_t least = 0;
};

struct Cell {
    std::string text;  ///< printable (text.h)
    Colour colour = Colour::kNone;
};

struct Table {
    std::vector<Column> columns;
    std::vector<std::vector<Cell>> rows;  ///< each as long as `columns`
};

/// The table as lines, each with its newline.
///
/// On a terminal with UTF-8 in a box, elsewhere as aligned columns with two spaces between them. A
/// known width is kept: first columns that may be are shortened down to `least`, then columns
/// leave, then the shortened ones shrink further. Only a terminal so narrow that the first column
/// does not fit is overrun. Without a known width nothing is shortened.
std::string layout(const Table& table, const Screen& screen);

}  // namespace zona::cli
