#include "pipeline/frontend/yaml_events.hpp"

#include "base/utf8.hpp"

#include <yaml.h>

#include <algorithm>
#include <new>

namespace gantry::pipeline::native {

struct YamlEvents::Parser {
    Parser()
    {
        if (yaml_parser_initialize(&state) == 0)
            throw std::bad_alloc();
    }
    ~Parser()
    {
        yaml_event_delete(&event);
        yaml_parser_delete(&state);
    }
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;

    yaml_parser_t state{};
    yaml_event_t event{};
};

namespace {

std::string_view view(const yaml_char_t* text) { return text ? reinterpret_cast<const char*>(text) : std::string_view{}; }

YamlEvent::Style style_of(yaml_scalar_style_t style)
{
    switch (style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE: return YamlEvent::Style::quoted;
    case YAML_LITERAL_SCALAR_STYLE:
    case YAML_FOLDED_SCALAR_STYLE: return YamlEvent::Style::block;
    default: return YamlEvent::Style::plain;
    }
}

YamlEvent translate(const yaml_event_t& event)
{
    YamlEvent made;
    const auto& data = event.data;
    switch (event.type) {
    case YAML_ALIAS_EVENT:
        made.kind = YamlEvent::Kind::alias;
        made.text = view(data.alias.anchor);
        break;
    case YAML_SCALAR_EVENT:
        made.kind = YamlEvent::Kind::scalar;
        made.style = style_of(data.scalar.style);
        made.text = {reinterpret_cast<const char*>(data.scalar.value), data.scalar.length};
        made.anchor = view(data.scalar.anchor);
        made.tag = view(data.scalar.tag);
        break;
    case YAML_SEQUENCE_START_EVENT:
        made.kind = YamlEvent::Kind::list;
        made.anchor = view(data.sequence_start.anchor);
        made.tag = view(data.sequence_start.tag);
        break;
    case YAML_MAPPING_START_EVENT:
        made.kind = YamlEvent::Kind::map;
        made.anchor = view(data.mapping_start.anchor);
        made.tag = view(data.mapping_start.tag);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: made.kind = YamlEvent::Kind::end; break;
    default: break;
    }
    return made;
}

} // namespace

YamlEvents::YamlEvents(std::string_view text) : text_(text), parser_(std::make_unique<Parser>())
{
    yaml_parser_set_encoding(&parser_->state, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_->state, reinterpret_cast<const unsigned char*>(text_.data()), text_.size());

    const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
    if (std::all_of(text_.begin(), text_.end(), is_ascii))
        return;
    for (std::size_t at = 0; at < text_.size(); ++at)
        if (!continues_character(text_[at]))
            characters_.push_back(static_cast<std::uint32_t>(at));
}

YamlEvents::~YamlEvents() = default;

// libyaml counts characters, everybody else bytes.
std::size_t YamlEvents::byte_at(std::size_t character) const
{
    if (characters_.empty())
        return std::min(character, text_.size());
    return character < characters_.size() ? characters_[character] : text_.size();
}

void YamlEvents::fail()
{
    const auto& state = parser_->state;
    if (state.error == YAML_MEMORY_ERROR)
        throw std::bad_alloc();
    const auto text = [](const char* words) { return words ? std::string_view(words) : std::string_view{}; };
    YamlError error{text(state.problem), text(state.context), byte_at(state.problem_mark.index), 0};
    if (state.error == YAML_READER_ERROR)
        error.offset = std::min(state.problem_offset, text_.size());
    error.context_offset = error.context.empty() ? error.offset : byte_at(state.context_mark.index);
    error_ = error;
}

const YamlEvent* YamlEvents::next()
{
    while (!error_) {
        yaml_event_delete(&parser_->event);
        if (yaml_parser_parse(&parser_->state, &parser_->event) == 0) {
            fail();
            break;
        }
        switch (parser_->event.type) {
        case YAML_NO_EVENT:
        case YAML_STREAM_END_EVENT: return nullptr;
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT: continue;
        default: break;
        }
        event_ = translate(parser_->event);
        event_.offset = byte_at(parser_->event.start_mark.index);
        return &event_;
    }
    return nullptr;
}

} // namespace gantry::pipeline::native
