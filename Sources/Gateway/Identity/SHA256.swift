internal import CCrypto

/// SHA-256 (FIPS 180-4) by OpenSSL.
enum SHA256 {
    /// The 32 bytes of the digest.
    static func digest(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let status = EVP_Digest(bytes, bytes.count, &digest, &length, EVP_sha256(), nil)
        precondition(status == 1 && length == 32, "EVP_Digest failed")
        return digest
    }
}

/// Compares without telling by its time how much of the two is equal.
func isEqualInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}
