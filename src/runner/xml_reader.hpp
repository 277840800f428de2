#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

// Reads XML 1.0 that a stage has written: hostile, and often broken. Entities that a document declares are refused, external
// ones are never looked for, and bytes that no XML may have (colours in a message, text that is not in the encoding that it names)
// are read as '?'.

namespace gantry::runner {

struct XmlElement {
    std::string_view name; // without its namespace's prefix
    const std::map<std::string, std::string, std::less<>>& attributes;

    // Empty when it is not there.
    const std::string& attribute(std::string_view key) const;
};

class XmlHandler {
public:
    virtual ~XmlHandler() = default;
    virtual void begin(const XmlElement& element) = 0;
    virtual void text(std::string_view text) = 0;
    virtual void end(std::string_view name) = 0;
};

// Calls `handler` for what can be read, in order. Returns why it ended early ("line 12: not well-formed (invalid token)"), or an
// empty text when it was read to its end. Deeper than 64 elements, or attributes of more than 64 KiB, is such an end, too.
std::string read_xml(std::string_view bytes, XmlHandler& handler);

} // namespace gantry::runner
