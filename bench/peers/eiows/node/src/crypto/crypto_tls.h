// Stands where eiows expects a file of Node's own source, which its installation would
// fetch to reach TLS sockets. The benchmark has no TLS, so nothing here is ever called.
#pragma once

#include <openssl/ssl.h>

namespace node {
class BaseObject {};
namespace crypto {
struct NoSession {
  SSL *get() const { return nullptr; }
};
class TLSWrap : public BaseObject {
public:
  const NoSession *getSSL() const { return nullptr; }
};
} // namespace crypto
} // namespace node

#define ASSIGN_OR_RETURN_UNWRAP(pointer, object) \
  do {                                           \
    *(pointer) = nullptr;                        \
    return;                                      \
  } while (0)
