#pragma once

namespace gantry::test {

// Under a sanitizer everything takes several times as long, and finds what it finds in a part of the cases: each is looked at in
// the plain build of the same run.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int k_each_of = 4;
#else
inline constexpr int k_each_of = 1;
#endif

} // namespace gantry::test
