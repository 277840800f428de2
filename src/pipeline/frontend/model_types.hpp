#pragma once

#include "pipeline/frontend/types.hpp"

// The types of the pipeline itself: steps, stages, triggers and what is declared beside them.

namespace gantry::pipeline::native {

struct RetryType { // a number, or {max, when, backoff}
    using Value = Retry;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct ConcurrencyType { // a group, or {group, limit, cancel_in_progress}
    using Value = Concurrency;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct BuildType { // a context, or Compose's build section
    using Value = Build;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct PushType { // true, tags, or {image, tags}
    using Value = std::optional<Push>;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Push& value);
    static Out schema(SchemaBuilder& builder);
};

struct SettingsType { // a plugin's: any values
    using Value = EnvMap;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value) { return MapType<TextType>::write(value); }
    static Out schema(SchemaBuilder& builder);
};

struct StepListType { // steps, texts (scripts) and {parallel: [steps]}
    using Value = std::vector<StepGroup>;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct ServicesType { // by name
    using Value = std::vector<Service>;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct MatrixType {
    using Value = Matrix;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct CacheType {
    using Value = Cache;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct ArtifactsType { // paths, or {paths, exclude, when, …}
    using Value = Artifacts;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct StageType {
    using Value = Stage;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct TriggersType { // a word, a list of words, or a map
    using Value = Triggers;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct VolumeDeclarationsType {
    using Value = std::vector<VolumeDeclaration>;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

struct NetworkDeclarationsType {
    using Value = std::vector<NetworkDeclaration>;
    static bool read(Reader& reader, const Node& node, Value& value);
    static Out write(const Value& value);
    static Out schema(SchemaBuilder& builder);
};

std::span<const Key> stage_own_keys();

// A pipeline file. In the short form keys of a stage stand beside the pipeline's own; they fill `main`.
struct PipelineFile {
    Definition definition;
    Stage main;
};
const ObjectKeys& pipeline_keys();
// Of those keys, the ones that make it the short form.
bool is_short_form_key(std::string_view name);
bool is_key_of_defaults(std::string_view name);

} // namespace gantry::pipeline::native
