#include "base/secret.hpp"

#include <openssl/crypto.h>

namespace gantry {

Secret::~Secret()
{
    OPENSSL_cleanse(value_.data(), value_.size());
}

} // namespace gantry
