#pragma once

#include <string>
#include <string_view>

namespace gantry::app {

// How our own words look. Texts are written with the symbols of style.cpp's table; shown() makes them fit the terminal.
struct Style {
    bool colours = false;
    bool unicode = true;

    std::string bold(std::string_view text) const { return paint("1", text); }
    std::string dim(std::string_view text) const { return paint("2", text); }
    std::string red(std::string_view text) const { return paint("31", text); }
    std::string green(std::string_view text) const { return paint("32", text); }
    std::string yellow(std::string_view text) const { return paint("33", text); }
    std::string blue(std::string_view text) const { return paint("36", text); }

    // With ASCII stand-ins for our symbols where the locale is not UTF-8.
    std::string shown(std::string text) const;

private:
    std::string paint(const char* sgr, std::string_view text) const;
};

} // namespace gantry::app
