#include "runner/xml_reader.hpp"

#include "base/format.hpp"
#include "base/utf8.hpp"

#include <expat.h>

#include <algorithm>
#include <memory>

namespace gantry::runner {

namespace {

constexpr int k_deepest_element = 64;
constexpr std::size_t k_attributes_limit_bytes = 64 * 1024;
constexpr std::size_t k_parsed_bytes = 1 << 20; // expat counts in int

std::string_view local_name(std::string_view name)
{
    const auto colon = name.rfind(':');
    return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

// A document in UTF-16 begins with its byte order mark; expat reads it as it is.
bool is_utf16(std::string_view bytes) { return bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff"); }

// Whether the XML declaration names an encoding that is not UTF-8.
bool names_another_encoding(std::string_view bytes)
{
    const auto declaration = to_lower(bytes.substr(0, std::min<std::size_t>(bytes.find("?>"), 200)));
    const auto encoding = declaration.find("encoding");
    return encoding != std::string::npos && declaration.find("utf-8", encoding) == std::string::npos;
}

// What no XML may have, whatever its encoding is: most control characters.
std::string without_controls(std::string_view bytes)
{
    std::string clean(bytes);
    for (auto& byte : clean)
        if (static_cast<unsigned char>(byte) < 0x20 && byte != '\t' && byte != '\n' && byte != '\r')
            byte = '?';
    return clean;
}

std::string as_utf8(std::string_view bytes)
{
    if (is_utf8(bytes))
        return std::string(bytes);
    std::string clean;
    clean.reserve(bytes.size());
    for (std::size_t at = 0; at < bytes.size();) {
        const auto character = first_character(bytes.substr(at));
        clean += character ? bytes.substr(at, character->bytes) : std::string_view("?");
        at += character ? character->bytes : 1;
    }
    return clean;
}

std::string readable(std::string_view bytes)
{
    if (is_utf16(bytes))
        return std::string(bytes);
    auto clean = without_controls(bytes);
    return names_another_encoding(clean) ? clean : as_utf8(clean);
}

class Document {
public:
    explicit Document(XmlHandler& handler) : parser_(XML_ParserCreate(nullptr), &XML_ParserFree), handler_(handler)
    {
        XML_SetUserData(parser_.get(), this);
        XML_SetElementHandler(parser_.get(), &Document::on_begin, &Document::on_end);
        XML_SetCharacterDataHandler(parser_.get(), &Document::on_text);
        XML_SetEntityDeclHandler(parser_.get(), &Document::on_entity);
        XML_SetUnknownEncodingHandler(parser_.get(), &Document::on_encoding, nullptr);
    }

    std::string read(std::string_view bytes)
    {
        for (std::size_t at = 0;; at += k_parsed_bytes) {
            const auto piece = bytes.substr(at, k_parsed_bytes);
            const bool last = at + piece.size() >= bytes.size();
            if (XML_Parse(parser_.get(), piece.data(), static_cast<int>(piece.size()), last) != XML_STATUS_OK)
                return where() + (why_.empty() ? XML_ErrorString(XML_GetErrorCode(parser_.get())) : why_);
            if (last)
                return {};
        }
    }

private:
    static Document& self(void* data) { return *static_cast<Document*>(data); }

// Newer versions of Expat want another one called, which older ones do not have.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    std::string where() const { return "line " + std::to_string(XML_GetCurrentLineNumber(parser_.get())) + ": "; }
#pragma GCC diagnostic pop

    void stop(std::string why)
    {
        why_ = std::move(why);
        XML_StopParser(parser_.get(), XML_FALSE);
    }

    static void XMLCALL on_begin(void* data, const XML_Char* name, const XML_Char** attributes)
    {
        auto& document = self(data);
        if (++document.depth_ > k_deepest_element)
            return document.stop("elements are nested deeper than " + std::to_string(k_deepest_element));
        std::map<std::string, std::string, std::less<>> values;
        std::size_t bytes = 0;
        for (; attributes[0] != nullptr; attributes += 2) {
            const auto [at, is_new] = values.emplace(local_name(attributes[0]), attributes[1]);
            bytes += at->first.size() + at->second.size();
        }
        if (bytes > k_attributes_limit_bytes)
            return document.stop("an element has attributes of more than 64 KiB");
        document.handler_.begin({local_name(name), values});
    }

    static void XMLCALL on_end(void* data, const XML_Char* name)
    {
        --self(data).depth_;
        self(data).handler_.end(local_name(name));
    }

    static void XMLCALL on_text(void* data, const XML_Char* text, int size)
    {
        self(data).handler_.text({text, static_cast<std::size_t>(size)});
    }

    static void XMLCALL on_entity(void* data, const XML_Char*, int, const XML_Char*, int, const XML_Char*,
                                  const XML_Char*, const XML_Char*, const XML_Char*)
    {
        self(data).stop("it declares entities, which no report needs");
    }

    // Encodings that expat does not know are read byte by byte as ISO 8859-1: names stay readable in their ASCII part.
    static int XMLCALL on_encoding(void*, const XML_Char*, XML_Encoding* encoding)
    {
        for (int byte = 0; byte < 256; ++byte)
            encoding->map[byte] = byte;
        encoding->data = nullptr;
        encoding->convert = nullptr;
        encoding->release = nullptr;
        return XML_STATUS_OK;
    }

    std::unique_ptr<XML_ParserStruct, void (*)(XML_Parser)> parser_;
    XmlHandler& handler_;
    std::string why_;
    int depth_ = 0;
};

} // namespace

const std::string& XmlElement::attribute(std::string_view key) const
{
    static const std::string none;
    const auto found = attributes.find(key);
    return found == attributes.end() ? none : found->second;
}

std::string read_xml(std::string_view bytes, XmlHandler& handler) { return Document(handler).read(readable(bytes)); }

} // namespace gantry::runner
