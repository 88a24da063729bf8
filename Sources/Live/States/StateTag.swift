internal import CCrypto

/// Entity tags of states: the first 16 digits of the SHA-1 of what Redis holds, which its scripts
/// can make as well. A name of a value, not a protection.
package enum StateTag {
    /// Of a text that Redis holds.
    package static func make(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 20)
        let status = EVP_Digest(bytes, bytes.count, &digest, nil, algorithm, nil)
        precondition(status == 1, "EVP_Digest failed")
        var text: [UInt8] = []
        text.reserveCapacity(16)
        for byte in digest[..<8] {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return text
    }

    /// Of the items of a list.
    package static func make(items: [[UInt8]]) -> [UInt8] {
        var joined: [UInt8] = []
        for item in items {
            joined += Array("\(item.count):".utf8)
            joined += item
        }
        return make(joined)
    }
}

private let digits = Array("0123456789abcdef".utf8)

/// Fetched once: looking it up costs more than hashing a state.
nonisolated(unsafe) private let algorithm = EVP_MD_fetch(nil, "SHA1", nil)
