#pragma once
// SHA1_Init and its like are deprecated in favour of EVP.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

// SHA-1 without EVP: that starts OpenSSL and loads the table of all algorithms, 3 MB of resident
// memory where nothing else does.
static inline void fourfold_sha1(const void *bytes, size_t count, unsigned char digest[20]) {
    SHA_CTX context;
    SHA1_Init(&context);
    SHA1_Update(&context, bytes, count);
    SHA1_Final(digest, &context);
}
