internal import CCrypto

/// SHA-1 (FIPS 180-4) by OpenSSL, as Redis names scripts by and `redis.sha1hex` computes. A name of
/// what is there already, not a protection.
package enum SHA1 {
    /// The first digits of the digest, hexadecimal and lowercase.
    ///
    /// - Parameter count: Even, 40 at most.
    package static func digits(_ bytes: [UInt8], count: Int = 40) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 20)
        fourfold_sha1(bytes, bytes.count, &digest)
        var text: [UInt8] = []
        text.reserveCapacity(count)
        for byte in digest[..<(count / 2)] {
            text.append(hexadecimal[Int(byte >> 4)])
            text.append(hexadecimal[Int(byte & 15)])
        }
        return text
    }
}

private let hexadecimal = Array("0123456789abcdef".utf8)
