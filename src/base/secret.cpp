#include "base/secret.hpp"

#include <openssl/crypto.h>

namespace gantry {

Secret::~Secret()
{
    value_.resize(value_.capacity()); // a moved-from string keeps bytes behind its end
    OPENSSL_cleanse(value_.data(), value_.size());
}

} // namespace gantry
